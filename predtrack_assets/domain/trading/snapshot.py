"""A book's state as plain values, so that a book continues where it was left, to the last digit.

Numbers that are exact travel as texts, moments as ISO 8601; prices that are floats stay floats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from predtrack_assets.domain.trading.execution.market_day import Action
from predtrack_assets.domain.trading.execution.orders import OpenOrder, Order
from predtrack_assets.domain.trading.holdings.corporate_history import Event
from predtrack_assets.domain.trading.holdings.positions import Lot, Position
from predtrack_assets.domain.trading.rules import ExecutionRules
from predtrack_assets.domain.trading.state import BookState, Receivable

Plain = Any  # what JSON holds


def state_as_plain(state: BookState) -> dict[str, Plain]:
    """All of a state but its rules, which are the book's and stored with it."""
    return {
        "book": state.book,
        "capital": str(state.capital),
        "day": None if state.day is None else state.day.isoformat(),
        "cash": str(state.cash),
        "equity": str(state.equity),
        "positions": [_plain_position(p) for p in state.positions.values()],
        "open_orders": [_plain_order(o) for o in state.open_orders.values()],
        "history": {symbol: _plain_chain(last) for symbol, last in state.history.items()},
        "pending": [_plain_action(a) for a in state.pending],
        "receivables": [[r.sessions, _plain_action(r.action), str(r.cash)] for r in state.receivables],
        "delistings": [_plain_action(a) for a in state.delistings.values()],
        "accrued": str(state.accrued),
        "blocked": sorted(state.blocked),
        "halted": state.halted,
        "entries": state.entries,
        "digest": state.digest,
    }  # fmt: skip


def state_from_plain(plain: Mapping[str, Plain], rules: ExecutionRules) -> BookState:
    """The state that `state_as_plain` wrote. Raises KeyError or ValueError for anything else."""
    positions = [_position(p) for p in plain["positions"]]
    orders = [_order(o) for o in plain["open_orders"]]
    delistings = [_action(a) for a in plain["delistings"]]
    return BookState(
        book=plain["book"],
        capital=Decimal(plain["capital"]),
        rules=rules,
        day=_or_none(date.fromisoformat, plain["day"]),
        cash=Decimal(plain["cash"]),
        equity=Decimal(plain["equity"]),
        positions={p.symbol: p for p in positions},
        open_orders={o.order.order_id: o for o in orders},
        history={symbol: _chain(symbol, events) for symbol, events in plain["history"].items()},
        pending=tuple(_action(a) for a in plain["pending"]),
        receivables=tuple(Receivable(n, _action(a), Decimal(c)) for n, a, c in plain["receivables"]),
        delistings={a.symbol: a for a in delistings},
        accrued=Decimal(plain["accrued"]),
        blocked=frozenset(plain["blocked"]),
        halted=plain["halted"],
        entries=plain["entries"],
        digest=plain["digest"],
    )  # fmt: skip


def _or_none(parse: Callable[[str], Any], text: str | None) -> Any:
    return None if text is None else parse(text)


def _text(value: Decimal | Fraction | None) -> str | None:
    return None if value is None else str(value)


def _plain_position(position: Position) -> list[Plain]:
    lots = [
        [lot.trade_id, lot.opened.isoformat(), *map(str, lot[2:6]), lot.high, lot.low]
        for lot in position.lots
    ]
    symbol, quantity, cost, mark, mark_day, stale, value, missed, high, low, _ = position
    exact = [str(quantity), str(cost), str(mark)]
    return [symbol, *exact, mark_day.isoformat(), stale, str(value), missed, high, low, lots]


def _position(plain: list[Plain]) -> Position:
    symbol, quantity, cost, mark, mark_day, stale, value, missed, high, low, lots = plain
    found = tuple(
        Lot(
            trade_id, date.fromisoformat(opened), Decimal(shares), Decimal(paid), Decimal(fee),
            Decimal(income), float(top), float(bottom),
        )
        for trade_id, opened, shares, paid, fee, income, top, bottom in lots
    )  # fmt: skip
    return Position(
        symbol, Decimal(quantity), Decimal(cost), Decimal(mark), date.fromisoformat(mark_day),
        stale, Decimal(value), missed, float(high), float(low), found,
    )  # fmt: skip


def _plain_order(found: OpenOrder) -> list[Plain]:
    o = found.order
    order = [
        o.order_id, o.n, o.decided_at.isoformat(), o.symbol, o.side, str(o.quantity), o.kind,
        _text(o.limit), _text(o.stop), o.tif, o.oco_group, o.reduce_only, o.tag,
        None if o.not_before is None else o.not_before.isoformat(),
    ]  # fmt: skip
    return [order, str(found.filled), found.triggered, found.events, found.fills]


def _order(plain: list[Plain]) -> OpenOrder:
    terms, filled, triggered, events, fills = plain
    order_id, n, decided, symbol, side, quantity, kind, limit, stop, tif, *rest = terms
    oco_group, reduce_only, tag, not_before = rest
    order = Order(
        order_id, n, datetime.fromisoformat(decided), symbol, side, Decimal(quantity), kind,
        _or_none(Decimal, limit), _or_none(Decimal, stop), tif, oco_group, reduce_only, tag,
        _or_none(date.fromisoformat, not_before),
    )  # fmt: skip
    return OpenOrder(order, Decimal(filled), triggered, events, fills)


def _plain_action(action: Action) -> list[Plain]:
    symbol, ex_date, kind, value, ex_open = action
    return [symbol, ex_date.isoformat(), kind, _text(value), ex_open]


def _action(plain: list[Plain]) -> Action:
    symbol, ex_date, kind, value, ex_open = plain
    number = _or_none(Fraction if kind == "split" else Decimal, value)
    opened = None if ex_open is None else float(ex_open)
    return Action(symbol, date.fromisoformat(ex_date), kind, number, opened)


def _plain_chain(last: Event | None) -> list[Plain]:
    """A symbol's events, oldest first; the symbol is the key."""
    events = []
    while last is not None:
        action = None if last.action is None else _plain_action(last.action)[1:]
        events.append(
            [last.day.isoformat(), last.kind, str(last.quantity), str(last.cash), action,
             str(last.price), last.source]
        )  # fmt: skip
        last = last.before
    return events[::-1]


def _chain(symbol: str, plain: list[Plain]) -> Event:
    last: Event | None = None
    for day, kind, quantity, cash, action, price, source in plain:
        known = None if action is None else _action([symbol, *action])
        last = Event(
            date.fromisoformat(day), kind, Decimal(quantity), Decimal(cash), known,
            Decimal(price), last, source,
        )  # fmt: skip
    assert last is not None, f"{symbol} has an empty history"
    return last
