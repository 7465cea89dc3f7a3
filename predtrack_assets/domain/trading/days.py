"""The days that a book steps through, from frames of prices, and lists of orders and actions."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.domain.trading.execution.market_day import Action, Bar, Day, Session
from predtrack_assets.domain.trading.execution.orders import OrderRequest

PRICES = pl.Schema(
    {
        "symbol": pl.String,
        "date": pl.Date,
        "open": pl.Float64,
        "high": pl.Float64,
        "low": pl.Float64,
        "close": pl.Float64,
        "volume": pl.Float64,
        "exchange": pl.String,  # its hours say when a bar begins and ends
    }
)


class DatedAction(NamedTuple):
    """An action and the moment from which it is known, aware, UTC."""

    action: Action
    known_at: datetime


def days_of(
    prices: pl.DataFrame, orders: Sequence[OrderRequest], actions: Sequence[DatedAction]
) -> list[Day]:
    """One Day per date with a bar, and one before the first for what is decided before it closes.

    Args:
        prices: PRICES, as traded, unique by symbol and date, one exchange a symbol.
        orders: in any order; each belongs to the last day whose sessions had all closed when it
            was decided, in their order for equal moments.
        actions: each belongs to the first day at whose end, 24:00 UTC, it was known; those that
            become known after the last day are left out.

    Returns:
        Days in order, with the bars of the symbols that are ordered; none without prices.
    """
    if prices.is_empty():
        return []
    sessions = _sessions(prices)
    days = _bars_by_day(prices, {order.symbol for order in orders}, sessions)
    dates = sorted(days)
    closes = [max(s.known_at for s in days[d].sessions.values()) for d in dates]
    first = dates[0] - timedelta(days=1)
    asked: dict[date, list[OrderRequest]] = defaultdict(list)
    for order in sorted(orders, key=lambda o: o.decided_at):
        place = bisect_right(closes, order.decided_at) - 1
        asked[dates[place] if place >= 0 else first].append(order)
    learned: dict[date, list[Action]] = defaultdict(list)
    ends = [datetime.combine(d + timedelta(days=1), time(0), UTC) for d in (first, *dates)]
    for known in sorted(actions, key=lambda a: a.known_at):
        place = bisect_left(ends, known.known_at)
        if place < len(ends):
            learned[(first, *dates)[place]].append(known.action)
    if first in asked or first in learned:
        listings = days[dates[0]].listings
        days[first] = Day(first, {}, {}, listings=listings)
    return [
        replace(days[d], orders=tuple(asked[d]), actions=tuple(learned[d])) for d in sorted(days)
    ]


def _sessions(prices: pl.DataFrame) -> dict[tuple[str, date], Session]:
    """The session of each exchange on each date on which it has a bar; known at its close."""
    found = {}
    for (exchange,), rows in prices.group_by("exchange", maintain_order=True):
        market = calendar(str(exchange))
        dates = rows["date"].unique().sort()
        moments = dates.to_numpy()
        opens, closes = market.opens_utc(moments), market.closes_utc(moments)
        for day, opened, closed in zip(dates, _aware(opens), _aware(closes), strict=True):
            found[str(exchange), day] = Session(str(exchange), opened, closed)
    return found


def _aware(moments: np.ndarray) -> list[datetime]:
    return [moment.replace(tzinfo=UTC) for moment in moments.astype("datetime64[us]").tolist()]


def _bars_by_day(
    prices: pl.DataFrame, symbols: set[str], sessions: dict[tuple[str, date], Session]
) -> dict[date, Day]:
    """Days with their sessions and the bars of some symbols, and no orders or actions yet."""
    listings = dict(prices.select("symbol", "exchange").unique().iter_rows())
    bars: dict[date, dict[str, Bar]] = defaultdict(dict)
    open_: dict[date, dict[str, Session]] = defaultdict(dict)
    for (exchange, day), session in sessions.items():
        open_[day][exchange] = session
    asked = prices.filter(pl.col("symbol").is_in(list(symbols)))
    rows = asked.select(*PRICES).sort("date", "symbol").iter_rows()
    for symbol, day, opened, high, low, close, volume, exchange in rows:
        bars[day][symbol] = Bar(opened, high, low, close, volume, sessions[exchange, day])
    return {day: Day(day, open_[day], bars[day], listings=listings) for day in open_}
