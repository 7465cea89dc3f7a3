"""Which places models may hold: ranks that their intervals can tell apart, and no finer ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ranks = NDArray[np.int64]


def rank_intervals(low: ArrayLike, high: ArrayLike) -> tuple[Ranks, Ranks]:
    """Best and worst rank of each of n figures, larger is better, from their intervals (n,).

    One is surely ahead of another when its interval lies above the other's. An unknown interval
    (NaN) can be told apart from none. Intervals each hold at their own level; ranks of many
    figures at once hold at a lower one.

    >>> best, worst = rank_intervals([0.1, -0.2, 0.0], [0.3, -0.1, 0.2])
    >>> best.tolist(), worst.tolist()
    ([1, 3, 1], [2, 3, 2])
    """
    below, above = np.asarray(low, np.float64), np.asarray(high, np.float64)
    with np.errstate(invalid="ignore"):
        ahead = below[:, None] > above[None, :]  # of column by row
    return 1 + ahead.sum(axis=0), below.size - ahead.sum(axis=1)
