"""What is in every table, in two numbers each: equal where two databases hold the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import psycopg
from psycopg import sql

from predtrack_assets.warehouse.database.dumps import OF_OTHERS

Digests = dict[str, tuple[int, str]]
"""(rows, digest) by schema.table."""

# A row's text must not depend on who asks.
_SETTINGS = """
    SET TIME ZONE 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres';
    SET bytea_output = 'hex'; SET extra_float_digits = 1; SET search_path = pg_catalog
"""
_TABLES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE ALL(%(others)s)
    ORDER BY 1, 2
"""
# The sum of the rows' MD5s, as numbers of 60 bits: it does not depend on the order of the rows.
_DIGEST = """
    SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0)
    FROM {table} t
"""


def row_digests(
    connection: psycopg.Connection, progress: Callable[[int, int], None] = lambda *_: None
) -> Digests:
    """Every table's rows and digest as the connection's transaction sees them.

    progress: told the tables done, of how many. The digest finds damage, not fraud: that is the
    ledger's task.
    """
    connection.execute(_SETTINGS)
    tables = connection.execute(_TABLES, {"others": OF_OTHERS}).fetchall()
    found: Digests = {}
    for done, (schema, name) in enumerate(tables):
        progress(done, len(tables))
        query = sql.SQL(_DIGEST).format(table=sql.Identifier(schema, name))
        row = connection.execute(query).fetchone()
        assert row is not None
        found[f"{schema}.{name}"] = (row[0], str(row[1]))
    progress(len(tables), len(tables))
    return found


def row_digests_of(url: str, progress: Callable[[int, int], None] = lambda *_: None) -> Digests:
    """The digests of a database as it is now; see `row_digests`."""
    with psycopg.connect(url) as connection:
        return row_digests(connection, progress)


def different_tables(first: Mapping[str, object], second: Mapping[str, object]) -> list[str]:
    """Names of tables that only one side has, or whose rows differ; sorted."""
    names = first.keys() | second.keys()
    return sorted(name for name in names if first.get(name) != second.get(name))
