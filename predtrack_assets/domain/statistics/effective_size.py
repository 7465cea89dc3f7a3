"""How sure a rate is: effective sample size of dependent rows, and intervals computed on it."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from predtrack_assets.domain.numerics.types import Floats, Ints

LONGEST_BLOCK = (
    63  # sessions: a quarter, over which volatility and with it many an event stay alike
)
BLOCKS = 12  # that a window must hold before its blocks are longer than the outcomes overlap


def mean_block(dates: int, horizon: int) -> int:
    """Mean block length in dates: the horizon, or a twelfth of the window up to a quarter year.

    Outcomes depend on each other beyond their overlap: "within 5 %" follows volatility. Where that
    forgets a month, 95 % intervals of ten years cover 93 % with these blocks, 27 % with the horizon.

    >>> mean_block(dates=250, horizon=5), mean_block(dates=2500, horizon=5)
    (20, 63)
    """
    return max(horizon, min(LONGEST_BLOCK, dates // BLOCKS), 1)


def normal_quantile(level: float) -> float:
    """Standard normal quantile at level in (0, 1).

    >>> round(normal_quantile(0.975), 2)
    1.96
    """
    return NormalDist().inv_cdf(level)


def wilson(rate: ArrayLike, n_eff: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Two-sided Wilson score interval (Wilson 1927) of a rate in [0, 1]: (low, high).

    n_eff need not be a whole number; NaN where it is not positive. Arrays broadcast.

    >>> low, high = wilson(0.8, 10)
    >>> round(float(low), 3), round(float(high), 3)
    (0.49, 0.943)
    """
    p, n = np.broadcast_arrays(np.asarray(rate, np.float64), np.asarray(n_eff, np.float64))
    n = np.where(n > 0, n, np.nan)
    z2 = normal_quantile((1 + level) / 2) ** 2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # Rounding must not put the rate outside of its own interval.
    return np.clip(centre - half, 0, p), np.clip(centre + half, p, 1)


