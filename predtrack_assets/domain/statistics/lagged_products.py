"""Sums of lagged products by machine code: what a block variance is made of."""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.numerics.jit import jit


@jit
def weighted_lagged_products(
    values: np.ndarray, weights: np.ndarray, which: np.ndarray
) -> np.ndarray:
    """sum_k weights[which[r], k] * sum_t values[t, r] values[t + k, r] of each column r.

    values float64 (T, R), weights (groups, T), which int64 (R,); returns (R,). Products are added in
    the order of t and those sums in the order of k, so a column's bits do not depend on the others.

    >>> values, weights = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0, 2.0, 0.0]])
    >>> weighted_lagged_products(values, weights, np.array([0])).tolist()  # 14 + 2 * 8
    [30.0]
    """
    length, width = values.shape
    total = np.zeros(width)
    for lag in range(length):
        product = np.zeros(width)
        for t in range(length - lag):
            for r in range(width):
                product[r] += values[t, r] * values[t + lag, r]
        for r in range(width):
            total[r] += weights[which[r], lag] * product[r]
    return total
