"""Stored rows for replay: those of a window, how many there are a day, and the fits that they name."""

from __future__ import annotations

from psycopg import sql

from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.tables import Table


def rows_of(table: Table) -> Query:
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


REGISTERED = Query("SELECT model_id, role FROM models.model_registry ORDER BY model_id")

NAMED_FITS = Query("""
    SELECT model_id, artifact_id, scope, artifact_uri, sha256, trained_through
    FROM models.model_artifacts WHERE artifact_id = ANY(:artifact_ids) ORDER BY artifact_id
""")

RECORDED_PREDICTIONS = Query("""
    SELECT trading_day, symbol, model_id, kind, horizon, horizon_unit, as_of, recorded_at
    FROM forecasts.predictions
    WHERE trading_day BETWEEN :first AND :last AND model_id = ANY(:models)
""")
RESOLVED_UNTIL = Query("""
    SELECT resolved_day, max(recorded_at) AS resolved_at FROM forecasts.outcomes
    WHERE resolved_day BETWEEN :first AND :last GROUP BY resolved_day
""")
