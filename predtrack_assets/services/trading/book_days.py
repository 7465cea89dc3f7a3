"""The days that paper books step through: what was known at each day's end, and the day's orders."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from predtrack_assets.domain.time.calendar import as_of, calendar
from predtrack_assets.domain.trading.execution.market_day import (
    Action,
    Bar,
    Day,
    Revision,
    Session,
)
from predtrack_assets.domain.trading.holdings.corporate_actions import ratio_of
from predtrack_assets.services.trading.market_history import MarketHistory
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market.epochs import Epoch
from predtrack_assets.warehouse.trading import book_inputs

CONFIRMED_AFTER = 3
"""Trading days after which a bar that jumped as if split, without a split, is taken for a move."""


@dataclass(frozen=True)
class News:
    """What became known between the end of the trading day before and the end of a day."""

    actions: tuple[Action, ...]
    revisions: tuple[Revision, ...]


class BookDays:
    """Days of one epoch. Each is made once and serves every book."""

    def __init__(self, transaction: Transaction, history: MarketHistory, epoch: Epoch) -> None:
        self._history, self._epoch = history, epoch
        panel = history.panel
        self._symbols = panel.symbols.tolist()
        self._listings = dict(zip(self._symbols, history.exchange.tolist(), strict=True))
        span = {"symbols": self._symbols, "until": epoch.as_of}
        after = as_of(epoch.opens - timedelta(days=1))
        self._actions = transaction.read(book_inputs.BOOK_ACTIONS, **span).rows()
        self._corrected = transaction.read(book_inputs.CORRECTED_BARS, **span, after=after).rows()
        self._hours = {
            exchange: dict(_hours(exchange, epoch))
            for exchange in sorted(set(history.exchange.tolist()))
        }

    def days(self) -> Iterator[tuple[date, datetime]]:
        """Each day of the epoch, and the moment after which news belongs to it."""
        opened = self._epoch.opens
        for day in self._epoch.days.tolist():
            yield day, as_of(opened - timedelta(days=1))
            opened = day + timedelta(days=1)

    def market_day(self, day: date, after: datetime, currency: str) -> Day:
        """A day without orders. after: what became known since then is its news."""
        history, at = self._history, self._history.column(day)
        panel = history.panel
        sessions = {e: hours[day] for e, hours in self._hours.items() if day in hours}
        there = np.flatnonzero(np.isfinite(panel.close[:, at]) & history.traded)
        columns = (panel.open, panel.high, panel.low, panel.close, panel.volume)
        prices = np.stack([matrix[there, at] for matrix in columns], axis=1).tolist()
        known = history.known_at[there, at].tolist()
        bars = {}
        for row, values, moment in zip(there.tolist(), prices, known, strict=True):
            session = sessions.get(self._listings[self._symbols[row]])
            if session is not None:
                told = session._replace(known_at=moment.replace(tzinfo=UTC))
                bars[self._symbols[row]] = _bar(values, told)
        news = self._news(after, as_of(day))
        recent = history.jump[:, max(at - CONFIRMED_AFTER + 1, 0) : at + 1].any(axis=1)
        names = panel.symbols
        return Day(
            day,
            sessions,
            bars,
            news.actions,
            listings=self._listings,
            jumps=frozenset(names[history.jump[:, at]].tolist()),
            confirmed=frozenset(names[~recent].tolist()),
            foreign=frozenset(
                s for s, c in zip(self._symbols, history.currency, strict=True) if c not in (None, currency)
            ),
            revisions=news.revisions,
        )  # fmt: skip

    def ahead(self, day: date, after: datetime) -> tuple[Action, ...]:
        """Actions known before `after` whose ex-date lies on or after the day: for a book that begins."""
        known = [row for row in self._actions if row[-1] <= after and row[1] >= day]
        return _actions(known, {})

    def _news(self, after: datetime, until: datetime) -> News:
        learned = _between(self._actions, after, until)
        opens = {(row[0], row[1]): self._open(row[0], row[1], until) for row in learned}
        revisions = tuple(Revision(*row[:4]) for row in _between(self._corrected, after, until))
        return News(_actions(learned, opens), revisions)

    def _open(self, symbol: str, ex_date: date, until: datetime) -> float | None:
        """The open of a past ex-date, as known by then; None where no bar of it is in reach."""
        panel = self._history.panel
        at = int(np.searchsorted(panel.sessions, np.datetime64(ex_date)))
        if at >= len(panel.sessions) or panel.sessions[at] != np.datetime64(ex_date):
            return None
        if as_of(ex_date) > until:
            return None
        opened = float(panel.open[self._symbols.index(symbol), at])
        return None if np.isnan(opened) else opened


def _bar(prices: list[float], session: Session) -> Bar:
    opened, high, low, close, volume = prices
    return Bar(opened, high, low, close, volume, session)


def _hours(exchange: str, epoch: Epoch) -> Iterator[tuple[date, Session]]:
    market = calendar(exchange)
    days = market.between(epoch.first, epoch.last)
    moments = zip(
        days.tolist(),
        market.opens_utc(days).astype("datetime64[us]").tolist(),
        market.closes_utc(days).astype("datetime64[us]").tolist(),
        strict=True,
    )
    for day, opened, closed in moments:
        yield day, Session(exchange, opened.replace(tzinfo=UTC), closed.replace(tzinfo=UTC))


def _between(
    rows: list[tuple[Any, ...]], after: datetime, until: datetime
) -> list[tuple[Any, ...]]:
    """The rows whose last column lies in (after, until], of rows sorted by it."""
    first = bisect_right(rows, after, key=lambda row: row[-1])
    return rows[first : bisect_right(rows, until, key=lambda row: row[-1])]


def _actions(
    rows: Iterable[tuple[Any, ...]], opens: Mapping[tuple[str, date], float | None]
) -> tuple[Action, ...]:
    """The last revision of each; what was withdrawn is a dividend of 0, a split of 1."""
    found: dict[tuple[str, date, str], Action] = {}
    for symbol, ex_date, kind, value, _ in rows:
        if kind == "split":
            number: object = ratio_of(repr(1.0 if value is None else value))
        else:
            number = Decimal(repr(0.0 if value is None else value))
        opened = opens.get((symbol, ex_date))
        found[symbol, ex_date, kind] = Action(symbol, ex_date, kind, number, opened)  # type: ignore[arg-type]
    return tuple(found.values())


def earliest_open(day: date, exchanges: Sequence[str]) -> datetime:
    """When the first session after a day opens: until then its orders are before the fact."""
    opens = []
    for exchange in exchanges:
        market = calendar(exchange)
        following = market.offset(day, 1)
        opens.append(market.opens_utc(following).astype("datetime64[us]").item())
    return min(opens).replace(tzinfo=UTC)
