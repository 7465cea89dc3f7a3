"""What each feature is worth to a fit: the loss added when its values are shuffled (Breiman 2001)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from predtrack_assets.domain.models.learners.comparison import mean_difference
from predtrack_assets.domain.models.learners.losses import losses
from predtrack_assets.domain.models.learners.pooled import FAMILIES, HorizonModels, PooledFit
from predtrack_assets.domain.models.learners.training_data import (
    OWN_COLUMNS,
    TrainingData,
    examples,
)


@dataclass(frozen=True)
class Importance:
    """Increase of the mean loss of a kind when `feature` is shuffled, with its 95 % interval.

    All zero where the fit does not use the feature. loss: the mean loss with the feature as it is.
    """

    kind: str
    horizon: int
    feature: str
    importance: float
    low: float
    high: float
    loss: float


def permutation_importance(
    fit: PooledFit, data: TrainingData, *, repeats: int = 1, seed: int = 0
) -> list[Importance]:
    """Importance of every feature to every kind and horizon on rows that the fit has not seen.

    data: rows decided after the fit's cutoff; ValueError where one is not, where the columns
    differ, or where no label is known. The shuffle of a feature is the same for all kinds and is
    set by `seed`, the horizon and the feature's number alone; `repeats` of them are averaged. Losses
    are averaged per date, and the interval takes account of overlapping outcomes.
    """
    if (data.day <= fit.cutoff).any():
        raise ValueError(f"rows decided by the cutoff {fit.cutoff} have been seen by the fit")
    if data.columns != fit.columns:
        raise ValueError("the models were fitted to other columns")
    return [
        found
        for models in fit.models.values()
        for found in _of_horizon(models, data, repeats, seed)
    ]


def used_columns(models: HorizonModels, kind: str) -> set[int]:
    """Numbers of the columns (features, then OWN_COLUMNS) that a kind's prediction depends on."""
    if kind == "direction":
        return set(models.direction.used)
    if kind == "time_to_hit":
        return set(models.time_to_hit.used)
    if kind == "volatility":
        return set(models.volatility.used)
    return set(models.price.used) | set(models.direction.used)


def _of_horizon(
    models: HorizonModels, data: TrainingData, repeats: int, seed: int
) -> list[Importance]:
    rows = examples(data, models.horizon, thin=True)
    if not len(rows):
        raise ValueError(f"no labelled rows for horizon {models.horizon}")
    base = {kind: losses(models, rows, kind) for kind in FAMILIES}
    used = {kind: used_columns(models, kind) for kind in FAMILIES}
    found = []
    for j, feature in enumerate((*data.columns, *OWN_COLUMNS)):
        kinds = [kind for kind in FAMILIES if j in used[kind]]
        added = {kind: np.zeros(len(rows)) for kind in FAMILIES}
        random = np.random.default_rng([seed, models.horizon, j])
        for _ in range(repeats if kinds else 0):
            x = rows.x.copy()
            x[:, j] = random.permutation(x[:, j])
            shuffled = replace(rows, x=x)
            for kind in kinds:
                added[kind] += (losses(models, shuffled, kind) - base[kind]) / repeats
        for kind in FAMILIES:
            gap = mean_difference(rows.day, added[kind], rows.overlap)
            found.append(
                Importance(
                    kind,
                    models.horizon,
                    feature,
                    gap.mean,
                    gap.low,
                    gap.high,
                    float(base[kind].mean()),
                )
            )
    return found
