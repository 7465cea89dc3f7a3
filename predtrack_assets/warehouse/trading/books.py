"""Books: made once, written day by day; a rerun finds its rows equal or is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
from psycopg import sql

from predtrack_assets.domain.trading.rules import ExecutionRules
from predtrack_assets.domain.trading.state import BookState, Rows
from predtrack_assets.faults import Fault
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.trading.tables import (
    DECISIONS,
    FILLS,
    JOURNAL,
    ORDER_EVENTS,
    ORDERS,
    PORTFOLIO_STATE,
    POSITIONS,
    TRADES,
    BookTable,
)

_INTEGERS = ("integer", "bigint")
_MAKE = Query("""
    INSERT INTO trading.books (book, strategy_id, capital, currency, rules)
    VALUES (:book, :strategy, (:capital)::text::numeric, :currency, (:rules)::text::jsonb)
    ON CONFLICT (book) DO NOTHING RETURNING book
""")
_SAME = Query("""
    SELECT capital = (:capital)::text::numeric AND currency = :currency AND rules = (:rules)::text::jsonb
           AND strategy_id IS NOT DISTINCT FROM :strategy::text
    FROM trading.books WHERE book = :book
""")
_LOCK = Query("SELECT pg_advisory_xact_lock(hashtextextended('trading.book|' || (:book)::text, 0))")
_STATES = Query("""
    SELECT trading_day, cash::text, receivable::text, long::text, short::text, equity::text,
           open_orders, encode(previous_digest, 'hex') AS previous_digest,
           encode(digest, 'hex') AS digest
    FROM trading.portfolio_state WHERE book = :book ORDER BY trading_day
""")
_INSERT = """
    WITH added AS (
        INSERT INTO trading.{table} ({columns}) SELECT {cast} FROM pg_temp.{stage} s
        WHERE NOT EXISTS (SELECT FROM trading.{table} t WHERE {same_key}) RETURNING 1)
    SELECT count(*) AS n FROM added
"""
_DIFFERENT = """
    SELECT {key} FROM pg_temp.{stage} s JOIN trading.{table} t ON {same_key}
    WHERE ROW({stored}) IS DISTINCT FROM ROW({given}) ORDER BY 1 LIMIT 1
"""


class BookConflict(Fault):
    """A book's stored rows are not what its inputs give: where they differ first."""


def make_book(
    transaction: Transaction, state: BookState, currency: str = "USD", strategy: str | None = None
) -> bool:
    """Store a book's terms; whether it is new. Raises BookConflict where they are others."""
    terms = {
        "book": state.book,
        "strategy": strategy,
        "capital": str(state.capital),
        "currency": currency,
        "rules": rules_json(state.rules),
    }
    if transaction.read(_MAKE, **terms).height:
        return True
    if not transaction.read(_SAME, **terms).item():
        raise BookConflict(
            f"book {state.book!r} has other capital, currency or rules; a change is a new book"
        )
    return False


def write_days(
    transaction: Transaction, book: str, rows: Rows, live_from: datetime | None = None
) -> Written:
    """Add what days of a book wrote; days that are stored are compared and stay.

    rows: of consecutive days, in cents (rules with exact_fills are for comparison and not stored).
    live_from: decisions from then on are committed before the fact; None: none is.
    Returns the counts over all tables. Raises BookConflict naming table and key of the first row
    that differs, database errors for what the schema refuses; the transaction is then lost.
    """
    transaction.read(_LOCK, book=book)
    written = Written()
    for table, values in _values(book, rows, live_from):
        written += append_equal(transaction, table, values)
    return written


def read_states(transaction: Transaction, book: str) -> pl.DataFrame:
    """Days of a book in order: trading_day, money as Decimal(20,2), open_orders, hex digests."""
    money = pl.col("cash", "receivable", "long", "short", "equity")
    return transaction.read(_STATES, book=book).with_columns(money.cast(pl.Decimal(20, 2)))