def clopper_pearson(k: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Exact two-sided binomial interval (Clopper & Pearson 1934) of k in n: (low, high).

    >>> low, high = clopper_pearson(8, 10)
    >>> round(float(low), 3), round(float(high), 3)
    (0.444, 0.975)
    """
    from scipy.special import betaincinv

    k, n = np.broadcast_arrays(np.asarray(k, np.float64), np.asarray(n, np.float64))
    tail = (1 - level) / 2
    low = np.where(k > 0, betaincinv(np.maximum(k, 1e-9), n - k + 1, tail), 0.0)
    high = np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1e-9), 1 - tail), 1.0)
    return low, high


def block_variance(values: ArrayLike, block: float) -> float:
    """Variance of the sum of values (T,) under the stationary bootstrap, without resampling.

    values are taken about their mean; block >= 1 is the mean block length in dates. Closed form of
    Politis & Romano (1994), lemma 1: with q = 1 - 1/block and c(k) the sum of products at lag k,
    c(0) + 2 sum_k w(k) c(k), w(k) = (1 - k/T) q^k + (k/T) q^(T-k).

    >>> block_variance([1.0, -1.0, 1.0, -1.0], block=1)  # independent dates: the sum of squares
    4.0
    """
    u = np.asarray(values, np.float64)
    u = u - u.mean()
    products = np.correlate(u, u, "full")[u.size - 1 :]
    weights = np.array(_lag_weights(u.size, block))
    return float(products[0] + 2 * (weights[1:] @ products[1:]))


def effective_sample_size(
    sums: ArrayLike, counts: ArrayLike, horizon: int, squares: float | None = None
) -> float:
    """Number of independent rows that would give a mean as precise as these n dependent rows do.

    sums (T,): sum of the row values per date, in date order; counts (T,): rows per date (dates
    without rows are left out); horizon: sessions over which a row's outcome is formed; squares: sum
    of the squared row values, by default that of 0/1 values. Blocks are of `mean_block` dates.
    Returns a number between 1 and n / min(horizon, T); 0 without rows.

    n_eff = n Var_iid / (Var_block * small_sample_factor). Where all values are equal the variances
    say nothing and it is max(1, T / horizon).

    >>> hits, rows = ([20] * 5 + [0] * 5) * 20, [20] * 200  # 20 symbols that rise and fall together
    >>> round(effective_sample_size(hits, rows, horizon=5))  # of 4,000 rows
    488
    """
    s, n = np.asarray(sums, np.float64), np.asarray(counts, np.float64)
    s, n = s[n > 0], n[n > 0]
    if n.size == 0:
        return 0.0
    total = np.array([s.sum() if squares is None else squares])
    return float(effective_sample_sizes(s[:, None], n[:, None], np.array([horizon]), total)[0])


def effective_sample_sizes(sums: Floats, counts: Floats, horizons: Ints, squares: Floats) -> Floats:
    """`effective_sample_size` of R groups at once: sums and counts (T, R), the others (R,).

    The dates of a group come first in its column and zeros fill the rest. A group's value does not
    depend on the other columns nor on the filling, to the last bit.

    >>> sums, counts = np.array([[1.0, 0.0], [1.0, 2.0], [0.0, 1.0]]), np.full((3, 2), 2.0)
    >>> sizes = effective_sample_sizes(sums, counts, np.array([1, 1]), sums.sum(axis=0))
    >>> sizes.shape, bool((sizes >= 1).all())
    ((2,), True)
    """
    n, s = add_rows(counts), add_rows(sums)
    dates = (counts > 0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = s / n
        iid = np.maximum(squares - mean * s, 0.0)  # n times the variance of a row
        iid[iid <= 1e-12 * squares] = 0.0
        block = _block_sums(sums - mean * counts, dates, horizons)
        size = n * (iid * n / (n - 1)) / np.maximum(block, 0.0)
        limit = n / np.minimum(horizons, dates)
        size = np.where((iid > 0) & (dates > 1), size, dates / horizons)
        return np.where(n > 0, np.clip(size, 1.0, limit), 0.0)


def small_sample_factor(dates: int, horizon: int) -> float:
    """Var(sum) / E[block_variance] where outcomes of `horizon` sessions overlap; dates >= 2.

    Deviations from the window's own mean hide most of the variance when the window is only a few
    horizons long: uncorrected, 21 dates of 21-session outcomes pass for 20 times their worth. The
    expectation is exact for outcomes that are sums over sessions: autocorrelation 1 - k/horizon.

    >>> round(small_sample_factor(dates=250, horizon=1), 2), round(small_sample_factor(21, 21), 1)
    (1.17, 36.8)
    """
    weights = _lag_weights(dates, mean_block(dates, horizon))
    overlap = [max(1 - k / max(horizon, 1), 0.0) * (dates - k) for k in range(dates)]
    variance = 2 * sum(overlap) - dates
    seen = 2 * sum(w * g for w, g in zip(weights, overlap, strict=True)) - dates
    return variance / (seen - sum(weights) * variance / dates)


@cache
def _lag_weights(dates: int, block: float) -> tuple[float, ...]:
    """w(k), k = 0 .. dates - 1, in plain floats: vectorised powers may differ in the last bit."""
    q = 1 - 1 / max(block, 1)
    rest = ((1 - k / dates) * q**k + k / dates * q ** (dates - k) for k in range(1, dates))
    return (1.0, *rest)


@cache
def _corrected_weights(dates: int, horizon: int, width: int) -> tuple[float, ...]:
    """Weights of the lagged products in the corrected variance, doubled beyond lag 0."""
    if dates < 2:
        return (0.0,) * width
    factor = small_sample_factor(dates, horizon)
    lags = enumerate(_lag_weights(dates, mean_block(dates, horizon)))
    weights = [factor * (2 if k else 1) * w for k, w in lags]
    return (*weights, *(0.0,) * (width - dates))


def _block_sums(deviations: Floats, dates: Ints, horizons: Ints) -> Floats:
    """Corrected block variance of the sum of each column of deviations (T, R)."""
    from predtrack_assets.domain.statistics.lagged_products import weighted_lagged_products

    width = len(deviations)
    shapes, which = np.unique(np.stack([dates, horizons]), axis=1, return_inverse=True)
    table = np.array([_corrected_weights(int(t), int(h), width) for t, h in shapes.T])
    return weighted_lagged_products(np.ascontiguousarray(deviations), table, which.ravel())


def add_rows(values: Floats) -> Floats:
    """Sum over axis 0, strictly one row after the other (np.sum may pair them differently).

    >>> add_rows(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [4.0, 6.0]
    """
    if values[0].size == 1:
        return np.add.accumulate(values, axis=0)[-1]
    total = np.zeros(values.shape[1:])
    for row in values:
        total += row
    return total
