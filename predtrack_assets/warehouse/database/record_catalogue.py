"""Records of tables and views from the catalogue of a migrated database."""

from __future__ import annotations

import psycopg

from predtrack_assets.warehouse.database.urls import normalise
from predtrack_assets.warehouse.records import Column, Record

SCHEMAS = (
    "market", "features", "models", "forecasts", "accuracy", "deployment", "trading", "audit",
)  # fmt: skip
_RELATIONS = """
    SELECT n.nspname, c.relname, c.relkind IN ('v', 'm'),
           coalesce(obj_description(c.oid, 'pg_class'), ''),
           coalesce((SELECT array_agg(a.attname::text ORDER BY k.place)
                     FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k (attnum, place), pg_attribute a
                     WHERE i.indrelid = c.oid AND i.indisprimary
                       AND (a.attrelid, a.attnum) = (c.oid, k.attnum)),
                    '{}'),
           coalesce((SELECT jsonb_object_agg(conname, pg_get_constraintdef(k.oid, true))
                     FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'), '{}'),
           c.oid
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
    ORDER BY array_position(%s, n.nspname::text), 3, c.relname COLLATE "C"
"""
_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
           a.attgenerated <> '' OR a.attidentity <> ''
               OR coalesce(pg_get_expr(d.adbin, d.adrelid) = 'now()', false),
           coalesce(col_description(a.attrelid, a.attnum), '')
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


def read_records(url: str) -> dict[str, Record]:
    """Every table and view of the project's schemas, tables of a schema first, by `schema.name`.

    Raises psycopg.Error if the database does not answer.
    """
    found = {}
    with psycopg.connect(normalise(url)) as connection:
        schemas = list(SCHEMAS)
        for schema, name, is_view, text, key, checks, oid in connection.execute(
            _RELATIONS, [schemas, schemas]
        ).fetchall():
            columns = tuple(Column(*row) for row in connection.execute(_COLUMNS, [oid]))
            ordered = dict(sorted(checks.items()))
            found[f"{schema}.{name}"] = Record(
                schema, name, is_view, text, columns, tuple(key), ordered
            )
    return found
