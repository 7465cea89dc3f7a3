"""Engle-Granger tests of all pairs at once, in a fixed order of operations (Engle and Granger 1987).

Compiled: import it inside functions only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from predtrack_assets.domain.numerics.jit import jit
from predtrack_assets.domain.numerics.types import Floats

# MacKinnon (1996), two variables and a constant: asymptotic p = Phi(polynomial of the statistic).
_STAR, _LOWEST, _HIGHEST = -2.62, -18.86, 0.92
_SMALL = (2.92, 1.5012, 0.039796)
_LARGE = (2.1945, 0.64695, -0.29198, -0.042377)


def screen(levels: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Every pair (P, 2) of rows i < j of log prices (S, T), and (P, 5) of each.

    Columns: the test's statistic, intercept, slope of i on j, mean and standard deviation of the
    residual. The residuals' Dickey-Fuller regression has one lag and no constant.
    """
    return _screen(np.ascontiguousarray(levels, np.float64))


def p_values(statistic: Floats) -> Floats:
    """Asymptotic p-values of Engle-Granger statistics of two variables with a constant.

    References: MacKinnon 1996, Numerical distribution functions for unit root and cointegration tests.
    """
    from scipy.special import ndtr

    s = np.asarray(statistic, np.float64)
    small = np.polynomial.polynomial.polyval(s, _SMALL)
    large = np.polynomial.polynomial.polyval(s, _LARGE)
    found = ndtr(np.where(s <= _STAR, small, large))
    return np.where(s > _HIGHEST, 1.0, np.where(s < _LOWEST, 0.0, found))


@jit
def log_prices(returns: Floats) -> Floats:
    """Running sums of log(1 + r), (S, T)."""
    found = np.empty(returns.shape)
    for row in range(returns.shape[0]):
        total = 0.0
        for day in range(returns.shape[1]):
            total += np.log1p(returns[row, day])
            found[row, day] = total
    return found


@jit
def _screen(x: Floats) -> tuple[NDArray[np.int64], Floats]:
    size, t = x.shape
    pairs = np.empty((size * (size - 1) // 2, 2), np.int64)
    found = np.empty((pairs.shape[0], 5))
    mean = np.zeros(size)
    for i in range(size):
        for k in range(t):
            mean[i] += x[i, k]
        mean[i] /= t
    e = np.empty(t)
    at = 0
    for i in range(size):
        for j in range(i + 1, size):
            cross, square = 0.0, 0.0
            for k in range(t):
                cross += (x[i, k] - mean[i]) * (x[j, k] - mean[j])
                square += (x[j, k] - mean[j]) ** 2
            slope = cross / square if square > 0.0 else 0.0
            intercept = mean[i] - slope * mean[j]
            spread = 0.0
            for k in range(t):
                e[k] = x[i, k] - intercept - slope * x[j, k]
                spread += e[k] * e[k]
            a11, a12, a22, b1, b2 = 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(2, t):
                d, level, before = e[k] - e[k - 1], e[k - 1], e[k - 1] - e[k - 2]
                a11 += level * level
                a12 += level * before
                a22 += before * before
                b1 += level * d
                b2 += before * d
            det = a11 * a22 - a12 * a12
            statistic = 0.0
            if det > 0.0:
                rho, phi = (a22 * b1 - a12 * b2) / det, (a11 * b2 - a12 * b1) / det
                left = 0.0
                for k in range(2, t):
                    d, level, before = e[k] - e[k - 1], e[k - 1], e[k - 1] - e[k - 2]
                    left += (d - rho * level - phi * before) ** 2
                variance = left / (t - 4) * a22 / det
                statistic = rho / np.sqrt(variance) if variance > 0.0 else 0.0
            pairs[at, 0], pairs[at, 1] = i, j
            found[at, 0], found[at, 1], found[at, 2] = statistic, intercept, slope
            found[at, 3], found[at, 4] = 0.0, np.sqrt(spread / (t - 2))
            at += 1
    return pairs, found