def _values(
    book: str, rows: Rows, live_from: datetime | None
) -> Iterable[tuple[BookTable, list[Sequence[Any]]]]:
    """The rows of each table, in an order that foreign keys allow."""
    moments = sorted({order.decided_at for order in rows.orders})
    yield (
        DECISIONS,
        [(book, m, m, "live" if live_from and m >= live_from else "replay") for m in moments],
    )
    yield (
        ORDERS,
        [
            (o.order_id, book, o.decided_at, o.decided_at, o.symbol, o.n, o.side, o.quantity,
             o.kind, o.limit, o.stop, o.tif, o.oco_group, o.reduce_only, o.tag, o.not_before)
            for o in rows.orders
        ],
    )  # fmt: skip
    yield ORDER_EVENTS, list(rows.events)
    yield (
        FILLS,
        [
            (f.order_id, f.n, book, f.trading_day, f.filled_at, f.symbol, f.side, f.quantity,
             f.price, f.raw_price, f.slippage, f.fee, f.as_of, f.bar_known, f.rule)
            for f in rows.fills
        ],
    )  # fmt: skip
    yield JOURNAL, [(book, *entry) for entry in rows.entries]
    yield (
        POSITIONS,
        [
            (book, day, p.symbol, p.quantity, p.cost, p.mark, p.mark_day, p.stale, p.market_value,
             p.unrealised)
            for day, p in rows.positions
        ],
    )  # fmt: skip
    yield (
        TRADES,
        [
            (book, t.trade_id, t.exit_id, t.closed, t.symbol, t.direction, t.quantity, t.opened,
             t.entry_amount, t.exit_amount, t.gross_pnl, t.commission, t.dividends, t.net_pnl, t.mfe,
             t.mae)
            for t in rows.trades
        ],
    )  # fmt: skip
    yield (
        PORTFOLIO_STATE,
        [
            (book, *s[:7], bytes.fromhex(s.previous_digest), bytes.fromhex(s.digest))
            for s in rows.states
        ],
    )


def append_equal(transaction: Transaction, table: BookTable, rows: list[Sequence[Any]]) -> Written:
    """Insert rows that are not there yet; refuse those that are there and differ."""
    if not rows:
        return Written()
    stage = f"stage_{table.name}"
    types, arrays = {}, []
    for (name, kind), values in zip(table.types.items(), zip(*rows, strict=True), strict=True):
        types[name], array = _column(kind, values)
        arrays.append(array)
    transaction.stage(stage, types, pa.table(arrays, names=list(types)))
    names = _names(table, stage)
    different = transaction.read(Query(sql.SQL(_DIFFERENT).format(**names).as_string()))
    if different.height:
        key = " ".join(different.row(0))
        raise BookConflict(
            f"trading.{table.name} has other values for {key}: the book's inputs have changed since"
            " it was written, or its rows were"
        )
    added = int(transaction.read(Query(sql.SQL(_INSERT).format(**names).as_string())).item())
    return Written(inserted=added, unchanged=len(rows) - added)


def _column(kind: str, values: Sequence[Any]) -> tuple[str, pa.Array]:
    """The type that a column is staged in, and its values: numbers exactly, as texts."""
    if kind.startswith("numeric"):
        return "text", pa.array([None if v is None else str(v) for v in values], pa.string())
    if kind in _INTEGERS:
        return "bigint", pa.array(values, pa.int64())
    arrow = {
        "uuid": pa.string(),
        "text": pa.string(),
        "date": pa.date32(),
        "boolean": pa.bool_(),
        "bytea": pa.binary(),
        "timestamptz": pa.timestamp("us", "UTC"),
    }[kind]
    return ("text" if kind == "uuid" else kind), pa.array(values, arrow)


def _names(table: BookTable, stage: str) -> dict[str, sql.Composable]:
    """The fragments that statements are made of."""

    def given(column: str) -> sql.Composable:
        kind = sql.SQL(table.types[column])
        return sql.SQL("s.{}::{}").format(sql.Identifier(column), kind)

    def stored(column: str) -> sql.Composable:
        return sql.SQL("t.{}").format(sql.Identifier(column))

    comma = sql.SQL(", ")
    same = [sql.SQL("{} = {}").format(stored(c), given(c)) for c in table.key]
    return {
        "table": sql.Identifier(table.name),
        "stage": sql.Identifier(stage),
        "columns": comma.join(sql.Identifier(c) for c in table.types),
        "cast": comma.join(given(c) for c in table.types),
        "same_key": sql.SQL(" AND ").join(same),
        "key": comma.join(
            sql.SQL("{}::text AS {}").format(stored(c), sql.Identifier(c)) for c in table.key
        ),
        "stored": comma.join(stored(c) for c in table.values),
        "given": comma.join(given(c) for c in table.values),
    }


def rules_json(rules: ExecutionRules) -> str:
    """Execution rules as they are stored: numbers as texts, so that they stay exact."""
    return json.dumps({f.name: _plain(getattr(rules, f.name)) for f in fields(rules)})


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value
