"""Calibration error over buckets of equally many rows, without what sampling alone would show.

A bucket's rows count by what they are worth: n_eff of a set, shared out in proportion. Formulas
are in `calibration`, whose measures these are for many sets at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from predtrack_assets.domain.numerics.types import Floats, Ints
from predtrack_assets.domain.statistics.effective_size import normal_quantile

BUCKETS = 10
ROWS_PER_BUCKET = 10  # effective rows that a bucket must have
UPPER_LEVEL = 0.90


class EqualMass(NamedTuple):
    """Debiased squared error, upper bound of its root, and ECE, over equal-mass buckets; (R,)."""

    squared: Floats
    upper: Floats
    ece: Floats


def ordered(p: Floats, y: Floats) -> Ints:
    """Probability and outcome in one number, so that a plain sort orders both.

    Doubles >= 0 order like their bits, and those up to 1 leave the highest bit but the sign free.

    >>> probability(np.sort(ordered(np.array([0.7, 0.2]), np.array([1.0, 0.0])))).tolist()
    [0.2, 0.7]
    """
    return (p + 0.0).view(np.int64) << 1 | (y > 0)


def probability(keys: Ints) -> Floats:
    """The probabilities in `ordered`.

    >>> probability(ordered(np.array([0.25]), np.array([1.0]))).tolist()
    [0.25]
    """
    return (keys >> 1).view(np.float64)


def equal_mass(keys: Ints, size: Ints, n_eff: Floats) -> EqualMass:
    """Of sorted keys (R, L), each row filled up with the maximum after its `size` keys.

    >>> keys = np.sort(ordered(np.full(40, 0.5), np.tile([0.0, 1.0], 20)))[None]
    >>> equal_mass(keys, np.array([40]), np.array([40.0])).ece.tolist()
    [0.0]
    """
    position = np.arange(keys.shape[1])
    inside = position < size[:, None]
    hits = np.cumsum(np.where(inside, keys & 1, 0), axis=1)
    confidence = np.cumsum(np.where(inside, probability(keys), 0.0), axis=1)
    tied = np.diff(keys >> 1, axis=1, prepend=-1) == 0
    tie_start = np.maximum.accumulate(np.where(tied, 0, position), axis=1)

    n_buckets = np.clip(n_eff // ROWS_PER_BUCKET, 1, BUCKETS).astype(np.int64)
    squared, gaps, a, c = np.zeros((4, len(size)))
    z2 = normal_quantile(UPPER_LEVEL) ** 2
    row = np.arange(len(size))
    start = np.zeros(len(size), np.int64)
    for bucket in range(1, BUCKETS + 1):
        nominal = np.minimum(bucket * size // n_buckets, size)
        stop = np.where(nominal < size, tie_start[row, np.minimum(nominal, size - 1)], size)
        n = stop - start
        m = np.maximum(n, 1)
        rate, mean_confidence = (
            _between(total, row, start, stop) / m for total in (hits, confidence)
        )
        effective = m * n_eff / size
        weight = n / size
        noise = rate * (1 - rate) / np.maximum(effective - 1, 1)
        squared += weight * (np.square(rate - mean_confidence) - noise)
        gaps += weight * np.abs(rate - mean_confidence)
        smooth = (rate * effective + 2) / (effective + 4)
        variance = smooth * (1 - smooth) / effective
        a += np.square(weight) * variance
        c += np.square(weight * variance)
        start = stop
    centre = np.maximum(squared, 0.0) + 2 * a * z2
    spread = np.sqrt(np.square(centre) - np.square(np.maximum(squared, 0.0)) + 2 * c * z2)
    return EqualMass(squared, np.sqrt(np.minimum(centre + spread, 1.0)), gaps)


def _between(totals: Floats | Ints, row: Ints, start: Ints, stop: Ints) -> Floats:
    """Sum of the entries start .. stop - 1 of each row, from its running totals."""
    upper, lower = (np.where(i > 0, totals[row, np.maximum(i - 1, 0)], 0) for i in (stop, start))
    return (upper - lower).astype(np.float64)
