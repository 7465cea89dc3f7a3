"""What a book came to: one dictionary of plain names, for a command line or a page."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from predtrack_assets.domain.trading.holdings.money import ZERO, cents
from predtrack_assets.domain.trading.reconciliation import Check
from predtrack_assets.domain.trading.state import BookState, Rows


def summary_of(state: BookState, rows: Rows, checks: Iterable[Check]) -> dict[str, Any]:
    """Money in Decimal cents: cash, receivable, equity, fees, slippage (both >= 0), dividends,
    interest, borrow; lists of fills, positions, open_orders, refused; the reconciliation.

    fees, slippage and borrow are costs and counted positive.
    """
    sums: dict[str, Decimal] = {}
    for entry in rows.entries:
        sums[entry.kind] = sums.get(entry.kind, ZERO) + entry.cash
    orders = {order.order_id: order for order in rows.orders}
    listed = [check._asdict() for check in checks]
    refused = [
        {
            "decided_at": orders[event.order_id].decided_at,
            "symbol": orders[event.order_id].symbol,
            "event": event.event,
            "reason": event.reason,
        }
        for event in rows.events
        if event.event in ("rejected", "cancelled")
    ]
    return {
        "rules": state.rules.name,
        "first_day": rows.states[0].trading_day,
        "last_day": state.day,
        "capital": state.capital,
        "cash": cents(state.cash),
        "receivable": state.receivable,
        "equity": cents(state.equity),
        "fees": -cents(sums.get("fee", ZERO)),
        "slippage": sum((fill.slippage for fill in rows.fills), ZERO),
        "dividends": sums.get("dividend", ZERO) + sums.get("dividend_short", ZERO),
        "interest": sums.get("interest", ZERO),
        "borrow": -sums.get("borrow", ZERO),
        "fills": [fill._asdict() for fill in rows.fills],
        "positions": [
            {
                "symbol": p.symbol,
                "quantity": p.quantity,
                "cost": p.cost,
                "mark": p.mark,
                "mark_day": p.mark_day,
                "stale": p.stale,
                "market_value": p.market_value,
                "unrealised": p.unrealised,
            }
            for _, p in sorted(state.positions.items())
        ],
        "open_orders": [
            {**found.order._asdict(), "filled": found.filled}
            for found in state.open_orders.values()
        ],
        "trades": [trade._asdict() for trade in rows.trades],
        "refused": refused,
        "reconciliation": {
            "passed": not any(check["faults"] for check in listed),
            "checks": listed,
        },
        "digest": state.digest,
    }
