"""Which features can be left out: those without significant importance, if it does no harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from predtrack_assets.domain.models.learners.comparison import mean_difference
from predtrack_assets.domain.models.learners.importance import permutation_importance
from predtrack_assets.domain.models.learners.losses import METRICS, losses
from predtrack_assets.domain.models.learners.pooled import (
    FAMILIES,
    HorizonModels,
    PooledFit,
    chosen_families,
    fit_horizon,
)
from predtrack_assets.domain.models.learners.selection import EMBARGO, MIN_DAYS
from predtrack_assets.domain.models.learners.training_data import TrainingData, examples
from predtrack_assets.domain.models.learners.tuned import Tuned
from predtrack_assets.domain.models.tuning import Proposal, Trial

SHARES = (0.6, 0.8)
"""Of the decision days: fitted until the first, importances until the second, judged after it."""
MARGIN = 0.01  # of the loss: a smaller set may seem worse by no more than that


@dataclass(frozen=True)
class FeatureSelection:
    """Ready to run for all kinds and horizons; data: already without what is left out by `tuned`.

    choices: families and calibrations in force, the same with and without the features.
    """

    data: TrainingData
    horizons: Sequence[int]
    choices: Mapping[str, object] | None
    tuned: Tuned

    @classmethod
    def prepare(
        cls,
        data: TrainingData,
        horizons: Sequence[int],
        choices: Mapping[str, object] | None,
        tuned: Tuned,
    ) -> FeatureSelection | str:
        """A selection on `data`, or why there is nothing to select."""
        days = len(np.unique(data.day))
        if days < MIN_DAYS:
            return f"{days} decision days, {MIN_DAYS} needed"
        found = cls(tuned.mask(data), horizons, choices, tuned)
        if not found._useful:
            return "no feature has a significant importance: there is nothing to keep"
        if not found.left_out:
            return "every feature in use has a significant importance"
        return found

    @cached_property
    def _cuts(self) -> tuple[np.datetime64, np.datetime64]:
        days = np.unique(self.data.day)
        first, second = (days[round(share * len(days)) - 1] for share in SHARES)
        return first, second

    @cached_property
    def _useful(self) -> list[str]:
        """Features whose importance to some kind and horizon is significantly positive.

        Measured between the two cuts, on a fit to what was known at the first.
        """
        first, second = self._cuts
        fit = self._fit(self.data, first)
        between = self.data.known_by(second)
        between = between.take(between.day > _embargoed(between.day, first))
        found = permutation_importance(fit, between)
        return sorted({i.feature for i in found if i.low > 0} & set(self.data.columns))

    @property
    def left_out(self) -> list[str]:
        """Features in use that are left out, in their order."""
        columns = self.data.columns
        known = np.isfinite(self.data.features).any(axis=0)
        return [c for c, k in zip(columns, known, strict=True) if k and c not in self._useful]

    @property
    def trials(self) -> list[Trial]:
        """The smaller set, for every kind and horizon."""
        configuration = {"family": "features", "without": self.left_out}
        return [Trial(kind, h, configuration) for h in self.horizons for kind in FAMILIES]

    def run(self) -> Proposal:
        """Compare fits with and without the features on the days after the second cut.

        Harmless is what is not significantly worse and does not seem worse by more than MARGIN.
        """
        _, second = self._cuts
        smaller = Tuned(self.tuned.of, sorted({*self.tuned.without, *self.left_out}))
        full, reduced = (self._fit(d, second) for d in (self.data, smaller.mask(self.data)))
        later = self.data.take(self.data.day > _embargoed(self.data.day, second))
        results, before, after = [], {}, {}
        for horizon in self.horizons:
            rows = examples(later, horizon, thin=True)
            for kind in FAMILIES:
                base = losses(full.models[horizon], rows, kind)
                gap = losses(reduced.models[horizon], rows, kind) - base
                found = mean_difference(rows.day, gap, rows.overlap)
                limit = MARGIN * abs(float(base.mean()))
                results.append(
                    {
                        "metric": METRICS[kind],
                        "difference": found.mean,
                        "low": found.low,
                        "high": found.high,
                        "limit": limit,
                        "days": found.days,
                        "harmless": bool(found.low <= 0 and found.mean <= limit),
                    }
                )
                name = f"{kind}.{horizon}.{METRICS[kind]}"
                before[name], after[name] = float(base.mean()), float((base + gap).mean())
        harmed = sum(not r["harmless"] for r in results)
        return Proposal(
            not harmed,
            {"without": list(self.tuned.without)},
            {"without": list(smaller.without)},
            before,
            after,
            f"without {len(self.left_out)} features, no worse for {len(results) - harmed} of"
            f" {len(results)} kinds and horizons",
            results,
            [] if harmed else list(range(len(results))),
        )

    def _fit(self, data: TrainingData, cutoff: np.datetime64) -> PooledFit:
        """Models of the families in force, fitted to what was known at an earlier cutoff."""
        known = data.known_by(cutoff)
        models: dict[int, HorizonModels] = {}
        family: dict[str, dict[int, str]] = {kind: {} for kind in FAMILIES}
        for horizon in self.horizons:
            chosen, calibration = chosen_families(self.tuned.choices(self.choices), horizon)
            rows = examples(known, horizon, thin=True)
            models[horizon] = fit_horizon(rows, chosen, calibration, self.tuned.at(horizon))
            for kind, name in chosen.items():
                family[kind][horizon] = name
        return PooledFit(cutoff, known.columns, models, family)


def _embargoed(day: np.ndarray, cutoff: np.datetime64) -> np.datetime64:
    """The last decision day that is still too near to the cutoff."""
    days = np.unique(day)
    after = int(np.searchsorted(days, cutoff, side="right")) - 1 + EMBARGO
    nearest: np.datetime64 = days[min(after, len(days) - 1)]
    return nearest
