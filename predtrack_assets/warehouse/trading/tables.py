"""The tables of a book: their key, and their columns with types, as they are written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BookTable:
    """key: columns that identify a row. types: PostgreSQL type of every column that is written.

    unchecked: columns that a rerun may say otherwise; what was written stays.
    """

    name: str
    key: tuple[str, ...]
    types: dict[str, str]
    unchecked: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[str, ...]:
        """Columns that a rerun must find equal."""
        return tuple(column for column in self.types if column not in (*self.key, *self.unchecked))


_MONEY, _SHARES, _PRICE = "numeric(20,2)", "numeric(20,6)", "numeric(20,6)"

DECISIONS = BookTable(
    "decisions",
    ("book", "decided_at"),
    {"book": "text", "decided_at": "timestamptz", "as_of": "timestamptz", "origin": "text"},
    ("origin",),
)
ORDERS = BookTable(
    "orders",
    ("order_id",),
    {
        "order_id": "uuid", "book": "text", "decided_at": "timestamptz", "as_of": "timestamptz",
        "symbol": "text", "n": "integer", "side": "text", "quantity": _SHARES, "kind": "text",
        "limit_price": _PRICE, "stop_price": _PRICE, "tif": "text", "oco_group": "text",
        "reduce_only": "boolean", "tag": "text", "not_before": "date",
    },
)  # fmt: skip
ORDER_EVENTS = BookTable(
    "order_events",
    ("order_id", "n"),
    {
        "order_id": "uuid", "n": "integer", "trading_day": "date", "event": "text",
        "reason": "text", "quantity": _SHARES, "limit_price": _PRICE, "stop_price": _PRICE,
    },
)  # fmt: skip
FILLS = BookTable(
    "fills",
    ("order_id", "n"),
    {
        "order_id": "uuid", "n": "integer", "book": "text", "trading_day": "date",
        "filled_at": "timestamptz", "symbol": "text", "side": "text", "quantity": _SHARES,
        "price": _PRICE, "raw_price": _PRICE, "slippage": _MONEY, "fee": _MONEY,
        "as_of": "timestamptz", "bar_known": "timestamptz", "rule": "text",
    },
)  # fmt: skip
JOURNAL = BookTable(
    "journal",
    ("book", "entry_id"),
    {
        "book": "text", "entry_id": "bigint", "trading_day": "date", "kind": "text",
        "symbol": "text", "cash": _MONEY, "quantity": _SHARES, "source": "text", "ex_date": "date",
    },
)  # fmt: skip
TRADES = BookTable(
    "trades",
    ("book", "trade_id", "exit_id", "closed"),
    {
        "book": "text", "trade_id": "text", "exit_id": "text", "closed": "date", "symbol": "text",
        "direction": "text", "quantity": _SHARES, "opened": "date", "entry_amount": _MONEY,
        "exit_amount": _MONEY, "gross_pnl": _MONEY, "commission": _MONEY, "dividends": _MONEY,
        "net_pnl": _MONEY, "mfe": _MONEY, "mae": _MONEY,
    },
)  # fmt: skip
POSITIONS = BookTable(
    "positions",
    ("book", "trading_day", "symbol"),
    {
        "book": "text", "trading_day": "date", "symbol": "text", "quantity": _SHARES,
        "cost": _MONEY, "mark": _PRICE, "mark_day": "date", "stale": "boolean",
        "market_value": _MONEY, "unrealised": _MONEY,
    },
)  # fmt: skip
PORTFOLIO_STATE = BookTable(
    "portfolio_state",
    ("book", "trading_day"),
    {
        "book": "text", "trading_day": "date", "cash": _MONEY, "receivable": _MONEY,
        "long": _MONEY, "short": _MONEY, "equity": _MONEY, "open_orders": "integer",
        "previous_digest": "bytea", "digest": "bytea",
    },
)  # fmt: skip
