"""Calibrated forecasters drawn at random, and how miscalibrated each of them looks, as machine code.

Import inside functions only: Numba takes half a second to load.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from predtrack_assets.domain.compiled import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@compiled
def draw(
    rng: np.random.Generator, said: Floats, group: Ints, rows: int, reps: int
) -> tuple[Ints, Ints]:
    """Counts and hits (reps, G): `rows` of the forecasts drawn with replacement, reps times.

    said (G,): probability of each group; group (n,): which one each forecast is in. Of one uniform
    number the whole part of its n-fold picks a forecast and the rest decides whether it is a hit.
    """
    counts = np.zeros((reps, said.size), np.int64)
    hits = np.zeros((reps, said.size), np.int64)
    for rep in range(reps):
        for _ in range(rows):
            number = rng.random() * group.size
            forecast = int(number)
            g = group[forecast]
            counts[rep, g] += 1
            hits[rep, g] += number - forecast < said[g]
    return counts, hits


@compiled
def miscalibrations(said: Floats, counts: Ints, hits: Ints) -> Floats:
    """CORP's miscalibration (R,) of forecasts said (G,) in order, counts and hits (R, G).

    Mean Brier score less that of the isotonic fit, by pooling adjacent violators in whole numbers.
    """
    found = np.zeros(len(counts))
    block_rows = np.zeros(said.size, np.int64)
    block_hits = np.zeros(said.size, np.int64)
    for r in range(len(counts)):
        rows, last, score = 0, -1, 0.0
        for g in range(said.size):
            n, k = counts[r, g], hits[r, g]
            if n == 0:
                continue
            rows += n
            score += k * (1 - said[g]) ** 2 + (n - k) * said[g] ** 2
            while last >= 0 and block_hits[last] * n >= k * block_rows[last]:
                n, k = n + block_rows[last], k + block_hits[last]
                last -= 1
            last += 1
            block_rows[last], block_hits[last] = n, k
        for b in range(last + 1):
            score -= block_hits[b] * (1 - block_hits[b] / block_rows[b])
        found[r] = max(score / rows, 0.0)
    return found
