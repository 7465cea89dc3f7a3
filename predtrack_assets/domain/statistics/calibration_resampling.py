"""Calibrated forecasters drawn at random, and how miscalibrated each of them looks, as machine code.

Import inside functions only: Numba takes half a second to load.
"""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.numerics.jit import jit
from predtrack_assets.domain.numerics.types import Floats, Ints


@jit
def miscalibration(probability: Floats, counts: Ints, hits: Ints) -> float:
    """CORP's miscalibration of forecast probabilities p (G,) in order, given counts and hits (G,).

    Mean Brier score less that of the isotonic fit, by pooling adjacent violators in whole numbers.

    >>> round(miscalibration(np.array([0.2, 0.8]), np.array([10, 10]), np.array([2, 8])), 6)
    0.0
    """
    block_rows = np.zeros(probability.size, np.int64)
    block_hits = np.zeros(probability.size, np.int64)
    rows, last, score = 0, -1, 0.0
    for g in range(probability.size):
        n, k = counts[g], hits[g]
        if n == 0:
            continue
        rows += n
        score += k * (1 - probability[g]) ** 2 + (n - k) * probability[g] ** 2
        while last >= 0 and block_hits[last] * n >= k * block_rows[last]:
            n, k = n + block_rows[last], k + block_hits[last]
            last -= 1
        last += 1
        block_rows[last], block_hits[last] = n, k
    for b in range(last + 1):
        score -= block_hits[b] * (1 - block_hits[b] / block_rows[b])
    return max(score / rows, 0.0)


@jit
def calibrated(
    rng: np.random.Generator, probability: Floats, group: Ints, rows: int, reps: int
) -> Floats:
    """Miscalibrations (reps,) of `rows` calibrated forecasts, drawn with replacement each time.

    p (G,): probability of each group; group (n,): which one each forecast is in. Of one uniform
    number the whole part of its n-fold picks a forecast and the rest decides whether it is a hit.

    >>> rng = np.random.default_rng(0)
    >>> found = calibrated(rng, np.array([0.2, 0.8]), np.array([0, 0, 1, 1]), 4, 3)
    >>> found.shape, bool((found >= 0).all())
    ((3,), True)
    """
    found = np.zeros(reps)
    for rep in range(reps):
        counts = np.zeros(probability.size, np.int64)
        hits = np.zeros(probability.size, np.int64)
        for _ in range(rows):
            number = rng.random() * group.size
            forecast = int(number)
            g = group[forecast]
            counts[g] += 1
            hits[g] += number - forecast < probability[g]
        found[rep] = miscalibration(probability, counts, hits)
    return found


@jit
def miscalibrations(probability: Floats, counts: Ints, hits: Ints) -> Floats:
    """`miscalibration` (R,) of many counts and hits (R, G).

    >>> counts, hits = np.array([[10, 10], [10, 10]]), np.array([[2, 8], [8, 2]])
    >>> miscalibrations(np.array([0.2, 0.8]), counts, hits).round(2).tolist()
    [0.0, 0.27]
    """
    found = np.zeros(len(counts))
    for r in range(len(counts)):
        found[r] = miscalibration(probability, counts[r], hits[r])
    return found
