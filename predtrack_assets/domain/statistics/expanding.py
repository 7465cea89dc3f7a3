"""Statistics of the first n values of a series, for many n at once.

A gate is judged every week on all evidence so far. Everything here costs one pass over the
series however many weeks are asked for, and each n gives the same bits alone or among others.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from predtrack_assets.domain.numerics.types import Floats, Ints
from predtrack_assets.domain.statistics.effective_size import normal_quantile
from predtrack_assets.domain.statistics.returns import Moments

BLOCK = 21  # sessions: mean block of the bootstraps, unless outcomes overlap for longer
REACH = 6  # mean blocks after which a lag's weight (0.002) is left out
ORDINATES = 3  # periodogram ordinates of the fixed-smoothing variance
YEAR = 252
PATHS = 1000


def totals(values: Floats, sizes: Ints) -> Floats:
    """Sums (W, ...) of the first `sizes` (W,) of values (T, ...).

    >>> totals(np.array([1.0, 2.0, 3.0]), np.array([0, 2, 3])).tolist()
    [0.0, 3.0, 6.0]
    """
    running = np.cumsum(values, axis=0)
    return np.concatenate([np.zeros_like(running[:1]), running])[sizes]


def block_variances(sums: Floats, counts: Floats, sizes: Ints, block: int) -> Floats:
    """Variance (W,) of sum(sums) - mean * sum(counts) over the first n dates, by stationary bootstrap.

    sums, counts (T,): total and number of the values of each date; mean: that of the first n dates.
    Politis & Romano (1994), lemma 1, without resampling: c(0) + 2 sum_k (1 - k/n) q^k c(k),
    q = 1 - 1/block; lags beyond REACH blocks and the wrap around the end are left out.

    >>> values, ones = np.tile([1.0, -1.0], 20), np.ones(40)
    >>> block_variances(values, ones, np.array([20, 40]), block=1).tolist()
    [20.0, 40.0]
    """
    n = sizes.astype(np.float64)
    total, rows = totals(sums, sizes), totals(counts, sizes)
    mean = np.divide(total, rows, out=np.zeros_like(total), where=rows > 0)
    variance = np.zeros(sizes.size)
    longest = int(sizes.max(initial=0))
    for lag in range(min(REACH * block, longest)):
        inside = np.maximum(sizes - lag, 0)
        early, late = slice(None, longest - lag), slice(lag, longest)
        ss = totals(sums[early] * sums[late], inside)
        sn = totals(sums[early] * counts[late] + counts[early] * sums[late], inside)
        nn = totals(counts[early] * counts[late], inside)
        weight = (1 - lag / np.maximum(n, 1)) * (1 - 1 / block) ** lag * (2 if lag else 1)
        variance += np.where(inside > 0, weight * (ss - mean * sn + mean * mean * nn), 0.0)
    return np.maximum(variance, 0.0)


def small_sample_factors(sizes: Ints, block: int, overlap: int) -> Floats:
    """What `block_variances` must be multiplied by where outcomes of `overlap` sessions overlap.

    The bootstrap shrinks the autocovariances 1 - k/overlap, and deviations from the sample's own
    mean hide a part of the variance; both are known exactly (see intervals.small_sample_factor).

    >>> small_sample_factors(np.array([63, 2520]), block=21, overlap=5).round(2).tolist()
    [2.19, 1.1]
    """
    n = np.maximum(sizes.astype(np.float64), 1)[:, None]
    lag = np.arange(REACH * block)[None]
    weights = np.clip(1 - lag / n, 0, None) * (1 - 1 / block) ** lag * np.where(lag > 0, 2, 1)
    linked = np.clip(1 - lag / overlap, 0, None) * np.clip(n - lag, 0, None)
    variance = (linked * np.where(lag > 0, 2, 1)).sum(axis=1)
    seen = (weights * linked).sum(axis=1) - weights.sum(axis=1) * variance / n[:, 0]
    return variance / np.maximum(seen, 0.05 * variance)


def effective_sizes(
    sums: Floats, counts: Floats, squares: Floats, sizes: Ints, horizon: int
) -> tuple[Floats, Floats, Floats]:
    """(mean, n, n_eff), each (W,), of rows that overlap in time and move together on a date.

    squares (T,): sum of the squared values of each date. n_eff = n Var_iid / Var_block, between 1
    and n / horizon; where all values are equal, the number of windows that do not overlap.

    >>> values, ones = np.tile([1.0, 0.0, 0.0], 100), np.ones(300)
    >>> mean, n, n_eff = effective_sizes(values, ones, values, np.array([150, 300]), horizon=5)
    >>> n.tolist(), bool((n_eff <= n / 5).all())
    ([150.0, 300.0], True)
    """
    block = max(BLOCK, horizon)
    total, rows, square = (totals(v, sizes) for v in (sums, counts, squares))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / rows
        iid = np.maximum(square - mean * total, 0.0) * rows / (rows - 1)
        blocked = block_variances(sums, counts, sizes, block)
        blocked *= small_sample_factors(sizes, block, horizon)
        known = (iid > 1e-12 * np.maximum(square, 1e-300)) & (blocked > 0)
        size = np.where(known, rows * iid / blocked, sizes / horizon)
        limit = rows / np.minimum(horizon, np.maximum(sizes, 1))
        return mean, rows, np.where(rows > 0, np.minimum(np.maximum(size, 1.0), limit), 0.0)


def mean_lower_bounds(values: Floats, sizes: Ints, level: float = 0.95) -> tuple[Floats, Floats]:
    """(mean, one-sided lower bound), each (W,), of the first n of a dependent series (T,).

    Fixed smoothing: the long-run variance is the mean of the first 3 periodogram ordinates, the
    bound uses Student's t with 6 degrees of freedom (Coroneo & Iacone 2020).

    >>> mean, bound = mean_lower_bounds(np.tile([0.03, -0.01], 100), np.array([100, 200]))
    >>> mean.round(3).tolist(), bool((bound <= mean).all())
    ([0.01, 0.01], True)
    """
    from scipy.special import stdtrit

    mean, bound = np.full(sizes.size, np.nan), np.full(sizes.size, np.nan)
    quantile = float(stdtrit(2 * ORDINATES, level))
    for i, n in enumerate(sizes):
        if n <= 2 * ORDINATES:
            continue
        spectrum = np.fft.rfft(values[:n])[: ORDINATES + 1]
        variance = np.mean(np.square(np.abs(spectrum[1:]))) / n
        mean[i] = spectrum[0].real / n
        bound[i] = mean[i] - quantile * np.sqrt(variance / n)
    return mean, bound


def bootstrap_lower_bounds(
    values: Floats, sizes: Ints, level: float = 0.95
) -> tuple[Floats, Floats]:
    """(mean, one-sided lower bound), each (W,), of the first n daily values by block bootstrap.

    Student's t with n / BLOCK - 1 degrees of freedom stands for the few blocks there are.

    >>> mean, bound = bootstrap_lower_bounds(np.tile([0.03, -0.01], 100), np.array([100, 200]))
    >>> mean.round(3).tolist(), bool((bound <= mean).all())
    ([0.01, 0.01], True)
    """
    from scipy.special import stdtrit

    ones = np.ones_like(values)
    n = np.maximum(sizes, 1).astype(np.float64)
    variance = block_variances(values, ones, sizes, BLOCK)
    variance *= small_sample_factors(sizes, BLOCK, 1)
    mean = np.where(sizes > 0, totals(values, sizes) / n, np.nan)
    freedom = np.maximum(n / BLOCK - 1, 1.0)
    return mean, mean - stdtrit(freedom, level) * np.sqrt(variance) / n


def return_moments(returns: Floats, sizes: Ints) -> Moments:
    """Moments (W,) of the first n returns; NaN below two, or where all are equal.

    >>> found = return_moments(np.tile([0.02, -0.01], 50), np.array([100]))
    >>> found.sharpe.round(3).tolist(), found.kurtosis.round(3).tolist()
    ([0.332], [1.0])
    """
    powers = totals(np.stack([returns**k for k in (1, 2, 3, 4)], axis=1), sizes)
    n = sizes.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        m1, r2, r3, r4 = (powers / n[:, None]).T
        m2 = r2 - m1**2
        m2 = np.where(m2 > 1e-12 * r2, m2, np.nan)
        m3 = r3 - 3 * m1 * r2 + 2 * m1**3
        m4 = r4 - 4 * m1 * r3 + 6 * m1**2 * r2 - 3 * m1**4
        return Moments(m1 / np.sqrt(m2 * n / (n - 1)), m3 / m2**1.5, m4 / m2**2, n)


def drawdown_bounds(returns: Floats, sizes: Ints, level: float = 0.95) -> tuple[Floats, Floats]:
    """(largest drawdown of the last 252 sessions, bootstrap quantile of it), each (W,), in [0, 1].

    Paths of 12 blocks of 21 consecutive sessions drawn from the first n; NaN below 252 sessions.
    A drawdown joins from what each block knows of itself, so a path costs 12 steps, not 252.

    >>> observed, bound = drawdown_bounds(np.full(252, -0.001), np.array([251, 252]))
    >>> observed.round(3).tolist()  # less than a year is not judged
    [nan, 0.223]
    """
    observed, bound = np.full(sizes.size, np.nan), np.full(sizes.size, np.nan)
    long_enough = np.flatnonzero(sizes >= YEAR)
    if not long_enough.size:
        return observed, bound
    log = np.log1p(np.maximum(returns, -0.999))
    years = sliding_window_view(log, YEAR)[sizes[long_enough] - YEAR]
    observed[long_enough] = -np.expm1(-_falls(years).max(axis=1))

    draws = np.random.default_rng(0).random((PATHS, YEAR // BLOCK))
    blocks = sliding_window_view(log, BLOCK)
    path = np.cumsum(blocks, axis=1)
    total, low = path[:, -1], np.minimum(path.min(axis=1), 0)
    high, fall = np.maximum(path.max(axis=1), 0), _falls(blocks).max(axis=1)
    for part in np.array_split(long_enough, max(long_enough.size // 64, 1)):
        begins = (draws[None] * (sizes[part] - BLOCK + 1)[:, None, None]).astype(np.int64)
        level_, peak, worst = (np.zeros((part.size, PATHS)) for _ in range(3))
        for at in np.moveaxis(begins, 2, 0):
            worst = np.maximum(worst, np.maximum(peak - level_ - low[at], fall[at]))
            peak = np.maximum(peak, level_ + high[at])
            level_ = level_ + total[at]
        bound[part] = np.quantile(-np.expm1(-worst), level, axis=1, method="inverted_cdf")
    return observed, bound


def _falls(log_returns: Floats) -> Floats:
    """Log wealth lost since the highest so far, the start included, along the last axis."""
    path = np.cumsum(log_returns, axis=-1)
    return np.maximum(np.maximum.accumulate(path, axis=-1), 0.0) - path


def calibration_bounds(
    count: Floats, hits: Floats, confidence: Floats, n_eff: Floats, level: float = 0.95
) -> tuple[Floats, Floats]:
    """(RMS calibration error, its one-sided upper bound), each (W,), from narrow bins (W, B).

    count, hits, confidence: rows, events and summed probability per bin. As
    calibration.rms_calibration_error, with the rows of one narrow bin kept together.

    >>> count, hits = np.array([[200.0, 200.0]]), np.array([[60.0, 140.0]])
    >>> error, upper = calibration_bounds(count, hits, 1.0 * hits, np.array([400.0]))
    >>> error.tolist(), bool(upper[0] < 0.1)
    ([0.0], True)
    """
    size = count.sum(axis=1)
    cumulative = [np.cumsum(v, axis=1) for v in (count, hits, confidence)]
    buckets = np.clip(n_eff // 10, 1, 10)
    z2 = normal_quantile(level) ** 2
    squared, a, c = np.zeros(len(size)), np.zeros(len(size)), np.zeros(len(size))
    before = np.zeros((3, len(size)))
    row = np.arange(len(size))
    for bucket in range(1, 11):
        nominal = np.minimum(bucket * size / buckets, size)
        edge = (cumulative[0] < nominal[:, None] - 1e-9).sum(axis=1)
        after = np.array([v[row, np.minimum(edge, v.shape[1] - 1)] for v in cumulative])
        n, k, p = after - before
        before = after
        filled = n > 0
        m = np.where(filled, n, 1.0)
        effective = m * n_eff / np.maximum(size, 1)
        weight = n / np.maximum(size, 1)
        rate, mean = k / m, p / m
        noise = rate * (1 - rate) / np.maximum(effective - 1, 1)
        squared += weight * (np.square(rate - mean) - noise)
        smooth = (rate * effective + 2) / (effective + 4)
        variance = smooth * (1 - smooth) / np.maximum(effective, 1e-9)
        a += np.square(weight) * variance
        c += np.square(weight * variance)
    centre = np.maximum(squared, 0.0) + 2 * a * z2
    spread = np.sqrt(np.square(centre) - np.square(np.maximum(squared, 0.0)) + 2 * c * z2)
    upper = np.sqrt(np.minimum(centre + spread, 1.0))
    known = size > 0
    return (
        np.where(known, np.sqrt(np.maximum(squared, 0.0)), np.nan),
        np.where(known, upper, np.nan),
    )
