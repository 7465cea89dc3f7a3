"""Mean of a loss difference over decision dates, with an interval for its dependence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from predtrack_assets.domain.statistics.diebold_mariano import mean_interval
from predtrack_assets.domain.statistics.effective_size import effective_sample_size


@dataclass(frozen=True)
class MeanDifference:
    """mean and its two-sided 95 % interval; days: dates averaged; n_eff: what they are worth."""

    mean: float
    low: float
    high: float
    days: int
    n_eff: float


def mean_difference(day: np.ndarray, difference: np.ndarray, overlap: int) -> MeanDifference:
    """Compare losses of the same rows: difference (n,) of rows decided on day (n,).

    Averaged over the rows of each date first; then Student's interval with the standard error of
    n_eff dates, where outcomes of `overlap` consecutive dates share days.
    """
    days, position, counts = np.unique(day, return_inverse=True, return_counts=True)
    daily = np.bincount(position, weights=difference, minlength=len(days)) / counts
    mean = float(daily.mean())
    if len(days) < 2 or np.ptp(daily) == 0.0:
        return MeanDifference(mean, mean, mean, len(days), float(len(days)))
    squares = float(np.square(daily).sum())
    n_eff = effective_sample_size(daily, np.ones(len(days)), overlap, squares)
    blocks = max(len(days) / overlap, 2.0)  # fewer have no interval: then the widest there is
    low, high = mean_interval(mean, daily.std(ddof=1), n_eff, blocks)
    return MeanDifference(mean, float(low), float(high), len(days), n_eff)
