"""Which family each kind of prediction uses: the simpler one stays until another is significantly better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS
from predtrack_assets.domain.models.learners import direction, price, time_to_hit, volatility
from predtrack_assets.domain.models.learners.boosting import Boosting
from predtrack_assets.domain.models.learners.comparison import mean_difference
from predtrack_assets.domain.models.learners.direction import UNCALIBRATED, Direction
from predtrack_assets.domain.models.learners.losses import (
    METRICS,
    hit_loss,
    no_change_loss,
    volatility_loss,
)
from predtrack_assets.domain.models.learners.pooled import FAMILIES
from predtrack_assets.domain.models.learners.training_data import Examples, TrainingData, examples
from predtrack_assets.domain.models.learners.volatility import Volatility
from predtrack_assets.domain.models.walk_forward import walk_forward
from predtrack_assets.domain.statistics.scoring_rules import brier, crps_from_quantiles

FOLDS = 4
MIN_DAYS = 250  # decision days below which nothing is compared and the simplest families are used
MAX_COMPARED = 50_000  # examples; many symbols on one day say little more than some of them
EMBARGO = 1  # decision days beyond the last label before a test block


EVERY_REGIME = "all"


@dataclass(frozen=True)
class Skill:
    """Mean score beside that of no_change on the same rows; both are means over decision dates.

    skill: 1 - score / baseline, with the 95 % interval of their difference, None below two lengths
    of an outcome. n: rows; n_eff: what their dates are worth.
    """

    score: float
    baseline: float
    skill: float
    skill_low: float | None
    skill_high: float | None
    days: int
    n: int
    n_eff: float


@dataclass(frozen=True)
class Trial:
    """A family evaluated out of sample by purged walk-forward.

    by_regime: its Skill on all decision days (EVERY_REGIME) and on those of each market regime;
    empty where nothing could be validated. difference, low, high: from the score of `against`, the
    best of the simpler families, with its 95 % interval; None for the simplest. chosen: used in
    the end; reason: why, or why not.
    """

    kind: str
    horizon: int
    family: str
    metric: str
    chosen: bool
    reason: str
    against: str | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    by_regime: Mapping[str, Skill] = field(default_factory=dict)

    @property
    def validated(self) -> bool:
        """Whether there were rows to evaluate it on."""
        return EVERY_REGIME in self.by_regime

    def summary(self) -> dict[str, Any]:
        """The trial on all days as plain JSON, None for what was not measured."""
        own = {k: v for k, v in vars(self).items() if k != "by_regime"}
        whole = self.by_regime.get(EVERY_REGIME)
        names = Skill.__dataclass_fields__
        return own | (asdict(whole) if whole else {**dict.fromkeys(names), "days": 0, "n": 0})


Regimes = Mapping[np.datetime64, str]
"""Market regime by decision day (datetime64[D]), as known on that day."""


def candidates(horizons: tuple[int, ...]) -> list[tuple[str, int, str]]:
    """Every (kind, horizon, family) that `choose_families` evaluates, in its order."""
    return [(k, h, f) for h in horizons for k, families in FAMILIES.items() for f in families]


def choose_families(
    data: TrainingData,
    horizons: tuple[int, ...],
    cutoff: np.datetime64,
    regimes: Regimes | None = None,
) -> tuple[dict[str, Any], list[Trial]]:
    """Choose by purged, embargoed, expanding walk-forward over what was known at `cutoff`.

    A family replaces a simpler one where the 95 % interval of their mean loss difference lies
    below zero; where nothing can be validated the simplest is used. `regimes` only add scores to
    the trials. Returns choices for `fit_pooled` (plain JSON: cutoff, columns, families,
    calibration, scores) and the trials in the order of `candidates`. Raises ValueError where a
    label ends or a row is decided after the cutoff.
    """
    data.refuse_after(cutoff)
    trials: list[Trial] = []
    calibration = {}
    for horizon in horizons:
        found, calibration[str(horizon)] = _choose(
            examples(data, horizon, thin=True, limit=MAX_COMPARED),
            len(np.unique(data.day)),
            regimes or {},
        )
        trials += found
    families: dict[str, dict[str, str]] = {kind: {} for kind in FAMILIES}
    for trial in trials:
        if trial.chosen:
            families[trial.kind][str(trial.horizon)] = trial.family
    choices = {
        "cutoff": str(cutoff.astype("datetime64[D]")),
        "columns": list(data.columns),
        "families": families,
        "calibration": calibration,
        "scores": [trial.summary() for trial in trials],
    }
    return choices, trials


@dataclass(frozen=True)
class _Fitted:
    """A fold with its models of the kinds that several families compete in."""

    train: Examples
    test: Examples
    directions: Mapping[str, Direction]
    spreads: Mapping[str, Volatility]


def _choose(rows: Examples, days: int, regimes: Regimes) -> tuple[list[Trial], list[float]]:
    """Trials of one horizon, and the calibration of its direction; days: before thinning."""
    folds, lacking = _folds(rows, days)
    if lacking:
        untried = [t for kind in FAMILIES for t in _untried(rows.horizon, kind, lacking)]
        return untried, list(UNCALIBRATED)
    p_up, calibration = _calibrated(folds)
    up = np.concatenate([fold.test.up for fold in folds])
    losses: dict[str, dict[str, np.ndarray]] = {}
    losses["direction"] = {family: brier(p, up) for family, p in p_up.items()}
    losses["volatility"] = {f: _over(folds, _volatility_loss, f) for f in volatility.FAMILIES}
    losses["time_to_hit"] = {f: _over(folds, _hit_loss, f) for f in time_to_hit.FAMILIES}
    compared = {k: _compare(folds, k, v, regimes) for k, v in losses.items()}
    rising = next(t.family for t in compared["direction"] if t.chosen)
    slices = np.cumsum([len(fold.test) for fold in folds])[:-1]
    parts = np.split(p_up[rising], slices)
    losses["price"] = {
        family: np.concatenate(
            [_price_loss(f, family, rising, p) for f, p in zip(folds, parts, strict=True)]
        )
        for family in price.FAMILIES
    }
    compared["price"] = _compare(folds, "price", losses["price"], regimes)
    return [t for kind in FAMILIES for t in compared[kind]], list(calibration[rising])


def _folds(rows: Examples, days: int) -> tuple[list[_Fitted], str]:
    """The folds with their models, or none and what was lacking."""
    if days < MIN_DAYS:
        return [], f"{days} decision days, {MIN_DAYS} needed"
    labelled = len(np.unique(rows.day))
    if labelled < 2 * FOLDS:
        return [], f"{labelled} days with known outcomes, {2 * FOLDS} needed"
    folds = walk_forward(rows.day, rows.end, folds=FOLDS, embargo=EMBARGO)
    if not folds:
        return [], "no outcome was known before any of the test blocks"
    return [_fit_fold(rows.take(fold.train), rows.take(fold.test)) for fold in folds], ""


def _over(
    folds: list[_Fitted], loss: Callable[[_Fitted, str], np.ndarray], family: str
) -> np.ndarray:
    return np.concatenate([loss(fold, family) for fold in folds])


def _fit_fold(train: Examples, test: Examples) -> _Fitted:
    boosting = Boosting(train.x)
    return _Fitted(
        train,
        test,
        {f: direction.fit_direction(f, train, boosting) for f in direction.FAMILIES},
        {f: volatility.fit_volatility(f, train, boosting) for f in volatility.FAMILIES},
    )


def _calibrated(
    folds: list[_Fitted],
) -> tuple[dict[str, np.ndarray], dict[str, tuple[float, float]]]:
    """Per family P(up) of the tested rows, each fold calibrated on the unseen rows known before it,
    and the calibration on all of them."""
    p_up, final = {}, {}
    for family in direction.FAMILIES:
        scores = [fold.directions[family].score.raw(fold.test.x) for fold in folds]
        parts = []
        for i, fold in enumerate(folds):
            known = [past.test.end < fold.test.day[0] for past in folds[:i]]
            fitted = _calibrate(family, scores[:i], [f.test for f in folds[:i]], known)
            parts.append(direction.probability(fitted[0] + fitted[1] * scores[i]))
        p_up[family] = np.concatenate(parts)
        every = [np.ones(len(s), dtype=bool) for s in scores]
        final[family] = _calibrate(family, scores, [fold.test for fold in folds], every)
    return p_up, final


def _calibrate(
    family: str, scores: list[np.ndarray], tests: list[Examples], known: list[np.ndarray]
) -> tuple[float, float]:
    if family == direction.FAMILIES[0] or not scores:
        return UNCALIBRATED
    score = np.concatenate([s[k] for s, k in zip(scores, known, strict=True)])
    up = np.concatenate([t.up[k] for t, k in zip(tests, known, strict=True)])
    return direction.calibrate(score, up)


def _volatility_loss(fold: _Fitted, family: str) -> np.ndarray:
    return volatility_loss(fold.spreads[family].log_variance(fold.test.x), fold.test)


def _hit_loss(fold: _Fitted, family: str) -> np.ndarray:
    fitted = time_to_hit.fit_time_to_hit(family, fold.train)
    above = time_to_hit.survival(fitted.above.logits(fold.test.x))
    below = time_to_hit.survival(fitted.below.logits(fold.test.x))
    return hit_loss(above, below, fold.test)


def _price_loss(fold: _Fitted, family: str, rising: str, p_up: np.ndarray) -> np.ndarray:
    spread = None if family == price.FAMILIES[0] else fold.spreads[family]
    seen = direction.probability(fold.directions[rising].logits(fold.train.x))
    fitted = price.fit_price(spread, fold.train.x, fold.train.z, seen)
    quantiles = fitted.quantiles(fold.test.x, p_up)
    return crps_from_quantiles(quantiles, QUANTILE_LEVELS, fold.test.z)


def _untried(horizon: int, kind: str, lacking: str) -> list[Trial]:
    """The simplest family of a kind by default, because nothing could be validated."""
    simplest = FAMILIES[kind][0]
    return [
        Trial(kind, horizon, family, METRICS[kind], family == simplest, f"not validated: {lacking}")
        for family in FAMILIES[kind]
    ]


def _compare(
    folds: list[_Fitted], kind: str, losses: Mapping[str, np.ndarray], regimes: Regimes
) -> list[Trial]:
    """Climb from the simplest family to the most complex one that is significantly better."""
    day = np.concatenate([fold.test.day for fold in folds])
    overlap = folds[0].test.overlap
    baseline = np.concatenate([no_change_loss(kind, fold.test) for fold in folds])
    simplest = best = FAMILIES[kind][0]
    found: list[dict[str, Any]] = []
    for family in FAMILIES[kind]:
        facts: dict[str, Any] = {"family": family, "reason": "the simplest"}
        facts["by_regime"] = _by_regime(day, losses[family], baseline, overlap, regimes)
        if family != simplest:
            gap = mean_difference(day, losses[family] - losses[best], overlap)
            better = gap.high < 0
            facts["reason"] = f"{'' if better else 'not '}significantly better than {best}"
            facts |= {"against": best, "difference": gap.mean, "low": gap.low, "high": gap.high}
            best = family if better else best
        found.append(facts)
    horizon = folds[0].test.horizon
    return [
        Trial(kind, horizon, metric=METRICS[kind], chosen=f["family"] == best, **f) for f in found
    ]


def _by_regime(
    day: np.ndarray, loss: np.ndarray, baseline: np.ndarray, overlap: int, regimes: Regimes
) -> dict[str, Skill]:
    """Skill of losses (n,) beside baseline losses (n,) on all days and on those of each regime."""
    days, position = np.unique(day, return_inverse=True)
    names = np.array([regimes.get(one, "") for one in days])[position]
    rows = {EVERY_REGIME: np.ones(len(day), dtype=bool)}
    rows |= {str(name): names == name for name in np.unique(names) if name}
    return {
        name: _skill(day[chosen], loss[chosen], baseline[chosen], overlap)
        for name, chosen in rows.items()
    }


def _skill(day: np.ndarray, loss: np.ndarray, baseline: np.ndarray, overlap: int) -> Skill:
    level = mean_difference(day, baseline, overlap).mean
    gain = mean_difference(day, baseline - loss, overlap)
    bounded = gain.days >= 2 * overlap
    return Skill(
        score=level - gain.mean,
        baseline=level,
        skill=gain.mean / level,
        skill_low=gain.low / level if bounded else None,
        skill_high=gain.high / level if bounded else None,
        days=gain.days,
        n=len(day),
        n_eff=gain.n_eff,
    )
