"""What books earned in days, weeks and months: sums of closed trades, ratios of daily returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.statistics import returns as ratios

PERIODS = {"DAY": "1d", "WEEK": "1w", "MONTH": "1mo"}
MIN_SESSIONS = 15  # below which a ratio of daily returns says nothing

_PNL = pl.col("net_pnl")
_TRADES = {
    "total_trades": pl.len(),
    "winning_trades": (_PNL > 0).sum(),
    "losing_trades": (_PNL < 0).sum(),
    "breakeven_trades": (_PNL == 0).sum(),
    "gross_profit": _PNL.filter(_PNL > 0).sum(),
    "gross_loss": _PNL.filter(_PNL < 0).sum(),
    "net_pnl": _PNL.sum(),
    "avg_win": _PNL.filter(_PNL > 0).mean(),
    "avg_loss": _PNL.filter(_PNL < 0).mean(),
    "avg_trade": _PNL.mean(),
    "largest_win": _PNL.filter(_PNL > 0).max(),
    "largest_loss": _PNL.filter(_PNL < 0).min(),
}
_COUNTS = ("total_trades", "winning_trades", "losing_trades", "breakeven_trades")
_MONEY = ("gross_profit", "gross_loss", "net_pnl", "total_commission", "total_slippage")


def daily_returns(states: pl.DataFrame) -> pl.DataFrame:
    """`states` (book, trading_day, equity, capital), sorted, with `daily_return` and `before`.

    before: equity of the day before, of the first day the capital.
    """
    before = pl.col("equity").shift(1).over("book").fill_null(pl.col("capital"))
    return states.sort("book", "trading_day").with_columns(
        before.alias("before"), (pl.col("equity") / before - 1).alias("daily_return")
    )


def period_performance(
    days: pl.DataFrame, trades: pl.DataFrame, fills: pl.DataFrame, period_type: str
) -> pl.DataFrame:
    """One row per book and period, in the columns of trading.strategy_performance.

    days: book, trading_day, equity, before, daily_return, benchmark (null without one); whole
    periods only. trades: book, closed, net_pnl. fills: book, trading_day, amount, fee, slippage.
    Ratios are null below 15 days, a profit factor without a loss.
    """
    every = PERIODS[period_type]

    def keyed(frame: pl.DataFrame, day: str) -> pl.DataFrame:
        return frame.with_columns(pl.col(day).dt.truncate(every).alias("period_start"))

    key = ["book", "period_start"]
    by_period = (
        keyed(days, "trading_day")
        .group_by(key, maintain_order=True)
        .agg(
            period_end=pl.col("trading_day").max(),
            sessions=pl.len(),
            equity=pl.col("equity").last(),
            period_return=pl.col("equity").last() / pl.col("before").first() - 1,
            benchmark_return=pl.when(pl.col("benchmark").null_count() == 0).then(
                (1 + pl.col("benchmark")).product() - 1
            ),
            mean_equity=pl.col("equity").mean(),
            returns=pl.col("daily_return"),
        )
    )
    of_trades = keyed(trades, "closed").group_by(key).agg(**_TRADES)
    of_fills = (
        keyed(fills, "trading_day")
        .group_by(key)
        .agg(
            total_commission=pl.col("fee").sum(),
            total_slippage=pl.col("slippage").sum(),
            traded=pl.col("amount").sum(),
        )
    )
    found = by_period.join(of_trades, on=key, how="left").join(of_fills, on=key, how="left")
    ratio_rows = [_ratios(np.array(r, np.float64)) for r in found["returns"].to_list()]
    found = found.with_columns(
        pl.lit(period_type).alias("period_type"),
        pl.col(*_COUNTS).fill_null(0),
        pl.col(*_MONEY).fill_null(0.0).round(2),
        (pl.col("traded").fill_null(0.0) / (2 * pl.col("mean_equity"))).alias("turnover"),
        pl.when(pl.col("total_trades") > 0)
        .then(pl.col("winning_trades") / pl.col("total_trades"))
        .alias("win_rate"),
        pl.when(pl.col("gross_loss") < 0)
        .then(pl.col("gross_profit") / -pl.col("gross_loss"))
        .alias("profit_factor"),
    )
    schema = dict.fromkeys(_RATIOS, pl.Float64)
    shown = pl.DataFrame(ratio_rows, schema=schema, orient="row")
    return pl.concat([found, shown], how="horizontal").drop("returns", "mean_equity", "traded")


_RATIOS = (
    "max_drawdown", "max_drawdown_sessions", "sharpe_ratio", "sortino_ratio", "calmar_ratio",
)  # fmt: skip


def _ratios(returns: Floats) -> tuple[Any, ...]:
    """In the order of _RATIOS, None where there is none."""
    if returns.size < 2:
        return (None,) * len(_RATIOS)
    fallen = float(ratios.max_drawdown(returns)), float(ratios.drawdown_duration(returns))
    if returns.size < MIN_SESSIONS:
        return (*fallen, None, None, None)
    found = (ratios.sharpe(returns), ratios.sortino(returns), ratios.calmar(returns))
    return (*fallen, *(float(r) if np.isfinite(r) else None for r in found))
