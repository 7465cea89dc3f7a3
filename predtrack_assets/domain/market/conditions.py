"""The market's condition on each day: regime, returns, volatility level, breadth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.market.returns import daily_returns, forward_returns, shift

LOOKBACK = 70
"""Sessions before a day that its condition may touch."""

MEAN_WINDOW, MIN_CLOSES = 50, 40
TREND_WINDOW, TREND = 63, 0.03
VOLATILE = 30.0  # percent a year: about the top tenth of VIX closes since 1990
EQUAL_WEIGHT = "equal_weight"
"""The benchmark where none is given: the mean of the stocks' returns, a day at a time."""

VIX_CATEGORIES = ((15.0, "low"), (25.0, "moderate"), (35.0, "high"), (np.inf, "extreme"))


def market_conditions(
    panel: Panel,
    benchmark: str,
    vix: str,
    stocks: set[str],
    days: np.ndarray,
) -> pl.DataFrame:
    """One row for each of `days` (datetime64[D]) on which the benchmark has a bar.

    benchmark: a symbol, or EQUAL_WEIGHT: the mean of the returns of `stocks`.
    panel: benchmark, VIX (if any) and stocks from LOOKBACK sessions before days[0]. Returns are
    log returns; volatility in percent a year, from the VIX close or else the benchmark's realised
    21-session volatility, as vix_source says. Breadth counts `stocks` with a 50-session mean.

    >>> from predtrack_assets.domain.market.panel import Panel
    >>> days, close = np.arange("2024-01-02", "2024-01-05", dtype="M8[D]"), np.array([[5.0, 5.1, 5.2]])
    >>> one, none = np.ones((1, 3)), np.zeros((1, 3))
    >>> panel = Panel(np.array(["^I"]), days, *[close] * 4, none, one, none, days[None])
    >>> market_conditions(panel, "^I", "^VIX", set(), days[1:])["daily_return"].round(4).to_list()
    [0.0198, 0.0194]
    """
    names = panel.symbols.tolist()
    asked = np.isin(panel.sessions, days)
    if benchmark not in [*names, EQUAL_WEIGHT]:
        return _frame(panel.sessions[:0], benchmark, {})
    counted = np.isin(panel.symbols, sorted(stocks))[:, None]
    distance = panel.close / _mean_close(panel) - 1
    if benchmark == EQUAL_WEIGHT:
        market = _equal_weight(daily_returns(panel), counted)
    else:
        row = names.index(benchmark)
        market = _Market(
            daily_returns(panel)[row],
            _backward(panel, 5)[row],
            _backward(panel, TREND_WINDOW)[row],
            distance[row],
            np.isfinite(panel.close[row]),
        )
    realised = _realised_volatility(market.daily)
    implied = panel.close[names.index(vix)] if vix in names else np.full_like(realised, np.nan)
    level = np.where(np.isfinite(implied), implied, realised)

    counted = np.isfinite(distance) & counted
    number = counted.sum(axis=0)
    above = ((distance > 0) & counted).sum(axis=0)
    chosen = asked & market.there
    columns = {
        "market_regime": _regime(level, market.distance, market.trend),
        "daily_return": market.daily,
        "weekly_return": market.weekly,
        "distance_to_ma50": market.distance,
        "vix_level": level,
        "vix_category": _category(level),
        "vix_source": np.where(np.isfinite(implied), "implied", "realised"),
        "market_breadth": np.where(number > 0, above / np.maximum(number, 1), np.nan),
        "symbols_counted": number,
    }
    return _frame(panel.sessions[chosen], benchmark, {k: v[chosen] for k, v in columns.items()})


@dataclass(frozen=True)
class _Market:
    """The benchmark's log returns over 1, 5 and TREND_WINDOW sessions, its distance from its mean of
    50 closes, and where it has a bar; (sessions,)."""

    daily: np.ndarray
    weekly: np.ndarray
    trend: np.ndarray
    distance: np.ndarray
    there: np.ndarray


def _equal_weight(returns: np.ndarray, counted: np.ndarray) -> _Market:
    """The index of the mean return of the rows `counted` ((symbols, 1)), from log returns.

    Sums run backward from each day, so that a day has the same bits wherever the panel starts.
    """
    growth = np.where(np.isfinite(returns) & counted, np.expm1(returns), np.nan)
    number = np.isfinite(growth).sum(axis=0)
    daily = np.full(growth.shape[1], np.nan)
    there = number > 0
    daily[there] = np.log1p(np.nansum(growth[:, there], axis=0) / number[there])
    total, mean = np.zeros_like(daily), np.ones_like(daily)  # of the closes, today's being 1
    sums = {}
    for k in range(1, TREND_WINDOW + 1):
        total += shift(daily[None], k - 1)[0]
        sums[k] = total.copy()
        if k < MEAN_WINDOW:
            mean += np.exp(-total)
    return _Market(daily, sums[5], sums[TREND_WINDOW], MEAN_WINDOW / mean - 1, there)


def _frame(days: np.ndarray, benchmark: str, columns: dict[str, np.ndarray]) -> pl.DataFrame:
    frame = pl.DataFrame({"trading_day": days, **columns}).with_columns(
        pl.lit(benchmark).alias("benchmark")
    )
    if frame.is_empty():
        return frame
    unmeasured = pl.col("vix_level").is_nan()
    return frame.with_columns(
        pl.when(~unmeasured).then(pl.col(name)).alias(name)
        for name in ("vix_category", "vix_source")
    ).with_columns(pl.selectors.float().fill_nan(None))


def _backward(panel: Panel, sessions: int) -> np.ndarray:
    return shift(forward_returns(panel, sessions), sessions)


def _mean_close(panel: Panel) -> np.ndarray:
    """Mean of the last 50 closes in the share basis of each day; NaN with fewer than 40."""
    present = np.isfinite(panel.close)
    closes = np.where(present, panel.close, 0.0)
    total, count = closes.copy(), present.astype(np.int64)
    for k, shares in panel.shares_after(MEAN_WINDOW - 1):
        n = closes.shape[1] - k
        total[:, k:] += closes[:, :n] / shares
        count[:, k:] += present[:, :n]
    return np.where(count >= MIN_CLOSES, total / np.maximum(count, 1), np.nan)


def _realised_volatility(returns: np.ndarray, window: int = 21) -> np.ndarray:
    """Standard deviation of the last 21 daily returns, in percent a year (252 sessions)."""
    result = np.full(len(returns), np.nan)
    if len(returns) >= window:
        windows = np.lib.stride_tricks.sliding_window_view(returns, window)
        mean = sum(windows[:, k] for k in range(window)) / window
        variance = sum((windows[:, k] - mean) ** 2 for k in range(window)) / (window - 1)
        result[window - 1 :] = 100 * np.sqrt(252 * variance)
    return result


def _regime(level: np.ndarray, distance: np.ndarray, trend: np.ndarray) -> np.ndarray:
    """Volatile above 30 %; bull or bear when mean and three-month trend agree; else sideways."""
    return np.select(
        [level >= VOLATILE, (distance > 0) & (trend > TREND), (distance < 0) & (trend < -TREND)],
        ["volatile", "bull", "bear"],
        default="sideways",
    )


def _category(level: np.ndarray) -> np.ndarray:
    limits, names = zip(*VIX_CATEGORIES, strict=True)
    index = np.searchsorted(np.array(limits[:-1]), np.nan_to_num(level), side="right")
    return np.array(names)[index]
