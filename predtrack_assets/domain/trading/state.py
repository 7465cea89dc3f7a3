"""The state of a book between two days, and the rows that a day adds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from predtrack_assets.domain.trading.execution.market_day import Action
from predtrack_assets.domain.trading.execution.orders import Fill, OpenOrder, Order, OrderEvent
from predtrack_assets.domain.trading.holdings.corporate_history import Event
from predtrack_assets.domain.trading.holdings.journal import Entry
from predtrack_assets.domain.trading.holdings.money import ZERO
from predtrack_assets.domain.trading.holdings.positions import Position, Trade
from predtrack_assets.domain.trading.rules import DEFAULT_RULES, ExecutionRules

GENESIS = "0" * 64


class Receivable(NamedTuple):
    """A dividend that is owed: paid after so many more sessions."""

    sessions: int
    action: Action
    cash: Decimal


@dataclass(frozen=True, slots=True)
class BookState:
    """All that the next day needs. Never changed: a step makes a new one.

    day: the last day that was stepped, None before the first. equity: cash + receivable + market
    values, at that day's close. history: of each symbol, its trades and actions. pending: actions
    that lie ahead. delistings: last days that are known, and the cash a share after them.
    accrued: interest not posted yet, eight decimals. blocked: symbols that jumped as if split.
    """

    book: str
    capital: Decimal
    rules: ExecutionRules = DEFAULT_RULES
    day: date | None = None
    cash: Decimal = ZERO
    equity: Decimal = ZERO
    positions: Mapping[str, Position] = field(default_factory=dict)
    open_orders: Mapping[str, OpenOrder] = field(default_factory=dict)
    history: Mapping[str, Event] = field(default_factory=dict)
    pending: tuple[Action, ...] = ()
    receivables: tuple[Receivable, ...] = ()
    delistings: Mapping[str, Action] = field(default_factory=dict)
    accrued: Decimal = ZERO
    blocked: frozenset[str] = frozenset()
    halted: bool = False
    entries: int = 0
    digest: str = GENESIS

    @property
    def receivable(self) -> Decimal:
        """Dividends owed and not paid, in cents."""
        return sum((owed.cash for owed in self.receivables), ZERO)


class StateRow(NamedTuple):
    """A day's close in one row; long and short are market values, short <= 0; digests chain."""

    trading_day: date
    cash: Decimal
    receivable: Decimal
    long: Decimal
    short: Decimal
    equity: Decimal
    open_orders: int
    previous_digest: str
    digest: str


@dataclass(slots=True)
class Rows:
    """What a day adds to the tables, in the order in which it happened."""

    orders: list[Order] = field(default_factory=list)
    events: list[OrderEvent] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    positions: list[tuple[date, Position]] = field(default_factory=list)
    states: list[StateRow] = field(default_factory=list)

    def extend(self, later: Rows) -> None:
        """Append the rows of a later day."""
        self.orders += later.orders
        self.events += later.events
        self.fills += later.fills
        self.entries += later.entries
        self.trades += later.trades
        self.positions += later.positions
        self.states += later.states


def day_digest(
    previous: str,
    day: date,
    money: tuple[Decimal, Decimal, Decimal],
    rows: Rows,
) -> str:
    """SHA-256 of the digest before, the day's cash, receivable and equity, and what it wrote.

    That is its journal, its orders with their terms, and what happened to orders. 64 hex digits.
    """
    lines = [f"{previous}|{day}|{money[0]}|{money[1]}|{money[2]}"]
    lines += [f"{e[0]}|{e[2]}|{e[3]}|{e[4]}|{e[5]}|{e[6]}" for e in rows.entries]
    lines += [
        f"{o[0]}|{o[4]}|{o[5]}|{o[6]}|{o[7]}|{o[8]}|{o[9]}|{o[10]}|{o[11]}" for o in rows.orders
    ]
    lines += [f"{e[0]}|{e[1]}|{e[3]}" for e in rows.events]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
