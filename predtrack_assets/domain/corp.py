"""CORP: what of a Brier score is miscalibration, what discrimination, what the event's own spread.

Dimitriadis, Gneiting and Jordan (2021): forecasts are recalibrated by isotonic regression, and the
Brier score is MCB - DSC + UNC, all three at least 0. p are probabilities in [0, 1], y outcomes 0/1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESAMPLES = 999
_ROUNDING = 1e-12


class Corp(NamedTuple):
    """Mean Brier score = miscalibration - discrimination + uncertainty; each (R,) of R sets."""

    miscalibration: Floats
    discrimination: Floats
    uncertainty: Floats


def pool_adjacent_violators(count: Ints, hits: Ints, group: Ints) -> tuple[Ints, Ints, Ints]:
    """Isotonic regression of rates within each of many groups: count, hits, group of its blocks.

    Blocks come in the order of the forecast, groups one after the other; a block's value is
    hits / count. All neighbours that do not rise are pooled at once until none is left, which
    gives the same fit as pooling them one by one, and in whole numbers the exact one.
    """
    while True:
        rises = (group[1:] != group[:-1]) | (hits[:-1] * count[1:] < hits[1:] * count[:-1])
        if rises.all():
            return count, hits, group
        first = np.flatnonzero(np.append(True, rises))
        count, hits = np.add.reduceat(count, first), np.add.reduceat(hits, first)
        group = group[first]


def corp_of_sorted(p: Floats, y: Ints, group: Ints, groups: int) -> Corp:
    """Parts of each group's score; rows are sorted by group (0 .. groups - 1), then by p.

    NaN for a group without rows. Forecasts that are equal, and only those, share a block.
    """
    if not p.size:
        return Corp(*np.full((3, groups), np.nan))
    first = np.flatnonzero(np.append(True, (np.diff(p) != 0) | (np.diff(group) != 0)))
    ties = np.diff(np.append(first, p.size)), np.add.reduceat(y, first), group[first]
    count, hits, block_group = pool_adjacent_violators(*ties)
    n = np.bincount(group, minlength=groups).astype(np.float64)
    n[n == 0] = np.nan
    rate = np.bincount(group, y, groups) / n
    uncertainty = rate * (1 - rate)
    recalibrated = np.bincount(block_group, hits * (1 - hits / count), groups) / n
    brier = np.bincount(group, np.square(p - y), groups) / n
    parts = (brier - recalibrated, uncertainty - recalibrated, uncertainty)
    return Corp(*(np.maximum(part, 0.0) for part in parts))


def consistency_p_value(
    p: Floats, miscalibration: float, rows: int, seed: int, reps: int = RESAMPLES
) -> float:
    """p-value of 'p is calibrated': how often a calibrated forecaster's MCB is as large.

    Consistency resampling (Broecker and Smith 2007): `rows` forecasts are drawn from p (n,) with
    replacement and given outcomes y* ~ Bernoulli(p*). rows: how many independent ones the n are
    worth, for the miscalibration of dependent rows is that of fewer.
    """
    rng = np.random.default_rng(seed)
    drawn = np.sort(p)[np.sort(rng.integers(p.size, size=(reps, rows)), axis=1)]
    y = (rng.random((reps, rows)) < drawn).astype(np.int64)
    group = np.repeat(np.arange(reps), rows)
    found = corp_of_sorted(drawn.ravel(), y.ravel(), group, reps).miscalibration
    return float((1 + np.count_nonzero(found >= miscalibration - _ROUNDING)) / (1 + reps))
