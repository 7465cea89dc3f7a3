"""Statements that verify the ledger: its batches, its rows, and what they are judged by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import polars as pl
from psycopg import sql

from predtrack_assets.domain.audit.ledger.comparison import row_column
from predtrack_assets.domain.audit.ledger.encoding import Encoding
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts.ledger import (
    LedgerError,
    encodings,
    row_bytes,
    table_encoding,
)

PAGE = 2_000  # batches
JUDGED = {
    "trading_day": sql.Identifier("trading_day"),
    "live": sql.SQL("origin = 'live'"),
    "earliest_resolution_time": sql.Identifier("earliest_resolution_time"),
}
# Rows that may be live, with what the calendar judges them by.
LIVE_ROWS = Query("""
    SELECT uuid_send(prediction_id) AS prediction_id, exchange, p.kind, trading_day, as_of, horizon,
           horizon_unit, earliest_resolution_time
    FROM forecasts.predictions p LEFT JOIN market.symbols USING (symbol)
    WHERE trading_day BETWEEN :first AND :last
      AND (origin = 'live' OR (trading_day, model_id, p.kind) IN (
          SELECT trading_day, model_id, kind FROM forecasts.prediction_batches WHERE origin = 'live'
             AND trading_day BETWEEN :first AND :last))
""")
BATCH_COLUMNS = """
    SELECT batch_index, model_id, kind, trading_day, as_of, row_count, origin, encoding, committed_at,
           merkle_root, previous_hash, hash, prediction_ids, leaves
    FROM forecasts.prediction_batches
"""
USED_ENCODINGS = Query("SELECT DISTINCT encoding FROM forecasts.prediction_batches")
PAGE_OF_BATCHES = Query(f"""
    {BATCH_COLUMNS} WHERE batch_index > :after ORDER BY batch_index
    FETCH FIRST {PAGE} ROWS WITH TIES
""")
BATCHES_OF_DAYS = Query(
    f"{BATCH_COLUMNS} WHERE trading_day BETWEEN :first AND :last ORDER BY batch_index"
)
SIZE = Query("""
    SELECT (SELECT count(*) FROM forecasts.prediction_batches) AS batches,
           (SELECT coalesce(sum(row_count), 0)::bigint FROM forecasts.prediction_batches) AS rows
""")
# Whoever drops old predictions says so on the audit trail; their leaves stay.
RETAINED_FROM = Query("""
    SELECT max((payload ->> 'before')::date) AS day FROM audit.audit_trail
    WHERE event_type = 'retention'
""")
# An identity is not indexed: looking one up reads the table.
DAY_OF = Query(
    "SELECT trading_day, model_id, kind FROM forecasts.predictions"
    " WHERE prediction_id = :prediction_id::uuid"
)
BATCHES_OF_GROUP = Query(f"""
    {BATCH_COLUMNS}
    WHERE (trading_day, model_id, kind) = (:trading_day, :model_id, :kind) ORDER BY batch_index
""")
LINKS = Query("""
    SELECT batch_index, model_id, kind, trading_day, as_of, row_count, origin, encoding, committed_at,
           merkle_root, previous_hash, hash
    FROM forecasts.prediction_batches ORDER BY batch_index
""")
CLAIMED = Query("""
    SELECT uuid_send(prediction_id) AS prediction_id, trading_day
    FROM forecasts.predictions
    WHERE model_id = :model_id AND kind = :kind AND horizon = :horizon
      AND horizon_unit = 'session' AND due_day BETWEEN :first AND :last
""")
SEALED_IDS = Query("""
    SELECT origin, prediction_ids FROM forecasts.prediction_batches
    WHERE model_id = :model_id AND kind = :kind AND trading_day BETWEEN :first AND :last
""")


def batch_pages(transaction: Transaction) -> Iterator[pl.DataFrame]:
    """All batches in the order of the chain, a page at a time; equal indexes share a page."""
    after = -(2**63)
    while len(page := transaction.read(PAGE_OF_BATCHES, after=after)):
        yield page
        after = page["batch_index"][-1]


def judged_columns(transaction: Transaction) -> dict[str, sql.Composable]:
    """What rows are judged by: see `compare`."""
    known = encodings(transaction)
    used = transaction.read(USED_ENCODINGS)["encoding"]
    there = set(table_encoding(transaction, tables.PREDICTIONS).columns)
    columns: dict[str, sql.Composable] = dict(JUDGED)
    for encoding in (known[digest] for digest in used if digest in known):
        if dropped := set(encoding.columns) - there:
            raise LedgerError(f"batches hold columns that the table has no more: {sorted(dropped)}")
        columns[row_column(encoding.digest)] = row_bytes(encoding)
    return columns


def read_row(
    transaction: Transaction, encoding: Encoding, group: Mapping[str, Any], prediction_id: UUID
) -> dict[str, Any]:
    """The stored row as the encoding takes it: uuid and jsonb as text."""
    columns = [
        sql.SQL("{0}::text AS {0}" if kind in ("uuid", "jsonb") else "{0}").format(
            sql.Identifier(name)
        )
        for name, kind in encoding.columns
    ]
    template = (
        "SELECT {columns} FROM {table} WHERE trading_day = {day} AND prediction_id = {identity}"
    )
    names = {
        "columns": sql.SQL(", ").join(columns),
        "table": sql.Identifier(tables.PREDICTIONS.schema, tables.PREDICTIONS.name),
        "day": sql.SQL(":trading_day"),
        "identity": sql.SQL(":prediction_id::uuid"),
    }
    query = Query(sql.SQL(template).format(**names).as_string())
    found: pl.DataFrame = transaction.read(
        query, trading_day=group["trading_day"], prediction_id=str(prediction_id)
    )
    return found.row(0, named=True)
