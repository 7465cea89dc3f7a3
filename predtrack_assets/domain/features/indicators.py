"""Windows, recursions and classical indicators of matrices of shape (symbols, sessions).

Arrays are float64 and C-contiguous; a missing number is NaN. A window is summed in one fixed order
that depends on its length only, so its bits depend on its own sessions and on nothing before them.
A recursion depends on its first session: callers fix where it starts; missing numbers it skips.

Wilder, New Concepts in Technical Trading Systems (1978): RSI, ATR, ADX; Wilder's smoothing is seeded
with a simple mean, an EMA with the SMA of its length, Bollinger bands use the population deviation.
"""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.numerics.jit import jit

FLAT = 50.0
"""RSI and stochastic where prices do not move at all."""

ROUNDING = 1e-13  # of a squared mean: what E[x^2] - E[x]^2 leaves of prices that do not move


@jit
def hold(x: np.ndarray, limit: int) -> np.ndarray:
    """NaN replaced by the last number before it, at most `limit` sessions away."""
    held = np.empty_like(x)
    for i in range(x.shape[0]):
        last, age = np.nan, 0
        for t in range(x.shape[1]):
            age += 1
            if not np.isnan(x[i, t]):
                last, age = x[i, t], 0
            held[i, t] = last if age <= limit else np.nan
    return held


# Windows


@jit
def _sums(
    row: np.ndarray, windows: np.ndarray, totals: np.ndarray, power: np.ndarray, spare: np.ndarray
) -> None:
    """Fill totals (windows, sessions); sums of 1, 2, 4, ... numbers are doubled and pieced together."""
    sessions, longest, size = len(row), 1, 1
    for w in range(len(windows)):
        longest = max(longest, windows[w])
        for t in range(sessions):
            totals[w, t] = 0.0
    for t in range(sessions):
        power[t] = row[t]
    while True:
        for w in range(len(windows)):
            covered = windows[w] & (size - 1)
            if windows[w] & size and covered < sessions:
                _add(totals[w, covered:], power, totals[w, covered:])
        if 2 * size > longest:
            break
        for t in range(min(size, sessions)):
            spare[t] = power[t]
        _add(power[size:], power, spare[size:])
        power, spare, size = spare, power, 2 * size


@jit
def _add(x: np.ndarray, y: np.ndarray, total: np.ndarray) -> None:
    """As many as fit into the total."""
    for t in range(len(total)):
        total[t] = x[t] + y[t]


@jit
def _maxima(
    row: np.ndarray, sign: float, n: int, power: np.ndarray, spare: np.ndarray
) -> np.ndarray:
    """Largest of the last n numbers times `sign`, -inf where there is none, in one of the buffers."""
    sessions, size = len(row), 1
    for t in range(sessions):
        power[t] = -np.inf if np.isnan(row[t]) else sign * row[t]
    while size < min(n, sessions):
        step = min(size, n - size)
        for t in range(step):
            spare[t] = power[t]
        later, larger = power[step:], spare[step:]
        for t in range(len(larger)):
            larger[t] = later[t] if later[t] > power[t] else power[t]
        power, spare, size = spare, power, size + step
    return power


