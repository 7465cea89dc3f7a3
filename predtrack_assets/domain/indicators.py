"""Classical indicators in price units, of matrices of shape (sessions, symbols).

Wilder, New Concepts in Technical Trading Systems (1978): RSI, ATR, ADX; Wilder's smoothing is seeded
with a simple mean, an EMA with the SMA of its length, Bollinger bands use the population deviation.
A missing bar (NaN) is skipped: the bar before it is the last one there was.
"""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.rolling import (
    ema,
    hold,
    shift,
    wilder,
    window_extremes,
    window_sums,
)

FLAT = 50.0
"""RSI and stochastic where prices do not move at all."""

ROUNDING = 1e-13  # of a squared mean: what E[x^2] - E[x]^2 leaves of prices that do not move


def previous(x: np.ndarray) -> np.ndarray:
    """The number of the bar before, NaN for the first bar."""
    return shift(hold(x), 1)


def sma(x: np.ndarray, n: int) -> np.ndarray:
    """Mean of the last n rows; NaN where one is missing."""
    missing = np.isnan(x)
    total, absent = (
        window_sums(np.where(missing, 0.0, x), [n])[0],
        window_sums(missing.astype(np.int16), [n])[0],
    )
    mean = total / n
    mean[: n - 1] = np.nan
    mean[absent > 0] = np.nan
    return mean


def rsi(close: np.ndarray, n: int = 14) -> np.ndarray:
    """Relative strength index, 0 to 100."""
    change = close - previous(close)
    up = wilder(np.maximum(change, 0.0), n)
    down = wilder(np.maximum(-change, 0.0), n)
    total = up + down
    return np.divide(100.0 * up, total, out=_flat(total), where=total > 0)


def true_range(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    """High to low, the close before included; NaN for the first bar."""
    before = previous(close)
    return np.maximum(high, before) - np.minimum(low, before)


def atr(high: np.ndarray, low: np.ndarray, close: np.ndarray, n: int = 14) -> np.ndarray:
    """Average true range."""
    return wilder(true_range(high, low, close), n)


def directional(
    high: np.ndarray, low: np.ndarray, close: np.ndarray, n: int = 14
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """+DI, -DI and ADX, 0 to 100; 0 where prices do not move."""
    rise, fall = high - previous(high), previous(low) - low
    plus = wilder(np.where((rise > fall) & (rise > 0), rise, 0.0 * rise), n)
    minus = wilder(np.where((fall > rise) & (fall > 0), fall, 0.0 * fall), n)
    average = atr(high, low, close, n)
    moves = average > 0
    plus = np.divide(100.0 * plus, average, out=0.0 * average, where=moves)
    minus = np.divide(100.0 * minus, average, out=0.0 * average, where=moves)
    total = plus + minus
    dx = np.divide(100.0 * np.abs(plus - minus), total, out=0.0 * total, where=total > 0)
    dx[np.isnan(close)] = np.nan  # what is held over a gap is not counted again
    return plus, minus, wilder(dx, n)


def bollinger(
    close: np.ndarray, n: int = 20, width: float = 2.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower band, SMA and upper band."""
    mean = sma(close, n)
    x = np.nan_to_num(close)
    variance = window_sums(x * x, [n])[0] / n - mean * mean
    variance[variance < ROUNDING * mean * mean] = 0.0
    band = width * np.sqrt(variance)
    return mean - band, mean, mean + band


def macd(
    close: np.ndarray, fast: int = 12, slow: int = 26, signal: int = 9
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Line (fast EMA - slow EMA), its EMA as the signal, and their difference."""
    line = ema(close, fast) - ema(close, slow)
    line[np.isnan(close)] = np.nan
    average = ema(line, signal)
    return line, average, line - average


def stochastic(
    high: np.ndarray, low: np.ndarray, close: np.ndarray, n: int = 14, k: int = 3, d: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Slow %K (mean of k raw values) and %D (mean of d of those), 0 to 100."""
    top = window_extremes(high, [n], np.fmax)[0]
    bottom = window_extremes(low, [n], np.fmin)[0]
    raw = position(close, bottom, top)
    raw[: n - 1] = np.nan
    slow = sma(raw, k)
    return slow, sma(slow, d)


def position(x: np.ndarray, bottom: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Where x lies between bottom (0) and top (100); 50 where they are equal."""
    span = top - bottom
    result = _flat(span + x)
    return np.divide(100.0 * (x - bottom), span, out=result, where=span > 0)


def obv(close: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """On-balance volume, 0 at the first row."""
    return np.cumsum(signed_volume(close, volume), axis=0)


def signed_volume(close: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """Volume with the sign of the close's change, 0 without a change, a bar, or one before it."""
    return np.nan_to_num(np.sign(close - previous(close)) * volume)


def _flat(like: np.ndarray) -> np.ndarray:
    """FLAT where `like` is a number, NaN elsewhere."""
    return np.where(np.isnan(like), np.nan, FLAT)
