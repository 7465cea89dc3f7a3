"""Features of a symbol's own bars (and of its moves beside the benchmark's), all free of scale.

Every function takes and gives matrices of shape (sessions, symbols), NaN where a value is unknown.
Windows of n sessions want MIN_SHARE of them; a gap of up to HOLD sessions stands for the last close.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from predtrack_assets.domain import indicators
from predtrack_assets.domain.rolling import (
    ema,
    hold,
    shift,
    smooth,
    window_extremes,
    window_sums,
)
from predtrack_assets.domain.symbol_regimes import filtered_regimes

RETURNS = (1, 5, 10, 21, 63, 126, 252)
VOLATILITIES = (5, 10, 21, 63, 126, 252)
MONTH, QUARTER, YEAR = 21, 63, 252
HOLD = 4
MIN_SHARE = 0.8
EWMA_ALPHA, EWMA_SEED = 0.06, 20  # RiskMetrics: lambda 0.94

COLUMNS = (
    *(f"return_{n}" for n in RETURNS),
    *(f"volatility_{n}" for n in VOLATILITIES),
    "ewma_volatility", "parkinson_volatility_21", "garman_klass_volatility_21",
    "rsi_14", "atr_14", "ema_20", "ema_50", "sma_50", "sma_200", "bollinger_percent",
    "bollinger_width", "macd_line", "macd_signal", "macd_histogram", "adx_14", "plus_di_14",
    "minus_di_14", "stochastic_k", "stochastic_d", "obv_slope_21", "volume_z_21",
    "dollar_volume_21", "gap", "intraday_range", "high_252", "low_252", "high_21", "low_21",
    "drawdown_252", "skew_63", "kurtosis_63", "autocorrelation_63", "beta_63", "correlation_63",
    "relative_strength_63", "symbol_regime", "symbol_regime_confidence",
)  # fmt: skip

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Bars:
    """Bars in the shares of one day, float64 (sessions, symbols), NaN without a bar."""

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray


def bar_features_of(bars: Bars, benchmark_return: np.ndarray) -> Columns:
    """A matrix for each of COLUMNS. benchmark_return: (sessions,), as in MarketContext."""
    with np.errstate(all="ignore"):  # NaN and infinities mean unknown
        log_close = np.log(bars.close)
        held = hold(log_close, HOLD)
        returns = {f"return_{n}": log_close - shift(held, n) for n in RETURNS}
        step = log_close - shift(held, 1)
        volatilities, moments = _moments(step)
        return {
            **returns,
            **volatilities,
            **_ranges(bars, step),
            **_trend(bars),
            **_oscillators(bars),
            **_volumes(bars, shift(held, 1)),
            **_extremes(bars, log_close),
            **moments,
            **_beside_benchmark(log_close, returns["return_63"], benchmark_return),
            **_regime(step, volatilities["volatility_252"]),
        }


def _enough(count: np.ndarray, n: int) -> np.ndarray:
    """The count where it is at least MIN_SHARE of n, NaN elsewhere."""
    return np.where(count >= ceil(MIN_SHARE * n), count, np.nan)


def _window_means(x: np.ndarray, n: int) -> np.ndarray:
    """Mean of the numbers among the last n rows."""
    missing = np.isnan(x)
    total = window_sums(np.where(missing, 0.0, x), [n])[0]
    return total / _enough(window_sums((~missing).astype(np.int16), [n])[0], n)


def _moments(step: np.ndarray) -> tuple[Columns, Columns]:
    """Sample deviations of daily log returns; and their skew, excess kurtosis and autocorrelation."""
    missing = np.isnan(step)
    x = np.where(missing, 0.0, step)
    square = x * x
    counts = window_sums((~missing).astype(np.int16), VOLATILITIES)
    firsts, seconds = window_sums(x, VOLATILITIES), window_sums(square, VOLATILITIES)
    volatilities = {}
    for n, count, first, second in zip(VOLATILITIES, counts, firsts, seconds, strict=True):
        number = _enough(count, n)
        variance = (second - first * first / number) / (number - 1)
        volatilities[f"volatility_{n}"] = np.sqrt(np.maximum(variance, 0.0))

    at = VOLATILITIES.index(QUARTER)
    number = _enough(counts[at], QUARTER)
    mean, raw2 = firsts[at] / number, seconds[at] / number
    raw3 = window_sums(square * x, [QUARTER])[0] / number
    raw4 = window_sums(square * square, [QUARTER])[0] / number
    lagged = window_sums(x * shift(x, 1, 0.0), [QUARTER])[0] / number
    squared = mean * mean
    variance = raw2 - squared
    variance[variance <= 1e-9 * raw2] = np.nan  # no more than rounding
    third = raw3 - 3 * mean * raw2 + 2 * mean * squared
    fourth = raw4 - 4 * mean * raw3 + 6 * squared * raw2 - 3 * squared * squared
    return volatilities, {
        "skew_63": third / (variance * np.sqrt(variance)),
        "kurtosis_63": fourth / (variance * variance) - 3.0,
        "autocorrelation_63": (lagged - squared) / variance,
    }


def _ranges(bars: Bars, step: np.ndarray) -> Columns:
    """Volatility from single bars: EWMA, Parkinson (1980), Garman and Klass (1980)."""
    spread = np.log(bars.high / bars.low)
    inside = np.log(bars.close / bars.open)
    square = spread * spread
    garman_klass = 0.5 * square - (2 * np.log(2) - 1) * inside * inside
    return {
        "ewma_volatility": np.sqrt(smooth(step * step, EWMA_SEED, EWMA_ALPHA)),
        "parkinson_volatility_21": np.sqrt(_window_means(square, MONTH) / (4 * np.log(2))),
        "garman_klass_volatility_21": np.sqrt(np.maximum(_window_means(garman_klass, MONTH), 0.0)),
        "intraday_range": spread,
    }


def _trend(bars: Bars) -> Columns:
    """Distances ln(close / mean), MACD over the close, and directional movement."""
    close = bars.close
    held = hold(close, HOLD)
    line, signal, histogram = indicators.macd(close)
    plus, minus, adx = indicators.directional(bars.high, bars.low, close)
    return {
        "ema_20": np.log(close / ema(close, 20)),
        "ema_50": np.log(close / ema(close, 50)),
        "sma_50": np.log(close / indicators.sma(held, 50)),
        "sma_200": np.log(close / indicators.sma(held, 200)),
        "macd_line": line / close,
        "macd_signal": signal / close,
        "macd_histogram": histogram / close,
        "adx_14": adx,
        "plus_di_14": plus,
        "minus_di_14": minus,
    }


def _oscillators(bars: Bars) -> Columns:
    high, low, close = (hold(x, HOLD) for x in (bars.high, bars.low, bars.close))
    bottom, middle, top = indicators.bollinger(close)
    slow, slower = indicators.stochastic(high, low, close)
    return {
        "rsi_14": indicators.rsi(bars.close),
        "atr_14": indicators.atr(bars.high, bars.low, bars.close) / bars.close,
        "bollinger_percent": indicators.position(close, bottom, top) / 100.0,
        "bollinger_width": (top - bottom) / middle,
        "stochastic_k": slow,
        "stochastic_d": slower,
    }


def _volumes(bars: Bars, last_log_close: np.ndarray) -> Columns:
    """Volume against its own past; unknown where there is none, as for most indices."""
    flow = indicators.signed_volume(bars.close, bars.volume)
    flow, turned = window_sums(flow, [MONTH])[0], _window_means(bars.volume, MONTH)
    number = window_sums((~np.isnan(bars.volume)).astype(np.int16), [MONTH])[0]
    log_volume = np.log(np.where(bars.volume > 0, bars.volume, np.nan))
    mean = _window_means(log_volume, MONTH)
    variance = _window_means(log_volume * log_volume, MONTH) - mean * mean
    deviation = np.sqrt(np.where(variance > 1e-9, variance, np.nan))
    return {
        "obv_slope_21": flow / (turned * number),
        "volume_z_21": (log_volume - mean) / deviation,
        "dollar_volume_21": np.log(_window_means(bars.close * bars.volume, MONTH)),
        "gap": np.log(bars.open) - last_log_close,
    }


def _extremes(bars: Bars, log_close: np.ndarray) -> Columns:
    """ln(close / extreme) of the last month and year."""
    counts = window_sums((~np.isnan(bars.close)).astype(np.int16), [MONTH, YEAR])
    month, year = (
        np.where(np.isnan(_enough(c, n)), np.nan, log_close)
        for c, n in zip(counts, (MONTH, YEAR), strict=True)
    )
    high_month, high_year = window_extremes(bars.high, [MONTH, YEAR], np.fmax)
    low_month, low_year = window_extremes(bars.low, [MONTH, YEAR], np.fmin)
    return {
        "high_252": year - np.log(high_year),
        "low_252": year - np.log(low_year),
        "high_21": month - np.log(high_month),
        "low_21": month - np.log(low_month),
        "drawdown_252": year - window_extremes(log_close, [YEAR], np.fmax)[0],
    }


def _beside_benchmark(
    log_close: np.ndarray, quarter: np.ndarray, benchmark_return: np.ndarray
) -> Columns:
    """Beta, correlation and excess return; pairs of returns over exactly one session."""
    step = log_close - shift(log_close, 1)
    market = benchmark_return[:, None]
    missing = np.isnan(step) | np.isnan(market)
    x = np.where(missing, 0.0, market)
    y = np.where(missing, 0.0, step)
    number = _enough(window_sums((~missing).astype(np.int16), [QUARTER])[0], QUARTER)
    sum_x, sum_y, xx, yy, xy = (
        window_sums(part, [QUARTER])[0] for part in (x, y, x * x, y * y, x * y)
    )
    covariance = xy - sum_x * sum_y / number
    of_market = xx - sum_x * sum_x / number
    of_symbol = yy - sum_y * sum_y / number
    of_market[of_market <= 1e-9 * xx] = np.nan
    of_symbol[of_symbol <= 1e-9 * yy] = np.nan
    seen = ~np.isnan(market)
    gained = window_sums(np.where(seen, market, 0.0), [QUARTER])[0]
    known = _enough(window_sums(seen.astype(np.int16), [QUARTER])[0], QUARTER)
    return {
        "beta_63": covariance / of_market,
        "correlation_63": np.clip(covariance / np.sqrt(of_market * of_symbol), -1.0, 1.0),
        "relative_strength_63": quarter - np.where(np.isnan(known), np.nan, gained),
    }


def _regime(step: np.ndarray, volatility: np.ndarray) -> Columns:
    """By returns over the volatility known the session before."""
    code, confidence = filtered_regimes(step / shift(volatility, 1))
    return {"symbol_regime": code, "symbol_regime_confidence": confidence}
