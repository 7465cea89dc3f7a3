"""What a database is made of, in words: tables, rules, functions, views, rights and comments.

Two databases of the same migrations have equal catalogues; a rule that was dropped, disabled or
emptied behind the project's back shows as a difference. Order of columns is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from predtrack_assets.warehouse.database.urls import normalise

# One row an item: what it is, its name, its definition. Rights are those of others than the owner.
_ITEMS = r"""
    WITH rooms AS (
        SELECT oid, nspname, nspowner, nspacl FROM pg_namespace n
        WHERE nspname NOT LIKE ALL (ARRAY['pg\_%', 'information\_schema', 'public', '%timescaledb%'])
    ), relations AS (
        SELECT c.*, c.oid::regclass::text AS name FROM pg_class c JOIN rooms r ON r.oid = c.relnamespace
    ), functions AS (
        SELECT p.*, p.oid::regprocedure::text AS name FROM pg_proc p JOIN rooms r ON r.oid = p.pronamespace
        WHERE p.prokind = 'f'
    ), rights AS (
        SELECT 'schema' AS kind, r.nspname::text AS name, r.nspowner AS owner,
               coalesce(r.nspacl, acldefault('n', r.nspowner)) AS acl FROM rooms r
        UNION ALL
        SELECT 'relation', name, relowner, coalesce(relacl, acldefault('r', relowner)) FROM relations
        WHERE relkind IN ('r', 'p', 'v', 'm')
        UNION ALL
        SELECT 'column', c.name || '.' || a.attname, c.relowner, a.attacl
        FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid WHERE a.attacl IS NOT NULL
        UNION ALL
        SELECT 'function', name, proowner, coalesce(proacl, acldefault('f', proowner)) FROM functions
    )
    SELECT 'schema', nspname::text, coalesce(obj_description(oid, 'pg_namespace'), '') FROM rooms
    UNION ALL
    SELECT 'relation', name, concat_ws(E'\n', relkind, relpersistence, reloptions::text,
           obj_description(oid, 'pg_class')) FROM relations WHERE relkind IN ('r', 'p', 'v', 'm')
    UNION ALL
    SELECT 'column', c.name || '.' || a.attname, concat_ws(E'\n',
           format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
           a.attgenerated, a.attidentity, a.attstorage, pg_get_expr(d.adbin, d.adrelid),
           col_description(c.oid, a.attnum))
    FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p', 'v', 'm')
    UNION ALL
    SELECT 'constraint', c.name || '.' || k.conname, concat_ws(E'\n', pg_get_constraintdef(k.oid),
           obj_description(k.oid, 'pg_constraint'))
    FROM relations c JOIN pg_constraint k ON k.conrelid = c.oid
    UNION ALL
    SELECT 'index', c.name, concat_ws(E'\n', pg_get_indexdef(c.oid), obj_description(c.oid, 'pg_class'))
    FROM relations c WHERE c.relkind = 'i'
    UNION ALL
    SELECT 'trigger', c.name || '.' || t.tgname, concat_ws(E'\n', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM relations c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'rule', c.name || '.' || r.rulename, concat_ws(E'\n', pg_get_ruledef(r.oid), r.ev_enabled)
    FROM relations c JOIN pg_rewrite r ON r.ev_class = c.oid WHERE c.relkind <> 'v'
    UNION ALL
    SELECT 'view', name, pg_get_viewdef(oid) FROM relations WHERE relkind IN ('v', 'm')
    UNION ALL
    SELECT 'function', name, concat_ws(E'\n', pg_get_functiondef(oid), obj_description(oid, 'pg_proc'))
    FROM functions
    UNION ALL
    SELECT 'rights', rights.kind || ' ' || rights.name || ' of '
               || coalesce(g.rolname, 'everybody'),
           string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ', '
                      ORDER BY a.privilege_type)
    FROM rights, aclexplode(rights.acl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
    WHERE a.grantee <> rights.owner
    GROUP BY rights.kind, rights.name, g.rolname
"""


@dataclass(frozen=True)
class Difference:
    """An item that two databases do not have alike; None: it is not there."""

    item: str
    first: str | None
    second: str | None

    def __str__(self) -> str:
        if self.second is None:
            return f"{self.item}: only in the first"
        if self.first is None:
            return f"{self.item}: only in the second"
        return f"{self.item}: {_one_line(self.first)} | {_one_line(self.second)}"


def read_catalogue(url: str) -> dict[str, str]:
    """Every item of a database's own schemas (public left out), by kind and name.

    Raises psycopg.Error if the database does not answer.
    """
    with psycopg.connect(normalise(url)) as connection:
        connection.execute("SET LOCAL search_path = ''")  # or names would leave their schema out
        rows = connection.execute(_ITEMS).fetchall()
    return {f"{kind} {name}": definition for kind, name, definition in rows}


def compare_catalogues(first: Mapping[str, str], second: Mapping[str, str]) -> list[Difference]:
    """The items that differ, in order of their names; empty for databases made alike."""
    return [
        Difference(item, first.get(item), second.get(item))
        for item in sorted(first.keys() | second.keys())
        if first.get(item) != second.get(item)
    ]


def catalogue_digest(items: Mapping[str, str]) -> str:
    """SHA-256 of a catalogue, in hexadecimal: equal exactly when `compare_catalogues` is empty."""
    digest = hashlib.sha256()
    for item in sorted(items):
        for text in (item, items[item]):
            data = text.encode()
            digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def _one_line(text: str) -> str:
    return " ".join(text.split())
