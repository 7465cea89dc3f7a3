"""Features of a symbol's own bars (and of its moves beside the benchmark's), all free of scale.

Every function takes and gives matrices of shape (symbols, sessions), NaN where a value is unknown.
Windows of n sessions want MIN_SHARE of them; a gap of up to HOLD sessions stands for the last close.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from predtrack_assets.domain.features import indicators
from predtrack_assets.domain.features.indicators import (
    ema,
    hold,
    smooth,
    window_counts,
    window_extremes,
    window_means,
    window_sums,
)
from predtrack_assets.domain.features.symbol_regimes import filtered_regimes
from predtrack_assets.domain.market.panel import Panel

RETURNS = (1, 5, 10, 21, 63, 126, 252)
VOLATILITIES = (5, 10, 21, 63, 126, 252)
MONTH, QUARTER, YEAR = 21, 63, 252
HOLD = 4
MIN_SHARE = 0.8
EWMA_ALPHA, EWMA_SEED = 0.06, 20  # RiskMetrics: lambda 0.94

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Bars:
    """Bars in the shares of one day, float64 (symbols, sessions), NaN without a bar."""

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray


def bars_of(panel: Panel, symbols: slice, sessions: slice) -> Bars:
    """Bars of some symbols and sessions in the shares of the first of these sessions."""
    split = panel.split[symbols, sessions].copy()
    split[:, 0] = 1.0
    shares = np.cumprod(split, axis=1)

    def price(matrix: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(matrix[symbols, sessions] * shares)

    return Bars(
        open=price(panel.open),
        high=price(panel.high),
        low=price(panel.low),
        close=price(panel.close),
        volume=np.ascontiguousarray(panel.volume[symbols, sessions] / shares),
    )


def bar_features_of(bars: Bars, benchmark_return: np.ndarray) -> Columns:
    """A matrix for each of features.BAR_COLUMNS. benchmark_return: (sessions,), as in MarketContext."""
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


def shift(x: np.ndarray, sessions: int, fill: float = np.nan) -> np.ndarray:
    """Numbers moved to the session `sessions` later, `fill` before them."""
    shifted = np.empty_like(x)
    shifted[:, :sessions] = fill
    shifted[:, sessions:] = x[:, : max(x.shape[1] - sessions, 0)]
    return shifted


def _fewest(n: int) -> int:
    return ceil(MIN_SHARE * n)


def _enough(x: np.ndarray, n: int) -> np.ndarray:
    """How many of the last n are numbers, where that is enough, NaN elsewhere."""
    count = window_counts(x, n)
    count[count < _fewest(n)] = np.nan
    return count


def _mean(x: np.ndarray, n: int) -> np.ndarray:
    """Of the numbers among the last n sessions."""
    return window_means(x, n, _fewest(n))


def _sum(x: np.ndarray, n: int) -> np.ndarray:
    return window_sums(x, np.array([n]))[:, 0]


def _moments(step: np.ndarray) -> tuple[Columns, Columns]:
    """Sample deviations of daily log returns; and their skew, excess kurtosis and autocorrelation."""
    x = np.where(np.isnan(step), 0.0, step)
    square = x * x
    counts = {n: _enough(step, n) for n in VOLATILITIES}
    windows = np.array(VOLATILITIES)
    firsts, seconds = window_sums(x, windows), window_sums(square, windows)
    volatilities = {}
    for at, (n, number) in enumerate(counts.items()):
        variance = (seconds[:, at] - firsts[:, at] ** 2 / number) / (number - 1)
        volatilities[f"volatility_{n}"] = np.sqrt(np.maximum(variance, 0.0))

    number, at = counts[QUARTER], VOLATILITIES.index(QUARTER)
    mean, raw2 = firsts[:, at] / number, seconds[:, at] / number
    raw3 = _sum(square * x, QUARTER) / number
    raw4 = _sum(square * square, QUARTER) / number
    lagged = _sum(x * shift(x, 1, 0.0), QUARTER) / number
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
        "parkinson_volatility_21": np.sqrt(_mean(square, MONTH) / (4 * np.log(2))),
        "garman_klass_volatility_21": np.sqrt(np.maximum(_mean(garman_klass, MONTH), 0.0)),
        "intraday_range": spread,
    }


def _trend(bars: Bars) -> Columns:
    """Distances ln(close / mean), MACD over the close, and directional movement."""
    close = bars.close
    held = hold(close, HOLD)
    line, signal, histogram = indicators.macd(close)
    plus, minus, adx = indicators.directional(bars.high, bars.low, close, 14)
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
    flow = _sum(indicators.signed_volume(bars.close, bars.volume), MONTH)
    turned = _mean(bars.volume, MONTH) * _enough(bars.volume, MONTH)
    log_volume = np.log(np.where(bars.volume > 0, bars.volume, np.nan))
    mean = _mean(log_volume, MONTH)
    variance = _mean(log_volume * log_volume, MONTH) - mean * mean
    deviation = np.sqrt(np.where(variance > 1e-9, variance, np.nan))
    return {
        "obv_slope_21": flow / turned,
        "volume_z_21": (log_volume - mean) / deviation,
        "dollar_volume_21": np.log(_mean(bars.close * bars.volume, MONTH)),
        "gap": np.log(bars.open) - last_log_close,
    }


def _extremes(bars: Bars, log_close: np.ndarray) -> Columns:
    """ln(close / extreme) of the last month and year."""
    month, year = (
        np.where(np.isnan(_enough(log_close, n)), np.nan, log_close) for n in (MONTH, YEAR)
    )
    return {
        "high_252": year - np.log(window_extremes(bars.high, YEAR, 1.0)),
        "low_252": year - np.log(window_extremes(bars.low, YEAR, -1.0)),
        "high_21": month - np.log(window_extremes(bars.high, MONTH, 1.0)),
        "low_21": month - np.log(window_extremes(bars.low, MONTH, -1.0)),
        "drawdown_252": year - window_extremes(log_close, YEAR, 1.0),
    }


def _beside_benchmark(
    log_close: np.ndarray, quarter: np.ndarray, benchmark_return: np.ndarray
) -> Columns:
    """Beta, correlation and excess return; pairs of returns over exactly one session."""
    step = log_close - shift(log_close, 1)
    market = benchmark_return[None, :]
    pair = step + market
    missing = np.isnan(pair)
    x = np.where(missing, 0.0, market)
    y = np.where(missing, 0.0, step)
    number = _enough(pair, QUARTER)
    sum_x, sum_y, xx, yy, xy = (_sum(part, QUARTER) for part in (x, y, x * x, y * y, x * y))
    covariance = xy - sum_x * sum_y / number
    of_market = xx - sum_x * sum_x / number
    of_symbol = yy - sum_y * sum_y / number
    of_market[of_market <= 1e-9 * xx] = np.nan
    of_symbol[of_symbol <= 1e-9 * yy] = np.nan
    gained = _sum(np.nan_to_num(market), QUARTER)
    known = _enough(np.ascontiguousarray(market), QUARTER)
    return {
        "beta_63": covariance / of_market,
        "correlation_63": np.clip(covariance / np.sqrt(of_market * of_symbol), -1.0, 1.0),
        "relative_strength_63": quarter - np.where(np.isnan(known), np.nan, gained),
    }


def _regime(step: np.ndarray, volatility: np.ndarray) -> Columns:
    """By returns over the volatility known the session before."""
    code, confidence = filtered_regimes(step / shift(volatility, 1))
    return {"symbol_regime": code, "symbol_regime_confidence": confidence}
