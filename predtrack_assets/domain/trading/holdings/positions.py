"""Positions as first-in-first-out lots, and the trades that closing lots makes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from predtrack_assets.domain.trading.holdings.money import ZERO, cents, exact_price


class Lot(NamedTuple):
    """Shares of one entry. Money in cents; high and low from its entry to the next lot's entry.

    quantity > 0 in today's shares; cost: paid for a long, received for a short; fee: of the
    entry; dividends: received so far, negative for a short.
    """

    trade_id: str
    opened: date
    quantity: Decimal
    cost: Decimal
    fee: Decimal
    dividends: Decimal
    high: float
    low: float


class Position(NamedTuple):
    """What is held of a symbol and what it is worth.

    quantity: signed. cost: of its lots, in cents, >= 0. mark: last good close as traded, of
    mark_day; stale: that there was no such close on the last day. market_value: quantity * mark in
    cents, signed. missed: open sessions without a bar in a row. high, low: of the last lot's time.
    """

    symbol: str
    quantity: Decimal
    cost: Decimal
    mark: Decimal
    mark_day: date
    stale: bool
    market_value: Decimal
    missed: int
    high: float
    low: float
    lots: tuple[Lot, ...]

    @property
    def unrealised(self) -> Decimal:
        """Profit that closing at the mark would bring, before fees, in cents."""
        return self.market_value - self.cost if self.quantity > 0 else self.market_value + self.cost


class Trade(NamedTuple):
    """A closed lot, or the closed part of one; prices in the basis of the exit, money in cents.

    trade_id: what opened it, exit_id: what closed it (order:n of a fill, or the action).
    gross_pnl + dividends - commission = net_pnl. mfe >= 0 and mae <= 0: the best and the worst
    that the shares stood at, in money, between entry and exit.
    """

    trade_id: str
    exit_id: str
    symbol: str
    direction: str  # LONG or SHORT
    quantity: Decimal
    opened: date
    closed: date
    entry_amount: Decimal
    exit_amount: Decimal
    gross_pnl: Decimal
    commission: Decimal
    dividends: Decimal
    net_pnl: Decimal
    mfe: Decimal
    mae: Decimal


class Closed(NamedTuple):
    """What is left of the lots, their cost, and the trades that closing made."""

    lots: tuple[Lot, ...]
    cost: Decimal
    trades: list[Trade]


def close_lots(
    position: Position,
    quantity: Decimal,
    proceeds: Decimal,
    fee: Decimal,
    price: Decimal,
    day: date,
    exit_id: str,
) -> Closed:
    """Close `quantity` > 0 shares, oldest first; proceeds (>= 0) and fee are shared out exactly."""
    lots, trades = list(position.lots), []
    cost = position.cost
    extremes = _extremes_since(position)
    taken = 0
    while quantity > 0:
        lot = lots[taken]
        closed = min(lot.quantity, quantity)
        part = closed / quantity
        out = proceeds if closed == quantity else cents(proceeds * part)
        out_fee = fee if closed == quantity else cents(fee * part)
        whole = closed == lot.quantity
        spent = lot.cost if whole else cents(lot.cost * closed / lot.quantity)
        entry_fee = lot.fee if whole else cents(lot.fee * closed / lot.quantity)
        income = lot.dividends if whole else cents(lot.dividends * closed / lot.quantity)
        piece = Lot(
            lot.trade_id, lot.opened, closed, spent, entry_fee + out_fee, income, *extremes[taken]
        )
        trades.append(_trade(position, piece, out, price, day, exit_id))
        if whole:
            taken += 1
        else:
            lots[taken] = lot._replace(
                quantity=lot.quantity - closed,
                cost=lot.cost - spent,
                fee=lot.fee - entry_fee,
                dividends=lot.dividends - income,
            )
        quantity, proceeds, fee, cost = (
            quantity - closed,
            proceeds - out,
            fee - out_fee,
            cost - spent,
        )
    return Closed(tuple(lots[taken:]), cost, trades)


def credit_dividend(position: Position, cash: Decimal) -> Position:
    """The position with a dividend shared out over its lots, exactly."""
    lots, left, shares = [], cash, abs(position.quantity)
    for lot in position.lots:
        part = left if lot.quantity == shares else cents(left * lot.quantity / shares)
        lots.append(lot._replace(dividends=lot.dividends + part))
        left, shares = left - part, shares - lot.quantity
    return position._replace(lots=tuple(lots))


def _extremes_since(position: Position) -> list[tuple[float, float]]:
    """Of each lot, the highest and lowest price since its entry."""
    high, low = position.high, position.low
    found = [(high, low)]
    for lot in position.lots[-2::-1]:
        high, low = max(high, lot.high), min(low, lot.low)
        found.append((high, low))
    found.reverse()
    return found


def _trade(
    position: Position, lot: Lot, out: Decimal, price: Decimal, day: date, exit_id: str
) -> Trade:
    """A trade from a closed lot: its fees are of entry and exit, its extremes up to the exit."""
    is_long = position.quantity > 0
    gross = out - lot.cost if is_long else lot.cost - out
    top = cents(lot.quantity * max(exact_price(lot.high), price)) - lot.cost
    bottom = cents(lot.quantity * min(exact_price(lot.low), price)) - lot.cost
    best, worst = (top, bottom) if is_long else (-bottom, -top)
    return Trade(
        lot.trade_id,
        exit_id,
        position.symbol,
        "LONG" if is_long else "SHORT",
        lot.quantity,
        lot.opened,
        day,
        lot.cost,
        out,
        gross,
        lot.fee,
        lot.dividends,
        gross + lot.dividends - lot.fee,
        max(best, ZERO),
        min(worst, ZERO),
    )
