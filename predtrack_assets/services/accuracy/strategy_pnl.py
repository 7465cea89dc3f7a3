"""Daily P&L of following every model's signals, as the prices of each day were known at its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import polars as pl

from predtrack_assets.days import Window
from predtrack_assets.domain.forecasts.recommendations import advised
from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.trading.strategy_performance import CELL, PNL
from predtrack_assets.services.trading.signals import follow_signals
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy import scoreboard as queries
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.market.epochs import Epoch, market_epochs

SLACK = 30  # calendar days beyond the sessions of a horizon: holidays of an exchange
SCHEMA = {
    "known_day": pl.Date,
    "trading_day": pl.Date,
    **dict.fromkeys(CELL[:2], pl.String),
    "horizon": pl.Int64,
    **dict.fromkeys(PNL, pl.Float64),
}


def store_pnl(transaction: Transaction, asked: Window) -> Written:
    """Make the stored P&L of a window of days what its signals and prices say."""
    rows = pl.concat([pl.DataFrame(schema=SCHEMA), *pnl_of_window(transaction, asked)])
    return transaction.replace(tables.STRATEGY_PNL, rows, asked.opens, asked.end)


def pnl_of_window(transaction: Transaction, asked: Window) -> Iterator[pl.DataFrame]:
    """Rows of accuracy.strategy_pnl whose known_day lies in the window, a month at a time.

    A day is computed as it was known at its end. A bar or action that became known later adds the
    earlier days that it changes, as known from then on.
    """
    for epoch in market_epochs(transaction, asked.days, asked.opens):
        yield from _pnl(transaction, epoch, epoch.opens, epoch.last)
        if epoch.touched and epoch.touched < epoch.opens:
            yield _corrected(transaction, epoch, epoch.touched)


def _corrected(transaction: Transaction, epoch: Epoch, touched: date) -> pl.DataFrame:
    """P&L of the days before an epoch that its late bars and actions changed."""
    last = epoch.opens - timedelta(days=1)
    before = Epoch(np.array([last], "datetime64[D]"), last)
    now, then = (
        pl.concat([pl.DataFrame(schema=SCHEMA), *_pnl(transaction, known, touched, last)])
        for known in (epoch, before)
    )
    changed = now.join(then, on=[*CELL, "trading_day", *PNL], how="anti", maintain_order="left")
    return changed.with_columns(known_day=pl.lit(epoch.first))


def _pnl(transaction: Transaction, epoch: Epoch, first: date, last: date) -> Iterator[pl.DataFrame]:
    """P&L of [first, last] month by month, so that a day has the same bits whatever is asked."""
    for begin in _months(first, last):
        end = min(last, (begin.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(1))
        reach = begin - timedelta(days=400)
        horizons = transaction.read(queries.HORIZONS, first=reach, last=end)["horizon"]
        for horizon in horizons.to_list():
            start = begin - timedelta(days=7 * horizon // 5 + SLACK)
            rows = _of_month(transaction, epoch, horizon, start, end)
            yield rows.filter(pl.col("trading_day") >= max(first, begin))


def _of_month(
    transaction: Transaction, epoch: Epoch, horizon: int, start: date, end: date
) -> pl.DataFrame:
    """P&L of one horizon from `start` on, of which the last month is complete."""
    signals = transaction.read_copied(queries.SIGNALS, first=start, last=end, horizon=horizon)
    names = ("confidence", "sigma", "q50")
    confidence, sigma, median = (_numbers(signals, name) for name in names)
    position = advised(signals["kind"].to_numpy(), median, confidence, sigma, horizon)
    signals = signals.with_columns(pl.Series("position", position)).sort(
        *CELL, "symbol", "trading_day"
    )
    followed = follow_signals(transaction, epoch, signals, start, end)
    days = pl.Series("trading_day", followed.days).cast(pl.Date)
    frames = [pl.DataFrame(schema=SCHEMA)]
    for cell, total in sorted(followed.totals.items(), key=lambda item: item[0][:3]):
        frame = pl.DataFrame({"trading_day": days, **{n: getattr(total, n) for n in PNL}})
        kept = frame.filter(pl.Series(followed.open_[cell]), pl.col("capital_deployed") > 0)
        labels = {name: pl.lit(getattr(cell, name)) for name in CELL}
        named = kept.with_columns(known_day=pl.col("trading_day"), **labels)
        frames.append(named.select(pl.col(n).cast(kind) for n, kind in SCHEMA.items()))
    return pl.concat(frames)


def _numbers(rows: pl.DataFrame, name: str) -> Floats:
    return rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _months(first: date, last: date) -> Iterator[date]:
    """The first days of the months of [first, last]."""
    begin = first.replace(day=1)
    while begin <= last:
        yield begin
        begin = (begin + timedelta(days=31)).replace(day=1)
