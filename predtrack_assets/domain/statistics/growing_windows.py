"""Effective sizes of windows that begin together and grow: those of a record, week after week.

The same numbers as `effective_size` gives window by window. A lag's products are added up once for
all windows, so a record of T dates costs T^2 however many weeks ask.
"""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.numerics.jit import jit
from predtrack_assets.domain.numerics.types import Floats, Ints
from predtrack_assets.domain.statistics.effective_size import mean_block


def growing_effective_sizes(
    sums: Floats, counts: Floats, squares: Floats, sizes: Ints, horizon: int
) -> Floats:
    """`effective_sample_size` (W,) of the first `sizes` (W,) dates, ascending and at least 1.

    sums, counts, squares (T,): of the row values of each date, all with rows; horizon: sessions
    over which a row's outcome is formed. A window's bits do not depend on the others.

    >>> values, ones = np.tile([1.0, 0.0, 0.0], 40), np.ones(120)
    >>> growing_effective_sizes(values, ones, values, np.array([1, 120]), horizon=1).round(1).tolist()
    [1.0, 120.0]
    """
    s, n, square = (np.cumsum(values)[sizes - 1] for values in (sums, counts, squares))
    blocks = np.array([mean_block(int(size), horizon) for size in sizes], np.int64)
    mean = s / n
    iid = np.maximum(square - mean * s, 0.0)
    iid[iid <= 1e-12 * square] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        block = _block_variances(sums, counts, mean, sizes, blocks, horizon)
        size = n * (iid * n / (n - 1)) / np.maximum(block, 0.0)
        limit = n / np.minimum(horizon, sizes)
        size = np.where((iid > 0) & (sizes > 1), size, sizes / horizon)
    return np.clip(size, 1.0, limit)


@jit
def _block_variances(
    sums: np.ndarray,
    counts: np.ndarray,
    means: np.ndarray,
    sizes: np.ndarray,
    blocks: np.ndarray,
    horizon: int,
) -> np.ndarray:
    """Variance of the sum of sums - mean * counts over the first n dates, corrected for small n.

    As `effective_size.block_variance` times `small_sample_factor`; all (W,) but sums and counts (T,).
    """
    windows, longest = sizes.size, sizes[-1]
    variance = np.zeros(windows)
    overlap, seen, weights = np.zeros(windows), np.zeros(windows), np.zeros(windows)
    decay = 1.0 - 1.0 / blocks
    forward = np.ones(windows)  # decay^lag
    backward = decay**sizes  # decay^(n - lag)
    for lag in range(longest):
        ss, sn, nn = 0.0, 0.0, 0.0
        window = 0
        while sizes[window] <= lag:
            window += 1
        linked = max(1.0 - lag / horizon, 0.0)
        times = 2.0 if lag else 1.0
        for t in range(longest - lag):
            ss += sums[t] * sums[t + lag]
            sn += sums[t] * counts[t + lag] + counts[t] * sums[t + lag]
            nn += counts[t] * counts[t + lag]
            while window < windows and sizes[window] == t + lag + 1:
                n, m = sizes[window], means[window]
                share = lag / n
                weight = 1.0
                if lag:
                    weight = (1.0 - share) * forward[window] + share * backward[window]
                variance[window] += times * weight * (ss - m * sn + m * m * nn)
                overlap[window] += times * linked * (n - lag)
                seen[window] += times * weight * linked * (n - lag)
                weights[window] += weight
                window += 1
        for window in range(windows):
            forward[window] *= decay[window]
            backward[window] = backward[window] / decay[window] if decay[window] > 0 else 0.0
    # A block of one date: the wrap's weight is 1 at no lag but 0.
    for window in range(windows):
        if sizes[window] > 1:
            expected = seen[window] - weights[window] * overlap[window] / sizes[window]
            variance[window] *= overlap[window] / expected
    return variance
