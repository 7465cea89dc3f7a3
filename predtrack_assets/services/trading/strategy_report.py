"""What each strategy's paper book has earned so far, beside the baselines and the benchmark."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from predtrack_assets.domain.statistics.returns import moments
from predtrack_assets.domain.trading.period_performance import daily_returns
from predtrack_assets.domain.trading.track_record import (
    TrackRecord,
    TradeRecord,
    track_record,
    trade_record,
)
from predtrack_assets.services.trading.strategy_periods import benchmark_returns
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market.epochs import Epoch
from predtrack_assets.warehouse.trading import performance as store

EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)


class StrategyReport(NamedTuple):
    """A book's record. equity, fees, slippage: money; turnover: a year, one-sided.

    daily: trading_day, daily_return, benchmark, gross, net. variance: of the family's Sharpe ratios.
    """

    strategy_id: str
    book: str
    first_day: date
    last_day: date
    capital: float
    equity: float
    fees: float
    slippage: float
    turnover: float
    live_decisions: int
    record: TrackRecord | None
    trades: TradeRecord
    variance: float
    daily: pl.DataFrame


def strategy_reports(transaction: Transaction, settings: Settings) -> list[StrategyReport]:
    """The record of every strategy's book over all of its days, sorted by strategy.

    Trials of the deflated Sharpe ratio are the versions of the family there have ever been and all
    candidates that it searched.
    """
    span = {"first": EARLIEST, "last": LATEST}
    states = transaction.read(store.STATES, **span)
    if states.is_empty():
        return []
    days = daily_returns(states.with_columns(pl.col("equity", "capital").cast(pl.Float64)))
    trades, fills = transaction.read(store.TRADES, **span), transaction.read(store.FILLS, **span)
    first, last = states["trading_day"].min(), states["trading_day"].max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    epoch = Epoch(np.array([last], "datetime64[D]"), first - timedelta(days=1))
    index = benchmark_returns(transaction, first, epoch, settings.benchmark)
    days = days.join(index, on="trading_day", how="left", maintain_order="left")
    about = transaction.read(store.BOOKS)
    variance = _variances(days, about)
    found = []
    for row in about.iter_rows(named=True):
        own = days.filter(pl.col("book") == row["book"])
        if own.is_empty():
            continue
        traded = fills.filter(pl.col("book") == row["book"])
        pnl = trades.filter(pl.col("book") == row["book"])["net_pnl"].to_numpy()
        record = track_record(
            own["daily_return"].to_numpy(),
            own["benchmark"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
            row["trials"],
            variance.get(row["family"], 0.0),
        )
        fees, slippage, amount = (
            float(traded[name].cast(pl.Float64).sum()) for name in ("fee", "slippage", "amount")
        )
        mean_equity = float(np.mean(own["equity"].to_numpy()))
        years = max(len(own), 1) / 252
        found.append(
            StrategyReport(
                row["strategy_id"], row["book"], own["trading_day"][0], own["trading_day"][-1],
                row["capital"], own["equity"][-1], fees, slippage,
                amount / (2 * mean_equity) / years, row["live"], record,
                trade_record(pnl.astype(np.float64)), variance.get(row["family"], 0.0),
                own.select("trading_day", "daily_return", "benchmark", "gross", "net"),
            )
        )  # fmt: skip
    return found


def _variances(days: pl.DataFrame, about: pl.DataFrame) -> dict[str, float]:
    """Of each family, the variance of its books' Sharpe ratios a day; 0 for one alone."""
    found: dict[str, list[float]] = {}
    for row in about.iter_rows(named=True):
        returns = days.filter(pl.col("book") == row["book"])["daily_return"].to_numpy()
        if returns.size > 2:
            sharpe = float(moments(returns).sharpe)
            if np.isfinite(sharpe):
                found.setdefault(row["family"], []).append(sharpe)
    return {f: float(np.var(s, ddof=1)) if len(s) > 1 else 0.0 for f, s in found.items()}
