"""Performance of the books per day, week and month, as known at each day's end."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from predtrack_assets.days import Window, last_days_of
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.domain.trading.following import total_returns
from predtrack_assets.domain.trading.period_performance import daily_returns, period_performance
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets.warehouse.market.epochs import (
    Epoch,
    equal_weight_returns,
    market_epochs,
    read_panel,
)
from predtrack_assets.warehouse.trading import performance as store

UNITS = {"WEEK": "W", "MONTH": "M"}


def strategy_periods(transaction: Transaction, asked: Window, settings: Settings) -> pl.DataFrame:
    """Rows of trading.strategy_performance for the periods that end in `asked`.

    Days all of them; weeks and months once their last trading day is among them.
    """
    first = (asked.start.replace(day=1) - timedelta(days=7)).replace(day=1)
    span = {"first": first, "last": asked.end}
    states = transaction.read(store.STATES, first=first - timedelta(days=10), last=asked.end)
    days = daily_returns(states.with_columns(pl.col("equity", "capital").cast(pl.Float64)))
    days = days.filter(pl.col("trading_day") >= first)
    trades = transaction.read(store.TRADES, **span)
    fills = transaction.read(store.FILLS, **span)
    found = []
    for epoch in market_epochs(transaction, asked.days, asked.opens):
        known = days.join(
            benchmark_returns(transaction, first, epoch, settings.benchmark),
            on="trading_day", how="left", maintain_order="left",
        )  # fmt: skip
        for period_type in ("DAY", "WEEK", "MONTH"):
            ends = epoch.days
            if period_type != "DAY":
                ends = last_days_of(UNITS[period_type], ends)
            rows = period_performance(known, trades, fills, period_type)
            of_ends = pl.Series(ends).cast(pl.Date).implode()
            found.append(rows.filter(pl.col("period_end").is_in(of_ends)))
    frame = pl.concat(found, how="vertical_relaxed")
    return frame.select(tables.STRATEGY_PERFORMANCE.columns)


def benchmark_returns(
    transaction: Transaction, first: date, epoch: Epoch, benchmark: str
) -> pl.DataFrame:
    """trading_day and `benchmark`, its total return since the bar before, as known at the epoch's end."""
    listed = transaction.read(market_queries.SYMBOLS).filter(pl.col("symbol") == benchmark)
    empty = pl.DataFrame(schema={"trading_day": pl.Date, "benchmark": pl.Float64})
    if listed.is_empty():
        days = np.arange(np.datetime64(first), np.datetime64(epoch.last) + 1)
        returns = equal_weight_returns(transaction, days)
        there = np.isfinite(returns)
        known = {"trading_day": pl.Series(days[there]).cast(pl.Date), "benchmark": returns[there]}
        return pl.DataFrame(known)
    exchange = calendar(listed["exchange"].item())
    panel = read_panel(transaction, [benchmark], exchange, first - timedelta(days=10), epoch)
    if not len(panel.symbols):
        return empty
    there = np.isfinite(panel.close[0])
    return pl.DataFrame(
        {
            "trading_day": pl.Series(panel.sessions[there]).cast(pl.Date),
            "benchmark": total_returns(panel)[0][there],
        }
    )
