"""Windows and recursions down the rows of matrices of shape (sessions, symbols).

A window is summed in one fixed order that depends on its length only, so its bits depend on its own
rows and on nothing before them. A recursion depends on its first row: callers fix where it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def shift(x: np.ndarray, rows: int, fill: float = np.nan) -> np.ndarray:
    """Rows moved down by `rows`, `fill` above them."""
    shifted = np.empty_like(x)
    shifted[:rows] = fill
    shifted[rows:] = x[: max(len(x) - rows, 0)]
    return shifted


def hold(x: np.ndarray, limit: int | None = None) -> np.ndarray:
    """NaN replaced by the last number above it, at most `limit` rows away."""
    present = ~np.isnan(x)
    if present.all():
        return x
    rows = np.arange(len(x), dtype=np.int32)[:, None]
    last = np.maximum.accumulate(np.where(present, rows, -1), axis=0)
    held = np.take_along_axis(x, np.maximum(last, 0), axis=0)  # above the first number: NaN anyway
    return held if limit is None else np.where(rows - last <= limit, held, np.nan)


def window_sums(x: np.ndarray, windows: Sequence[int]) -> list[np.ndarray]:
    """Sums of the last n rows for each n of `windows`; fewer rows at the top. x holds no NaN.

    Sums of 1, 2, 4, ... rows are doubled and pieced together: log2(n) additions a cell.
    """
    totals: dict[int, np.ndarray] = {}
    covered = dict.fromkeys(windows, 0)
    power, size = x, 1
    while True:
        for n in covered:
            if n & size:
                if covered[n]:
                    totals[n][covered[n] :] += power[: max(len(x) - covered[n], 0)]
                else:
                    totals[n] = power.copy()
                covered[n] += size
        if size * 2 > max(windows):
            return [totals[n] for n in windows]
        doubled = power.copy()
        doubled[size:] += power[: max(len(x) - size, 0)]
        power, size = doubled, size * 2


def window_extremes(
    x: np.ndarray, windows: Sequence[int], extreme: Callable[..., np.ndarray]
) -> list[np.ndarray]:
    """np.fmax or np.fmin of the last n rows for each n of `windows`; NaN only if all are NaN."""
    found: dict[int, np.ndarray] = {}
    power, size = x, 1
    for n in sorted(windows):
        while size * 2 <= n:
            power, size = _overlap(power, size, extreme), size * 2
        found[n] = power if size == n else _overlap(power, n - size, extreme)
    return [found[n] for n in windows]


def _overlap(x: np.ndarray, rows: int, extreme: Callable[..., np.ndarray]) -> np.ndarray:
    result = x.copy()
    extreme(x[rows:], x[: max(len(x) - rows, 0)], out=result[rows:])
    return result


def recursion(decay: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y[t] = decay[t] * y[t - 1] + x[t], y[0] = x[0]; overwrites x and returns it."""
    carried = np.empty_like(x[0])
    for t in range(1, len(x)):
        np.multiply(decay[t], x[t - 1], out=carried)
        np.add(x[t], carried, out=x[t])
    return x


def smooth(x: np.ndarray, n: int, alpha: float) -> np.ndarray:
    """Exponential mean: y = (1 - alpha) * y + alpha * x, seeded with the mean of the first n numbers.

    NaN before the seed; a missing (NaN) row holds the mean.
    """
    missing = np.isnan(x)
    first = int(missing.all(axis=1).argmin()) if len(x) else 0
    gaps = missing[first:].any(axis=0)
    if not gaps.any():
        return _smooth_whole(x, first, n, alpha)
    result = np.empty_like(x)
    result[:, ~gaps] = _smooth_whole(x[:, ~gaps], first, n, alpha)
    result[:, gaps] = _smooth_gaps(x[:, gaps], missing[:, gaps], n, alpha)
    return result


def _smooth_whole(x: np.ndarray, first: int, n: int, alpha: float) -> np.ndarray:
    """Of columns that all begin in the row `first` and have no gap: each row is read but once."""
    result = np.empty_like(x)
    result[: first + n - 1] = np.nan
    if len(x) < first + n:
        return np.full_like(x, np.nan)
    mean, share = x[first] * (1.0 / n), np.empty_like(x[0])
    for t in range(first + 1, first + n):
        np.multiply(x[t], 1.0 / n, out=share)
        np.add(share, mean, out=mean)
    result[first + n - 1] = mean
    for t in range(first + n, len(x)):
        row = result[t]
        np.multiply(x[t], alpha, out=share)
        np.multiply(result[t - 1], 1.0 - alpha, out=row)
        np.add(share, row, out=row)
    return result


def _smooth_gaps(x: np.ndarray, missing: np.ndarray, n: int, alpha: float) -> np.ndarray:
    """The same operations in the same order, with what each column has of them in a matrix."""
    count = np.cumsum(~missing, axis=0, dtype=np.int32)
    seeding = count <= n
    decay = np.where(seeding, 1.0, 1.0 - alpha)
    step = x * np.where(seeding, 1.0 / n, alpha)
    decay[missing], step[missing] = 1.0, 0.0
    mean = recursion(decay, step)
    mean[count < n] = np.nan
    return mean


def ema(x: np.ndarray, n: int) -> np.ndarray:
    """Exponential moving average of span n, seeded with the simple mean of the first n numbers."""
    return smooth(x, n, 2.0 / (n + 1.0))


def wilder(x: np.ndarray, n: int) -> np.ndarray:
    """Wilder's smoothing (1978), seeded with the simple mean of the first n numbers."""
    return smooth(x, n, 1.0 / n)
