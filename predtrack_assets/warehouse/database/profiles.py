"""Per-day profiles of the tables: one aggregating statement each, for the asset checks.

Every statement takes a window [first, last] and returns `day` with counts (bigint): how many rows
are there, and how many are not as they must be. An absent day has no row. Exchange sessions are
parameters (equally long arrays), for only the calendar of domain knows them.
"""

from __future__ import annotations

from psycopg import sql

from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.tables import Table

# -- any table -------------------------------------------------------------------------------


def last_day(table: Table) -> Query:
    """The latest day that the table has a row of, as `day`; NULL when it is empty."""
    template = "SELECT max({day}) AS day FROM {table}"
    return Query(sql.SQL(template).format(**_names(table)).as_string())


def duplicates(table: Table, *extra_key: str) -> Query:
    """day, duplicates: rows beyond the first of each key (with `extra_key`), by day."""
    key = sql.SQL(", ").join(map(sql.Identifier, (*table.key, *extra_key)))
    template = (
        "SELECT day, sum(copies - 1)::bigint AS duplicates FROM"
        " (SELECT {day} AS day, count(*) AS copies FROM {table}"
        " WHERE {day} BETWEEN :first AND :last GROUP BY {day}, {key} HAVING count(*) > 1) repeated"
        " GROUP BY day"
    )
    return Query(sql.SQL(template).format(**_names(table), key=key).as_string())


def _names(table: Table) -> dict[str, sql.Composable]:
    return {"table": sql.Identifier(table.schema, table.name), "day": sql.Identifier(table.day)}


# -- market ----------------------------------------------------------------------------------


# -- models ----------------------------------------------------------------------------------


# -- forecasts -------------------------------------------------------------------------------
