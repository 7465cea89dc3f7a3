"""From what is asked for to an order: sized on the day's close, accepted or rejected with reason."""

from __future__ import annotations

from decimal import Decimal

from predtrack_assets.domain.trading.execution.orders import (
    EventKind,
    OpenOrder,
    Order,
    OrderEvent,
    OrderRequest,
    Side,
    order_id_of,
)
from predtrack_assets.domain.trading.execution.sizing import target_quantity
from predtrack_assets.domain.trading.execution.working import Working
from predtrack_assets.domain.trading.holdings.money import ZERO, micros

TARGET = "target"
"""Tag of orders that follow from a target weight."""


def accept_orders(work: Working) -> None:
    """Phase 8 of a day: everything that was asked for, in its order."""
    if not work.market.orders:
        return
    former: dict[str, list[str]] = {}
    for order_id, found in work.open_orders.items():
        if found.order.tag == TARGET:
            former.setdefault(found.order.symbol, []).append(order_id)
    for request in work.market.orders:
        if request.weight is not None:
            for order_id in former.pop(request.symbol, ()):
                work.event(order_id, "cancelled", "a newer target weight takes its place")
        accept(work, request)


def accept(work: Working, request: OrderRequest) -> None:
    """Make an order of a request and put it on the book, or reject it."""
    side, quantity, reason = _sized(work, request)
    if not quantity and not reason:
        return  # a target that is held already
    n = work.ordinal(request.symbol, request.decided_at)
    order = Order(
        order_id_of(work.state.book, request.decided_at, request.symbol, n),
        n,
        request.decided_at,
        request.symbol,
        side,
        quantity,
        request.kind,
        request.limit,
        request.stop,
        request.tif,
        request.oco_group,
        request.reduce_only,
        request.tag or (TARGET if request.weight is not None else ""),
        request.not_before,
    )
    reason = reason or _refusal(work, order)
    work.rows.orders.append(order)
    event: EventKind = "rejected" if reason else "accepted"
    work.rows.events.append(OrderEvent(order.order_id, 0, work.day, event, reason))
    if not reason:
        work.open_orders[order.order_id] = OpenOrder(order)


def _sized(work: Working, request: OrderRequest) -> tuple[Side, Decimal, str]:
    """Side, quantity, and why it is refused ('' if it is not)."""
    if request.weight is None:
        assert request.quantity is not None
        assert request.side is not None
        quantity, lot = request.quantity, work.rules.lot
        if quantity % lot:
            return (
                request.side,
                quantity,
                f"quantity {quantity:f} is no multiple of the lot {lot:f}",
            )
        return request.side, quantity, ""
    position, side = work.positions.get(request.symbol), request.side or "buy"
    bar = work.market.bars.get(request.symbol)
    held = ZERO if position is None else position.quantity
    price = ZERO
    if position is not None and not position.stale:
        price = position.mark
    elif bar is not None:
        price = micros(Decimal(repr(bar.close)))
    if request.weight and not price:
        return side, ZERO, "no price of the symbol is known at the decision"
    target = target_quantity(work.rules, request.weight, work.equity, price)
    change = target - held
    if request.weight and abs(change) * price < request.band * work.equity:
        return side, ZERO, ""
    needed: Side = "buy" if change > 0 else "sell"
    if change and request.side is not None and request.side != needed:
        verb = f"the target weight {request.weight:f} needs a {needed}, not a {request.side}"
        return request.side, abs(change), verb
    return needed, abs(change), ""


def _refusal(work: Working, order: Order) -> str:
    """Why an order cannot be accepted, '' if it can."""
    symbol = order.symbol
    if work.state.halted and not order.reduce_only:
        return "the book is halted: its equity fell to zero"
    if symbol in work.market.foreign:
        return "the symbol's currency is not the book's"
    if symbol in work.state.blocked or symbol in work.market.jumps:
        return "the symbol jumped as if split, and no split is known"
    delisting = work.delistings.get(symbol)
    if delisting is not None:
        if delisting.ex_date <= work.day:
            return "the symbol is delisted"
        held = work.held(symbol)
        if not held:
            return "delisting is announced and the position is 0"
        if (held > 0) == (order.side == "buy"):
            return "delisting is announced: orders only reduce the position"
    return ""
