"""What the proofs read of stored rows: rows of a window, and how many there are a day."""

from __future__ import annotations

from psycopg import sql

from predtrack_assets.warehouse.queries import Query
from predtrack_assets.warehouse.tables import Table


def stored_rows(table: Table) -> Query:
    """Key and values of the rows of a table in [first, last]; nothing incidental."""
    return _of(
        table,
        "SELECT {columns} FROM {table} WHERE {day} BETWEEN :first AND :last ORDER BY {key}",
    )


def rows_per_day(table: Table) -> Query:
    """day, rows of each day of a table in [first, last], in order."""
    return _of(
        table,
        "SELECT {day} AS day, count(*) AS rows FROM {table} WHERE {day} BETWEEN :first AND :last"
        " GROUP BY 1 ORDER BY 1",
    )


def _of(table: Table, statement: str) -> Query:
    names = {
        "table": sql.Identifier(table.schema, table.name),
        "day": sql.Identifier(table.day),
        "columns": sql.SQL(", ").join(map(sql.Identifier, (*table.key, *table.values))),
        "key": sql.SQL(", ").join(map(sql.Identifier, table.key)),
    }
    return Query(sql.SQL(statement).format(**names).as_string())


HORIZONS = Query("""
    SELECT DISTINCT horizon FROM forecasts.predictions
    WHERE trading_day BETWEEN :first AND :last ORDER BY horizon
""")

REGISTERED = Query("SELECT model_id, role FROM models.model_registry ORDER BY model_id")
