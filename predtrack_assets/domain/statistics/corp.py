"""CORP: what of a Brier score is miscalibration, what discrimination, what the event's own spread.

Dimitriadis, Gneiting and Jordan (2021): forecasts are recalibrated by isotonic regression, and the
Brier score is MCB - DSC + UNC, all three at least 0. p are probabilities in [0, 1], y outcomes 0/1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from predtrack_assets.domain.numerics.types import Floats, Ints

RESAMPLES = 999
GROUPS = 1_000  # of forecasts, in a test
DRAWN = 10_000  # rows that are drawn one by one
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

    >>> count, hits, group = np.array([2, 2]), np.array([2, 1]), np.array([0, 0])
    >>> [blocks.tolist() for blocks in pool_adjacent_violators(count, hits, group)]
    [[4], [3], [0]]
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

    >>> parts = corp_of_sorted(np.array([0.2, 0.8]), np.array([0, 1]), np.zeros(2, int), 1)
    >>> [round(float(part[0]), 3) for part in parts]
    [0.04, 0.25, 0.25]
    """
    if not p.size:
        return Corp(*np.full((3, groups), np.nan))
    first = np.flatnonzero(np.append(True, (np.diff(p) != 0) | (np.diff(group) != 0)))
    count, hits = np.diff(np.append(first, p.size)), np.add.reduceat(y, first)
    return _corp_of_blocks(p[first], count, hits, group[first], groups)


def consistency_p_value(p: Floats, y: Ints, rows: int, seed: int, reps: int = RESAMPLES) -> float:
    """p-value of 'p is calibrated': how often a calibrated forecaster's MCB is as large.

    Consistency resampling (Broecker and Smith 2007): `rows` forecasts are drawn from p (n,) with
    replacement and given outcomes ~ Bernoulli(p). rows: how many independent ones the n are worth,
    for the miscalibration of dependent rows is that of fewer. Forecasts are taken in 1,000 groups of
    about equally many, equal ones in one, and beyond 10,000 rows are drawn by the group, so that no
    test takes longer than that.

    >>> consistency_p_value(np.full(100, 0.9), np.tile([0, 1], 50), rows=100, seed=0)
    0.001
    """
    from predtrack_assets.domain.statistics.calibration_resampling import (
        calibrated,
        miscalibration,
        miscalibrations,
    )

    order = np.argsort(p, kind="stable")
    p, y = p[order], y[order]
    first = np.flatnonzero(np.diff(p, prepend=-1))
    first = first[np.flatnonzero(np.diff(first * GROUPS // p.size, prepend=-1))]
    count = np.diff(np.append(first, p.size))
    probability = np.clip(np.add.reduceat(p, first) / count, 0, 1)
    rng = np.random.default_rng(seed)
    if rows <= DRAWN:
        found = calibrated(
            rng, probability, np.repeat(np.arange(probability.size), count), rows, reps
        )
    else:
        counts = rng.multinomial(rows, count / p.size, size=reps)
        found = miscalibrations(probability, counts, rng.binomial(counts, probability))
    observed = miscalibration(probability, count, np.add.reduceat(y, first))
    as_bad = np.count_nonzero(found >= observed - _ROUNDING)
    return float((1 + as_bad) / (1 + reps))


def _corp_of_blocks(p: Floats, count: Ints, hits: Ints, group: Ints, groups: int) -> Corp:
    """As `corp_of_sorted`, of blocks of `count` rows with the same p and so many hits."""

    def total(values: Floats, of: Ints) -> Floats:
        return np.asarray(np.bincount(of, values, groups), np.float64)

    n = total(count.astype(np.float64), group)
    n[n == 0] = np.nan
    rate = total(hits.astype(np.float64), group) / n
    uncertainty = rate * (1 - rate)
    brier = total(hits * np.square(1 - p) + (count - hits) * np.square(p), group) / n
    count, hits, group = pool_adjacent_violators(count, hits, group)
    recalibrated = total(hits * (1 - hits / count), group) / n
    parts = (brier - recalibrated, uncertainty - recalibrated, uncertainty)
    return Corp(*(np.maximum(part, 0.0) for part in parts))
