"""Symbols that stop trading: the way out when the last day is known, and when it is not."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from predtrack_assets.domain.trading.execution.acceptance import accept
from predtrack_assets.domain.trading.execution.orders import OrderRequest, Side
from predtrack_assets.domain.trading.execution.working import Working
from predtrack_assets.domain.trading.holdings.money import ONE, ZERO, cents, micros
from predtrack_assets.domain.trading.holdings.positions import Position

EXIT_TAG = "delisting"


def settle_delistings(work: Working) -> None:
    """Phase 4 of a day: close what can no longer be traded.

    After an announced last day: at the cash a share that was announced with it, else at the last
    close less the haircut. Without any announcement: after so many open sessions without a bar.
    """
    limit = work.rules.delisting_sessions
    gone = [
        position
        for position in work.positions.values()
        if _is_over(work, position.symbol) or (limit is not None and position.missed >= limit)
    ]
    for position in sorted(gone, key=lambda p: p.symbol):
        known = work.delistings.get(position.symbol)
        paid = None if known is None else known.value
        if paid is None:
            price = micros(position.mark * (ONE - work.rules.delisting_haircut))
        else:
            assert isinstance(paid, Decimal)
            price = paid
        _close_out(work, position, price)
    for order_id, found in list(work.open_orders.items()):
        if _is_over(work, found.order.symbol):
            work.event(order_id, "cancelled", "the symbol is delisted")


def arm_exits(work: Working) -> None:
    """Order the way out at the open of an announced last day, once it is known."""
    ordered = {
        found.order.symbol for found in work.open_orders.values() if found.order.tag == EXIT_TAG
    }
    decided = datetime.combine(work.day + timedelta(days=1), time(0), UTC)
    for symbol, action in sorted(work.delistings.items()):
        held = work.held(symbol)
        if not held or symbol in ordered or action.value is not None or action.ex_date <= work.day:
            continue
        side: Side = "sell" if held > 0 else "buy"
        request = OrderRequest(
            decided,
            symbol,
            side,
            abs(held),
            reduce_only=True,
            tag=EXIT_TAG,
            not_before=action.ex_date,
        )
        accept(work, request)


def _is_over(work: Working, symbol: str) -> bool:
    known = work.delistings.get(symbol)
    return known is not None and known.ex_date < work.day


def _close_out(work: Working, position: Position, price: Decimal) -> None:
    """Close a position without a market, at a price and no fee."""
    value = cents(position.quantity * price)
    source = f"delisting {position.mark_day}"
    work.post("delisting", position.symbol, value, -position.quantity, source)
    work.trade(position.symbol, -position.quantity, price, abs(value), ZERO, source)