@jit
def window_sums(x: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Sums of the last n sessions for each n of `windows`, (symbols, windows, sessions).

    Fewer sessions at the beginning; NaN where one is missing.
    """
    symbols, sessions = x.shape
    totals = np.empty((symbols, len(windows), sessions))
    power, spare = np.empty(sessions), np.empty(sessions)
    for i in range(symbols):
        _sums(x[i], windows, totals[i], power, spare)
    return totals


@jit
def window_counts(x: np.ndarray, n: int) -> np.ndarray:
    """How many of the last n sessions are numbers."""
    counts = np.empty(x.shape)
    for i in range(x.shape[0]):
        count = 0
        for t in range(x.shape[1]):
            count += not np.isnan(x[i, t])
            if t >= n:
                count -= not np.isnan(x[i, t - n])
            counts[i, t] = count
    return counts


@jit
def window_means(x: np.ndarray, n: int, fewest: int) -> np.ndarray:
    """Mean of the numbers among the last n sessions; NaN where they are fewer than `fewest`."""
    symbols, sessions = x.shape
    means, windows = np.empty(x.shape), np.array([n])
    row, power, spare = np.empty(sessions), np.empty(sessions), np.empty(sessions)
    for i in range(symbols):
        for t in range(sessions):
            row[t] = 0.0 if np.isnan(x[i, t]) else x[i, t]
        _sums(row, windows, means[i : i + 1], power, spare)
        count = 0
        for t in range(sessions):
            count += not np.isnan(x[i, t])
            if t >= n:
                count -= not np.isnan(x[i, t - n])
            means[i, t] = means[i, t] / count if count >= fewest else np.nan
    return means


@jit
def window_extremes(x: np.ndarray, n: int, sign: float) -> np.ndarray:
    """Largest of the last n sessions (sign 1) or smallest (sign -1); NaN where all are missing."""
    result = np.empty(x.shape)
    power, spare = np.empty(x.shape[1]), np.empty(x.shape[1])
    for i in range(x.shape[0]):
        largest = _maxima(x[i], sign, n, power, spare)
        for t in range(x.shape[1]):
            result[i, t] = np.nan if largest[t] == -np.inf else sign * largest[t]
    return result


@jit
def sma(x: np.ndarray, n: int) -> np.ndarray:
    """Mean of the last n sessions; NaN where one is missing."""
    means, windows = np.empty(x.shape), np.array([n])
    power, spare = np.empty(x.shape[1]), np.empty(x.shape[1])
    for i in range(x.shape[0]):
        _sums(x[i], windows, means[i : i + 1], power, spare)
        for t in range(x.shape[1]):
            means[i, t] = means[i, t] / n if t >= n - 1 else np.nan
    return means


# Recursions


@jit
def _follow(mean: float, seen: int, x: float, n: int, alpha: float) -> tuple[float, int]:
    """The mean after x, and how many numbers it has seen, up to n: of those it is the simple mean."""
    if np.isnan(x):
        return mean, seen
    if seen < n:
        return mean + x / n, seen + 1
    return (1.0 - alpha) * mean + alpha * x, seen


@jit
def smooth(x: np.ndarray, n: int, alpha: float) -> np.ndarray:
    """Exponential mean: y = (1 - alpha) * y + alpha * x, seeded with the mean of the first n numbers.

    NaN before the seed; a missing session holds the mean.
    """
    result = np.empty(x.shape)
    for i in range(x.shape[0]):
        mean, seen = 0.0, 0
        for t in range(x.shape[1]):
            mean, seen = _follow(mean, seen, x[i, t], n, alpha)
            result[i, t] = mean if seen == n else np.nan
    return result


@jit
def ema(x: np.ndarray, n: int) -> np.ndarray:
    """Exponential moving average of span n, seeded with the simple mean of the first n numbers."""
    return smooth(x, n, 2.0 / (n + 1.0))


@jit
def wilder(x: np.ndarray, n: int) -> np.ndarray:
    """Wilder's smoothing (1978), seeded with the simple mean of the first n numbers."""
    return smooth(x, n, 1.0 / n)


@jit
def macd(
    close: np.ndarray, fast: int = 12, slow: int = 26, signal: int = 9
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Line (fast EMA - slow EMA), its EMA as the signal, and their difference."""
    line, average, histogram = np.empty(close.shape), np.empty(close.shape), np.empty(close.shape)
    for i in range(close.shape[0]):
        quick, quick_seen, calm, calm_seen, mean, seen = 0.0, 0, 0.0, 0, 0.0, 0
        for t in range(close.shape[1]):
            x, gap = close[i, t], np.nan
            quick, quick_seen = _follow(quick, quick_seen, x, fast, 2.0 / (fast + 1.0))
            calm, calm_seen = _follow(calm, calm_seen, x, slow, 2.0 / (slow + 1.0))
            if quick_seen == fast and calm_seen == slow and not np.isnan(x):
                gap = quick - calm
            mean, seen = _follow(mean, seen, gap, signal, 2.0 / (signal + 1.0))
            line[i, t] = gap
            average[i, t] = mean if seen == signal else np.nan
            histogram[i, t] = gap - average[i, t]
    return line, average, histogram


@jit
def rsi(close: np.ndarray, n: int = 14) -> np.ndarray:
    """Relative strength index, 0 to 100."""
    result = np.empty(close.shape)
    for i in range(close.shape[0]):
        last, up, down, seen = np.nan, 0.0, 0.0, 0
        for t in range(close.shape[1]):
            if not np.isnan(close[i, t]):
                change, last = close[i, t] - last, close[i, t]
                down, _ = _follow(down, seen, max(-change, 0.0 * change), n, 1.0 / n)
                up, seen = _follow(up, seen, max(change, 0.0 * change), n, 1.0 / n)
            total = up + down if seen == n else np.nan
            result[i, t] = FLAT if total == 0.0 else 100.0 * up / total
    return result


@jit
def atr(high: np.ndarray, low: np.ndarray, close: np.ndarray, n: int = 14) -> np.ndarray:
    """Average true range: high to low, the close before included."""
    result = np.empty(close.shape)
    for i in range(close.shape[0]):
        before, mean, seen = np.nan, 0.0, 0
        for t in range(close.shape[1]):
            span = _true_range(high[i, t], low[i, t], before)
            mean, seen = _follow(mean, seen, span, n, 1.0 / n)
            result[i, t] = mean if seen == n else np.nan
            before = before if np.isnan(close[i, t]) else close[i, t]
    return result


@jit
def _true_range(high: float, low: float, before: float) -> float:
    """NaN where one of them is missing, as the close before the first bar is."""
    top = high if high > before else before
    bottom = low if low < before else before
    return top - bottom + 0.0 * (high + low)


@jit
def directional(
    high: np.ndarray, low: np.ndarray, close: np.ndarray, n: int = 14
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """+DI, -DI and ADX, 0 to 100; 0 where prices do not move."""
    pluses, minuses, adx = np.empty(close.shape), np.empty(close.shape), np.empty(close.shape)
    alpha = 1.0 / n
    for i in range(close.shape[0]):
        top, bottom, before = np.nan, np.nan, np.nan
        plus, minus, span, moved, ranged, mean, seen = 0.0, 0.0, 0.0, 0, 0, 0.0, 0
        for t in range(close.shape[1]):
            rise, fall = high[i, t] - top, bottom - low[i, t]
            up = rise if rise > fall and rise > 0 else 0.0 * (rise + fall)
            down = fall if fall > rise and fall > 0 else 0.0 * (rise + fall)
            plus, _ = _follow(plus, moved, up, n, alpha)
            minus, moved = _follow(minus, moved, down, n, alpha)
            true_range = _true_range(high[i, t], low[i, t], before)
            span, ranged = _follow(span, ranged, true_range, n, alpha)
            known = moved == n and ranged == n
            part = 100.0 / span if span > 0 else 0.0
            pluses[i, t] = plus * part if known else np.nan
            minuses[i, t] = minus * part if known else np.nan
            total = pluses[i, t] + minuses[i, t]
            dx = 100.0 * abs(pluses[i, t] - minuses[i, t]) / total if total != 0 else 0.0
            if not np.isnan(close[i, t]):
                top, bottom, before = high[i, t], low[i, t], close[i, t]
                mean, seen = _follow(mean, seen, dx, n, alpha)
            adx[i, t] = mean if seen == n else np.nan
    return pluses, minuses, adx


# Both


@jit
def bollinger(
    close: np.ndarray, n: int = 20, width: float = 2.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower band, SMA and upper band."""
    lower, middle, upper = np.empty(close.shape), sma(close, n), np.empty(close.shape)
    sessions, windows = close.shape[1], np.array([n])
    row, power, spare = np.empty(sessions), np.empty(sessions), np.empty(sessions)
    for i in range(close.shape[0]):
        for t in range(sessions):
            row[t] = close[i, t] * close[i, t]
        _sums(row, windows, upper[i : i + 1], power, spare)
        for t in range(sessions):
            square = middle[i, t] * middle[i, t]
            variance = upper[i, t] / n - square
            band = width * np.sqrt(0.0 if variance < ROUNDING * square else variance)
            lower[i, t] = middle[i, t] - band
            upper[i, t] = middle[i, t] + band
    return lower, middle, upper


@jit
def _position(x: float, bottom: float, top: float) -> float:
    span = top - bottom
    return 100.0 * (x - bottom) / span if span > 0.0 else FLAT + 0.0 * (span + x)


@jit
def position(x: np.ndarray, bottom: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Where x lies between bottom (0) and top (100); 50 where they are equal."""
    result = np.empty(x.shape)
    for i in range(x.shape[0]):
        for t in range(x.shape[1]):
            result[i, t] = _position(x[i, t], bottom[i, t], top[i, t])
    return result


@jit
def stochastic(
    high: np.ndarray, low: np.ndarray, close: np.ndarray, n: int = 14, k: int = 3, d: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Slow %K (mean of k raw values) and %D (mean of d of those), 0 to 100."""
    sessions = close.shape[1]
    slow, slower = np.empty(close.shape), np.empty(close.shape)
    one, two = np.empty(sessions), np.empty(sessions)
    three, four, raw = np.empty(sessions), np.empty(sessions), np.empty(sessions)
    for i in range(close.shape[0]):
        top, bottom = _maxima(high[i], 1.0, n, one, two), _maxima(low[i], -1.0, n, three, four)
        for t in range(sessions):
            raw[t] = _position(close[i, t], -bottom[t], top[t]) if t >= n - 1 else np.nan
        _means(raw, k, slow[i])
        _means(slow[i], d, slower[i])
    return slow, slower


@jit
def _means(row: np.ndarray, n: int, means: np.ndarray) -> None:
    """Of the last n, which are few; NaN where one is missing."""
    for t in range(len(row)):
        total = 0.0 if t >= n - 1 else np.nan
        for k in range(max(t - n + 1, 0), t + 1):
            total += row[k]
        means[t] = total / n


@jit
def signed_volume(close: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """Volume with the sign of the close's change, 0 without a change, a bar, or one before it."""
    result = np.zeros(close.shape)
    for i in range(close.shape[0]):
        last = np.nan
        for t in range(close.shape[1]):
            if not np.isnan(close[i, t]):
                if not np.isnan(volume[i, t]):
                    result[i, t] = volume[i, t] * (
                        (close[i, t] > last) - (close[i, t] < last) * 1.0
                    )
                last = close[i, t]
    return result


@jit
def obv(close: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """On-balance volume, 0 at the first session."""
    flow = signed_volume(close, volume)
    for i in range(flow.shape[0]):
        total = 0.0
        for t in range(flow.shape[1]):
            total += flow[i, t]
            flow[i, t] = total
    return flow
