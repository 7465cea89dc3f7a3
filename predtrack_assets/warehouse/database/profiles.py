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
    """day, duplicates: rows beyond the first of each key (with `extra_key`), by day.

    Nothing is counted where a unique index on columns of that key forbids them.
    """
    key = (*table.key, *extra_key)
    template = (
        "SELECT day, sum(copies - 1)::bigint AS duplicates FROM"
        " (SELECT {day} AS day, count(*) AS copies FROM {table}"
        " WHERE {day} BETWEEN :first AND :last AND NOT EXISTS ({unique})"
        " GROUP BY {day}, {key} HAVING count(*) > 1) repeated"
        " GROUP BY day"
    )
    unique = sql.SQL(_UNIQUE).format(
        table=sql.Literal(f"{table.schema}.{table.name}"), key=sql.Literal(list(key))
    )
    names = sql.SQL(", ").join(map(sql.Identifier, key))
    return Query(sql.SQL(template).format(**_names(table), key=names, unique=unique).as_string())


# One that lets no NULLs pass, over all rows. It depends on no row, so the server looks once.
_UNIQUE = """
    SELECT FROM pg_index i
    WHERE i.indrelid = {table}::regclass AND i.indisunique AND i.indisvalid
      AND (i.indisprimary OR i.indnullsnotdistinct) AND i.indpred IS NULL AND i.indexprs IS NULL
      AND (SELECT array_agg(a.attname::text) FROM pg_attribute a
           WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) <@ {key}::text[]
"""


def _names(table: Table) -> dict[str, sql.Composable]:
    return {"table": sql.Identifier(table.schema, table.name), "day": sql.Identifier(table.day)}


# -- market ----------------------------------------------------------------------------------


# -- models ----------------------------------------------------------------------------------


# -- forecasts -------------------------------------------------------------------------------
