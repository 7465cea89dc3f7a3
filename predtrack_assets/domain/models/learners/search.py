"""Parameters of the trees of one kind and horizon: a few configurations, by purged walk-forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS
from predtrack_assets.domain.models.learners import direction, price, time_to_hit, volatility
from predtrack_assets.domain.models.learners.boosting import Boosting
from predtrack_assets.domain.models.learners.comparison import MeanDifference, mean_difference
from predtrack_assets.domain.models.learners.direction import UNCALIBRATED
from predtrack_assets.domain.models.learners.losses import METRICS, hit_loss, volatility_loss
from predtrack_assets.domain.models.learners.selection import EMBARGO, FOLDS, MAX_COMPARED, MIN_DAYS
from predtrack_assets.domain.models.learners.training_data import Examples, TrainingData, examples
from predtrack_assets.domain.models.tuning import Proposal, Trial, draw
from predtrack_assets.domain.models.walk_forward import walk_forward
from predtrack_assets.domain.statistics.scoring_rules import brier, crps_from_quantiles

GRID = {
    "num_leaves": (4, 8, 16),
    "learning_rate": (0.03, 0.06, 0.12),
    "rounds": (25, 50, 100),
    "lambda_l2": (1.0, 10.0, 100.0),
}
"""Around boosting.PARAMETERS and ROUNDS, which are in the middle."""

Configuration = Mapping[str, Any]
"""family and parameters: some of GRID, none for the usual ones."""


def configurations(count: int, seed: str, known: Configuration) -> list[Configuration]:
    """`count` points of GRID for the trees, drawn by `seed`; not the usual one, nor `known`."""
    points = [dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]
    usual = {name: values[1] for name, values in GRID.items()}
    new = [p for p in points if p not in (usual, known["parameters"])]
    return [{"family": "lightgbm", "parameters": p} for p in draw(new, count, seed)]


@dataclass(frozen=True)
class HyperparameterSearch:
    """Ready to run for one kind and horizon.

    in_force: configuration per kind, of the kind and of the direction that a price needs. rows: all
    known examples, long enough to be folded (`prepare`).
    """

    kind: str
    rows: Examples
    in_force: Mapping[str, Configuration]
    tried: Sequence[Configuration]

    @classmethod
    def prepare(
        cls,
        data: TrainingData,
        kind: str,
        horizon: int,
        in_force: Mapping[str, Configuration],
        *,
        count: int,
        seed: str,
    ) -> HyperparameterSearch | str:
        """A search on `data`, or why it is too early for one."""
        days = len(np.unique(data.day))
        if days < MIN_DAYS:
            return f"{days} decision days, {MIN_DAYS} needed"
        rows = examples(data, horizon, thin=True, limit=MAX_COMPARED)
        tested = len(np.unique(rows.day))
        if tested < 4 * FOLDS * rows.overlap:
            return f"{tested} labelled decision days are too few to be divided into {FOLDS} blocks"
        tried = configurations(count, f"{seed}/{kind}/{horizon}", in_force[kind])
        found = cls(kind, rows, in_force, tried)
        return found if len(found._folds) > 1 else "one block of days can be tested, two are needed"

    @property
    def trials(self) -> list[Trial]:
        """One for each configuration."""
        return [Trial(self.kind, self.rows.horizon, c) for c in self.tried]

    @cached_property
    def _folds(self) -> list[tuple[Examples, Examples]]:
        folds = walk_forward(self.rows.day, self.rows.end, folds=FOLDS, embargo=EMBARGO)
        return [(self.rows.take(f.train), self.rows.take(f.test)) for f in folds]

    def run(self) -> Proposal:
        """Choose on all blocks but the last; judge the chosen one on that, beside what is in force."""
        old = self.in_force[self.kind]
        base = self._losses(old)
        every = [self._losses(configuration) for configuration in self.tried]
        searched = [self._difference(losses, base, slice(None, -1)) for losses in every]
        best = int(np.argmin([gap.mean for gap in searched]))
        judged = self._difference(every[best], base, slice(-1, None))
        accepted = judged.high < 0
        day = self._folds[-1][1].day
        means = [
            mean_difference(day, losses[-1], self.rows.overlap).mean
            for losses in (base, every[best])
        ]
        metric = METRICS[self.kind]
        new = dict(self.tried[best])
        if self.kind == "direction":
            new["calibration"] = list(self._rising(new)[1])
        return Proposal(
            accepted,
            old,
            new,
            {metric: means[0]},
            {metric: means[1], **_interval(judged)},
            f"{metric} {means[1]:.6g} instead of {means[0]:.6g} on {judged.days} unseen decision days:"
            f" {'' if accepted else 'not '}significantly better",
            [
                {"metric": metric, "searched": _interval(gap), "judged": i == best}
                for i, gap in enumerate(searched)
            ],
            [best] if accepted else [],
        )

    def _difference(
        self, losses: list[np.ndarray], base: list[np.ndarray], folds: slice
    ) -> MeanDifference:
        day = np.concatenate([test.day for _, test in self._folds[folds]])
        gap = np.concatenate(losses[folds]) - np.concatenate(base[folds])
        return mean_difference(day, gap, self.rows.overlap)

    def _losses(self, configuration: Configuration) -> list[np.ndarray]:
        """Loss of every tested row, by fold."""
        family, parameters = configuration["family"], configuration["parameters"]
        tests = [test for _, test in self._folds]
        if self.kind == "direction":
            p_up, _ = self._rising(configuration)
            return [brier(p, test.up) for p, test in zip(p_up, tests, strict=True)]
        if self.kind == "time_to_hit":
            return [
                _hit_loss(time_to_hit.fit_time_to_hit(family, train, parameters), test)
                for train, test in self._folds
            ]
        if self.kind == "volatility":
            return [
                volatility_loss(_spread(train, configuration).log_variance(test.x), test)
                for train, test in self._folds
            ]
        return self._price_losses(configuration)

    def _price_losses(self, configuration: Configuration) -> list[np.ndarray]:
        """CRPS of prices whose location follows from the direction in force."""
        losses = []
        for (train, test), (seen, p_up) in zip(self._folds, self._locations, strict=True):
            empirical = configuration["family"] == price.FAMILIES[0]
            spread = None if empirical else _spread(train, configuration)
            fitted = price.fit_price(spread, train.x, train.z, seen)
            quantiles = fitted.quantiles(test.x, p_up)
            losses.append(crps_from_quantiles(quantiles, QUANTILE_LEVELS, test.z))
        return losses

    @cached_property
    def _locations(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """P(up) of the direction in force on the trained and on the tested rows, by fold."""
        rising = self.in_force["direction"]
        seen = [
            direction.probability(_direction(train, rising).logits(train.x))
            for train, _ in self._folds
        ]
        return list(zip(seen, self._rising(rising)[0], strict=True))

    def _rising(self, configuration: Configuration) -> tuple[list[np.ndarray], tuple[float, float]]:
        """P(up) by fold, calibrated on unseen rows known before it, and the calibration on all."""
        scores = [_direction(train, configuration).score.raw(test.x) for train, test in self._folds]
        tests = [test for _, test in self._folds]

        def calibrated(until: np.datetime64 | None, folds: int) -> tuple[float, float]:
            if configuration["family"] == direction.FAMILIES[0] or not folds:
                return UNCALIBRATED
            known = [t.end < until if until is not None else t.up >= 0 for t in tests[:folds]]
            score = np.concatenate([s[k] for s, k in zip(scores[:folds], known, strict=True)])
            up = np.concatenate([t.up[k] for t, k in zip(tests[:folds], known, strict=True)])
            return direction.calibrate(score, up)

        p_up = []
        for number, (score, test) in enumerate(zip(scores, tests, strict=True)):
            intercept, slope = calibrated(test.day[0], number)
            p_up.append(direction.probability(intercept + slope * score))
        return p_up, calibrated(None, len(tests))


def _direction(train: Examples, configuration: Configuration) -> direction.Direction:
    boosting = Boosting(train.x, overrides=configuration["parameters"])
    return direction.fit_direction(configuration["family"], train, boosting)


def _spread(train: Examples, configuration: Configuration) -> volatility.Volatility:
    boosting = Boosting(train.x, overrides=configuration["parameters"])
    return volatility.fit_volatility(configuration["family"], train, boosting)


def _hit_loss(fitted: time_to_hit.TimeToHit, test: Examples) -> np.ndarray:
    above, below = (
        time_to_hit.survival(side.logits(test.x)) for side in (fitted.above, fitted.below)
    )
    return hit_loss(above, below, test)


def _interval(gap: MeanDifference) -> dict[str, float]:
    return {
        "difference": gap.mean,
        "low": gap.low,
        "high": gap.high,
        "days": gap.days,
        "n_eff": gap.n_eff,
    }
