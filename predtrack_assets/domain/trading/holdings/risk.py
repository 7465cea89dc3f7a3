"""After the close: margin of the shorts, and a book whose equity is gone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from predtrack_assets.domain.trading.execution.acceptance import accept
from predtrack_assets.domain.trading.execution.orders import OrderRequest
from predtrack_assets.domain.trading.execution.working import Working

MARGIN_CALL = "margin_call"


def check_risk(work: Working) -> bool:
    """Phase 7 of a day: a breach orders every short covered at the next open.

    Breach: equity below the maintenance margin of the shorts' value. Equity at or below zero halts
    the book for good: open orders are cancelled and only closing ones are accepted. Returns
    whether the book is halted.
    """
    halted = work.state.halted or (work.equity <= 0 and bool(work.history))
    if halted and not work.state.halted:
        for order_id, found in list(work.open_orders.items()):
            if not found.order.reduce_only:
                work.event(order_id, "cancelled", "the book is halted: its equity fell to zero")
    margin = work.rules.maintenance_margin
    if margin is None or not work.short or work.equity >= margin * work.short:
        return halted
    covered = {o.order.symbol for o in work.open_orders.values() if o.order.tag == MARGIN_CALL}
    decided = datetime.combine(work.day + timedelta(days=1), time(0), UTC)
    for symbol, position in sorted(work.positions.items()):
        if position.quantity < 0 and symbol not in covered:
            size = -position.quantity
            cover = OrderRequest(decided, symbol, "buy", size, reduce_only=True, tag=MARGIN_CALL)
            accept(work, cover)
    return halted
