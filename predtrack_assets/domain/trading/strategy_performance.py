"""What following each model earned after cost, beside holding the same symbols, over its record.

Computed from daily P&L: one row per model, kind, horizon and trading day with the sums of
`following.StrategyPnl`. Returns are simple, per session on which anything was outstanding.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from predtrack_assets.domain.numerics.types import Days, Floats, Ints
from predtrack_assets.domain.statistics.expanding import ORDINATES, return_moments, totals
from predtrack_assets.domain.statistics.returns import PERIODS, drawdowns

CELL = ["model_id", "kind", "horizon"]
PNL = ["profit", "market", "capital_deployed", "gross_exposure", "net_exposure"]
SCHEMA: dict[str, Any] = {
    "as_of_day": pl.Date,
    **dict.fromkeys(("model_id", "kind"), pl.String),
    **dict.fromkeys(("horizon", "sessions"), pl.Int64),
    **dict.fromkeys(
        (
            "strategy_return", "strategy_return_annual", "strategy_drawdown", "sharpe_ratio",
            "sharpe_low", "sharpe_high", "hold_return", "hold_return_annual", "hold_drawdown",
            "hold_sharpe", "gross_exposure",
        ),
        pl.Float64,
    ),
}  # fmt: skip


class Equity(NamedTuple):
    """Daily returns (T,) of a strategy after cost and of holding its symbols, and what was invested.

    gross, net: BUY and SELL, and BUY less SELL, as fractions of the capital.
    """

    days: Days
    strategy: Floats
    hold: Floats
    gross: Floats
    net: Floats


def equity(pnl: pl.DataFrame) -> Equity:
    """Of one cell's rows (trading_day and PNL), sorted by day."""
    profit, market, capital, gross, net = (pnl[name].to_numpy() for name in PNL)
    days = pnl["trading_day"].to_numpy().astype("datetime64[D]")
    return Equity(days, profit / capital, market / capital, gross / capital, net / capital)


def strategy_performance(
    pnl: pl.DataFrame, report_days: Days, risk_free: float = 0.0
) -> pl.DataFrame:
    """One row per cell and report day with any session before its end: SCHEMA, sorted.

    pnl: CELL, trading_day and PNL, capital_deployed above 0; report_days: sorted datetime64[D];
    risk_free: simple, a year, what cash beside the positions earns in the Sharpe ratios. Their
    interval is 95 %, with the long-run variance of fixed smoothing.
    """
    frames = [
        _of_cell(dict(zip(CELL, key, strict=True)), equity(part), report_days, risk_free)
        for key, part in pnl.sort(*CELL, "trading_day").group_by(CELL, maintain_order=True)
    ]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *frames]).sort("as_of_day", *CELL)


def _of_cell(
    key: dict[str, Any], record: Equity, report_days: Days, risk_free: float
) -> pl.DataFrame:
    sizes = np.searchsorted(record.days, report_days, side="right").astype(np.int64)
    shown = sizes > 0
    sizes = sizes[shown]
    daily = risk_free / PERIODS
    excess = record.strategy - record.net * daily
    sharpe, low, high = sharpe_interval(excess, sizes)
    kept, kept_a_year, fallen = _growth(record.strategy, sizes)
    held, held_a_year, held_fallen = _growth(record.hold, sizes)
    columns: dict[str, Any] = {
        "as_of_day": pl.Series(report_days[shown]).cast(pl.Date),
        **{name: pl.lit(value) for name, value in key.items()},
        "sessions": sizes,
        "strategy_return": kept,
        "strategy_return_annual": kept_a_year,
        "strategy_drawdown": fallen,
        "sharpe_ratio": sharpe,
        "sharpe_low": low,
        "sharpe_high": high,
        "hold_return": held,
        "hold_return_annual": held_a_year,
        "hold_drawdown": held_fallen,
        "hold_sharpe": return_moments(record.hold - daily, sizes).sharpe * np.sqrt(PERIODS),
        "gross_exposure": totals(record.gross, sizes) / sizes,
    }
    frame = pl.select(**columns).with_columns(pl.selectors.float().fill_nan(None))
    return frame.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def sharpe_interval(excess: Floats, sizes: Ints) -> tuple[Floats, Floats, Floats]:
    """Sharpe ratios a year of the first n daily returns, and their 95 % intervals, all (W,).

    Delta method: the ratio moves with z - SR (z^2 - 1) / 2 of each standardised return z, whose
    long-run variance is the mean of 3 periodogram ordinates; Student's t with 6 degrees. NaN for
    fewer than 63 sessions, or where returns do not vary.

    >>> returns = np.random.default_rng(0).normal(0.001, 0.01, 500)
    >>> ratio, low, high = sharpe_interval(returns, np.array([10, 500]))
    >>> np.isnan(low).tolist(), bool(low[1] < ratio[1] < high[1])
    ([True, False], True)
    """
    from scipy.special import stdtrit

    ratio = return_moments(excess, sizes).sharpe
    error = np.full(sizes.size, np.nan)
    for i, n in enumerate(sizes):
        if n < 63 or np.isnan(ratio[i]):
            continue
        first = excess[:n]
        z = (first - first.mean()) / first.std(ddof=1)
        influence = z - ratio[i] / 2 * (np.square(z) - 1)
        spectrum = np.fft.rfft(influence)[1 : ORDINATES + 1]
        error[i] = np.sqrt(np.mean(np.square(np.abs(spectrum))) / n / n)
    half = float(stdtrit(2 * ORDINATES, 0.975)) * error
    year = np.sqrt(PERIODS)
    return ratio * year, (ratio - half) * year, (ratio + half) * year


def _growth(returns: Floats, sizes: Ints) -> tuple[Floats, Floats, Floats]:
    """Total and annual return and the largest drawdown (W,) of the first n daily returns."""
    wealth = np.asarray(np.cumprod(1 + returns)[sizes - 1], np.float64)
    with np.errstate(invalid="ignore"):
        annual = wealth ** (PERIODS / sizes) - 1
    worst: Floats = np.maximum.accumulate(drawdowns(returns))[sizes - 1]
    return wealth - 1, annual, np.minimum(worst, 1.0)
