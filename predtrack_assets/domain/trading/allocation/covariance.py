"""Covariance of daily returns, shrunk (Ledoit and Wolf 2004), in a fixed order of operations.

Compiled: import it inside functions only.
"""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.numerics.jit import jit
from predtrack_assets.domain.numerics.types import Floats


def shrunk_covariance(returns: Floats) -> Floats:
    """(S, S) of daily returns (S, T), T >= 2; a missing return counts as 0.

    The sample covariance (over T) is pulled toward the mean variance on the diagonal, by the
    intensity that minimises the expected squared error.

    References: Ledoit and Wolf 2004, A well-conditioned estimator for large-dimensional covariance
    matrices, section 3.3.
    """
    return _shrunk(np.ascontiguousarray(np.nan_to_num(returns, nan=0.0)))


@jit
def _shrunk(returns: Floats) -> Floats:
    n, t = returns.shape
    x = np.empty((n, t))
    for i in range(n):
        mean = 0.0
        for k in range(t):
            mean += returns[i, k]
        mean /= t
        for k in range(t):
            x[i, k] = returns[i, k] - mean
    sample = np.empty((n, n))
    for i in range(n):
        for j in range(i + 1):
            total = 0.0
            for k in range(t):
                total += x[i, k] * x[j, k]
            sample[i, j] = sample[j, i] = total / t
    centre = 0.0
    for i in range(n):
        centre += sample[i, i] / n
    distance = 0.0  # of the sample from its target, squared, over n
    for i in range(n):
        for j in range(n):
            off = sample[i, j] - (centre if i == j else 0.0)
            distance += off * off / n
    spread = 0.0  # of the days' own matrices from the sample, squared, over n and t^2
    for k in range(t):
        norm = 0.0
        for i in range(n):
            norm += x[i, k] * x[i, k]
        spread += norm * norm / n / t / t
    squares = 0.0
    for i in range(n):
        for j in range(n):
            squares += sample[i, j] * sample[i, j] / n
    spread -= squares / t
    weight = 0.0 if distance <= 0.0 else min(max(spread, 0.0) / distance, 1.0)
    for i in range(n):
        for j in range(n):
            sample[i, j] *= 1.0 - weight
        sample[i, i] += weight * centre
    return sample


@jit
def cluster_variance(covariance: Floats, members: np.ndarray) -> float:
    """Variance of the inverse-variance portfolio of some rows."""
    total = 0.0
    for i in members:
        total += 1.0 / covariance[i, i]
    found = 0.0
    for i in members:
        for j in members:
            found += covariance[i, j] / covariance[i, i] / covariance[j, j]
    return found / total / total
