"""Small books for tests: days of one exchange, bars, orders."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from predtrack_assets.domain.trading.book import new_book, run
from predtrack_assets.domain.trading.execution.fees import NO_FEES
from predtrack_assets.domain.trading.execution.market_day import Action, Bar, Day, Session
from predtrack_assets.domain.trading.execution.orders import OrderRequest
from predtrack_assets.domain.trading.reconciliation import Check, Evidence, reconcile
from predtrack_assets.domain.trading.rules import ExecutionRules
from predtrack_assets.domain.trading.state import BookState, Rows

FIRST = date(2020, 1, 6)
FREE = ExecutionRules(fees=NO_FEES, participation=None)


def session(day: date) -> Session:
    """New York's hours in winter."""
    return Session(
        "XNYS",
        datetime.combine(day, time(14, 30), UTC),
        datetime.combine(day, time(21), UTC),
    )


def day_after(n: int) -> date:
    """The n-th calendar day after the first."""
    return FIRST + timedelta(days=n)


def bar(
    n: int, open_: float, high: float, low: float, close: float, volume: float = 1_000_000
) -> Bar:
    """A bar of the n-th day."""
    return Bar(open_, high, low, close, volume, session(day_after(n)))


def flat(n: int, price: float, volume: float = 1_000_000) -> Bar:
    """A bar of one price."""
    return bar(n, price, price, price, price, volume)


def market_day(
    n: int,
    bars: dict[str, Bar],
    orders: tuple[OrderRequest, ...] = (),
    actions: tuple[Action, ...] = (),
    **more: Any,
) -> Day:
    """The n-th day; its exchange is open."""
    day = day_after(n)
    listings = dict.fromkeys(("A", "B", "C", *bars), "XNYS")
    return Day(day, {"XNYS": session(day)}, bars, actions, orders, listings, **more)


def order(n: int, symbol: str, side: str | None, quantity: Any = None, **more: Any) -> OrderRequest:
    """An order that is decided at 24:00 UTC of the n-th day."""
    decided = datetime.combine(day_after(n + 1), time(0), UTC)
    amount = None if quantity is None else Decimal(str(quantity))
    return OrderRequest(decided, symbol, side, amount, **more)  # type: ignore[arg-type]


def book_of(
    days: list[Day], capital: int = 100_000, rules: ExecutionRules = FREE
) -> tuple[BookState, Rows]:
    """A book that stepped through days, its checks without a fault."""
    state, rows = run(new_book("test", Decimal(capital), rules), days)
    faults = [check for check in checks_of(state, rows, days) if check.faults]
    assert not faults, faults
    return state, rows


def checks_of(state: BookState, rows: Rows, days: list[Day]) -> list[Check]:
    """R1 to R12 over a book."""
    bars = {day.day: day.bars for day in days}
    actions = tuple(action for day in days for action in day.actions)
    return reconcile(Evidence(rows, state, lambda d, s: bars[d].get(s), actions))
