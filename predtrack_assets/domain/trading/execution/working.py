"""A day's work on a book: a private copy of its state that postings change, then a new state."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from predtrack_assets.domain.trading.execution.market_day import Day
from predtrack_assets.domain.trading.execution.orders import FINAL, EventKind, OrderEvent
from predtrack_assets.domain.trading.execution.quotes import Prices
from predtrack_assets.domain.trading.holdings.corporate_history import Event
from predtrack_assets.domain.trading.holdings.journal import Entry, EntryKind
from predtrack_assets.domain.trading.holdings.money import ZERO, cents
from predtrack_assets.domain.trading.holdings.positions import Lot, Position, close_lots
from predtrack_assets.domain.trading.state import BookState, Rows


class Working:
    """Mutable within one step; `rows` collects what the day writes.

    value and short: net market value of all positions, and of the shorts (>= 0), at the last
    marks. used: shares of each bar's volume that fills have taken. narrowed: of a symbol entered
    within its bar, the prices that lie after the entry.
    """

    __slots__ = (
        "_ordinals",
        "cash", "day", "delistings", "entries", "history", "market", "narrowed", "open_orders",
        "positions", "receivable", "rows", "rules", "short", "state", "used", "value",
    )  # fmt: skip

    def __init__(self, state: BookState, market: Day) -> None:
        self.state, self.market, self.day = state, market, market.day
        self.rules = state.rules
        self.cash, self.receivable = state.cash, state.receivable
        self.entries = state.entries
        self.positions = dict(state.positions)
        self.open_orders = dict(state.open_orders)
        self.history = dict(state.history)
        self.delistings = dict(state.delistings)
        self.value = self.short = ZERO
        for position in self.positions.values():
            self._count(position.market_value)
        self.used: dict[str, Decimal] = {}
        self.narrowed: dict[str, Prices] = {}
        self.rows = Rows()
        self._ordinals: dict[tuple[str, datetime], int] = {}

    @property
    def equity(self) -> Decimal:
        """Cash, what is owed, and positions at their last marks."""
        return self.cash + self.receivable + self.value

    def ordinal(self, symbol: str, decided_at: datetime) -> int:
        """How many orders were decided at this moment in this symbol already."""
        n = self._ordinals.get((symbol, decided_at), 0)
        self._ordinals[symbol, decided_at] = n + 1
        return n

    def held(self, symbol: str) -> Decimal:
        """Shares of a symbol, signed."""
        position = self.positions.get(symbol)
        return ZERO if position is None else position.quantity

    def post(
        self,
        kind: EntryKind,
        symbol: str,
        cash: Decimal,
        quantity: Decimal = ZERO,
        source: str = "",
        ex_date: date | None = None,
    ) -> None:
        """Write a journal entry and move its cash; shares are moved by `trade` and splits."""
        self.entries += 1
        self.cash += cash
        self.rows.entries.append(
            Entry(self.entries, self.day, kind, symbol, cash, quantity, source, ex_date)
        )

    def event(
        self,
        order_id: str,
        event: EventKind,
        reason: str = "",
        quantity: Decimal | None = None,
        limit: Decimal | None = None,
        stop: Decimal | None = None,
    ) -> None:
        """Write what happened to an open order; a final event takes it off the book."""
        found = self.open_orders[order_id]
        self.rows.events.append(
            OrderEvent(order_id, found.events, self.day, event, reason, quantity, limit, stop)
        )
        if event in FINAL:
            del self.open_orders[order_id]
        else:
            self.open_orders[order_id] = found._replace(events=found.events + 1)

    def put(self, position: Position) -> None:
        """Take a position in place of the symbol's former one; without shares it goes."""
        former = self.positions.get(position.symbol)
        if former is not None:
            self._count(-former.market_value, former.quantity)
        if position.quantity:
            self.positions[position.symbol] = position
            self._count(position.market_value)
        elif former is not None:
            del self.positions[position.symbol]

    def trade(
        self,
        symbol: str,
        signed: Decimal,
        price: Decimal,
        amount: Decimal,
        fee: Decimal,
        trade_id: str,
        raw_price: Decimal = ZERO,
    ) -> None:
        """Change a position by a fill's shares, and remember it for what is learned late.

        raw_price: the bar's; 0 of a trade that no bar made.
        """
        before = self.history.get(symbol)
        self.history[symbol] = Event(
            self.day, "trade", signed, ZERO, None, raw_price, before, trade_id
        )
        self.change(symbol, signed, price, amount, fee, trade_id)

    def change(
        self,
        symbol: str,
        signed: Decimal,
        price: Decimal,
        amount: Decimal,
        fee: Decimal,
        trade_id: str,
    ) -> None:
        """Shares for money: closes lots of the other direction first, the rest opens a new one."""
        position = self.positions.get(symbol)
        if position is not None and (position.quantity > 0) != (signed > 0):
            size = abs(signed)
            closing = min(size, abs(position.quantity))
            out = amount if closing == size else cents(amount * closing / size)
            out_fee = fee if closing == size else cents(fee * closing / size)
            position = self.close(position, closing, out, out_fee, price, trade_id)
            left = size - closing
            if not left:
                return
            signed, amount, fee = left.copy_sign(signed), amount - out, fee - out_fee
            position = None
        self._open(position, symbol, signed, price, amount, fee, trade_id)

    def close(
        self,
        position: Position,
        quantity: Decimal,
        out: Decimal,
        fee: Decimal,
        price: Decimal,
        exit_id: str,
    ) -> Position:
        """Close shares of a position's oldest lots; the trades go into the rows."""
        closed = close_lots(position, quantity, out, fee, price, self.day, exit_id)
        self.rows.trades += closed.trades
        left = position.quantity - quantity.copy_sign(position.quantity)
        symbol, mark = position.symbol, position.mark
        value = cents(left * mark)
        position = Position(
            symbol, left, closed.cost, mark, position.mark_day, position.stale, value,
            position.missed, position.high, position.low, closed.lots,
        )  # fmt: skip
        self.put(position)
        return position

    def _open(
        self,
        position: Position | None,
        symbol: str,
        signed: Decimal,
        price: Decimal,
        amount: Decimal,
        fee: Decimal,
        trade_id: str,
    ) -> None:
        """Add a lot, at the fill's price until the close marks it."""
        at = float(price)
        lot = Lot(trade_id, self.day, abs(signed), amount, fee, ZERO, at, at)
        if position is None:
            lots: tuple[Lot, ...] = (lot,)
            quantity, cost = signed, amount
        else:
            last = position.lots[-1]
            last = Lot(*last[:6], max(last.high, position.high), min(last.low, position.low))
            lots = (*position.lots[:-1], last, lot)
            quantity, cost = position.quantity + signed, position.cost + amount
        value = cents(quantity * price)
        self.put(Position(symbol, quantity, cost, price, self.day, True, value, 0, at, at, lots))

    def _count(self, value: Decimal, quantity: Decimal | None = None) -> None:
        """Add a market value to the totals; the sign of `quantity` tells a short that is taken off."""
        self.value += value
        if (value if quantity is None else quantity) < 0:
            self.short -= value
