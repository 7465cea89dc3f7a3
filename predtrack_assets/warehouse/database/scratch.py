"""A database of our own beside the real one, in which the future may be poisoned.

The same migrations, so the same tables, functions and SQL; but no CHECK, foreign key or trigger,
which poison would not pass. The real database is only read, in one read-only transaction.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal, get_args

import psycopg
from psycopg import sql

from predtrack_assets.warehouse.database.binaries import ServerError
from predtrack_assets.warehouse.database.connections import connect
from predtrack_assets.warehouse.database.migrate import migrate
from predtrack_assets.warehouse.database.transaction import READER, Transaction
from predtrack_assets.warehouse.database.urls import database_name, with_database, with_role

Poison = Literal["nan", "huge", "negative", "permuted", "deleted"]
POISONS: tuple[Poison, ...] = get_args(Poison)

STAGES = ("market", "features", "models")
LOGS = ("market.fetch_log", "market.quarantine")  # no computation reads them, and they are long
FITTED = "trained_through"
DAYS = ("trading_day", "ex_date", FITTED)

# Tables of the stages: name, columns that can be copied, the day column or null, whether it says
# when a row became known, and the columns that can be poisoned.
_TABLES = """
    SELECT n.nspname, c.relname,
           array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = ''),
           max(a.attname::text) FILTER (WHERE a.attname::text = ANY(%(days)s)),
           bool_or(a.attname = 'knowledge_time'),
           coalesce(array_agg(a.attname::text ORDER BY a.attnum)
               FILTER (WHERE a.atttypid = 'float8'::regtype AND a.attgenerated = ''), '{}'),
           coalesce(array_agg(a.attname::text ORDER BY a.attnum)
               FILTER (WHERE a.atttypid = 'bytea'::regtype AND a.attgenerated = ''), '{}'),
           coalesce(array_agg(a.attname::text ORDER BY a.attnum)
               FILTER (WHERE a.atttypid = 'text'::regtype AND a.attgenerated = '' AND NOT EXISTS (
                   SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique
                   AND a.attnum = ANY(i.indkey))), '{}')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname = ANY(%(stages)s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname || '.' || c.relname <> ALL(%(logs)s)
    GROUP BY 1, 2, c.oid ORDER BY 1, 2
"""
_CONSTRAINTS = r"""
    SELECT n.nspname, c.relname, k.conname
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype IN ('c', 'f') AND k.conparentid = 0 AND k.coninhcount = 0
      AND n.nspname NOT LIKE ALL(ARRAY['pg\_%', 'information\_schema', '\_timescaledb%'])
"""
_TRIGGERS = r"""
    SELECT n.nspname, c.relname, t.tgname
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace f ON f.oid = p.pronamespace
    WHERE NOT t.tgisinternal AND t.tgparentid = 0
      AND f.nspname NOT LIKE ALL(ARRAY['pg\_%', 'information\_schema', '\_timescaledb%'])
"""
_PERMUTED = """
    WITH numbered AS (
        SELECT ctid AS place, tableoid AS part, {columns},
               row_number() OVER (ORDER BY tableoid, ctid) AS number
        FROM {table} WHERE {later}
    ), shuffled AS (
        SELECT numbered.*, row_number() OVER (ORDER BY md5(number::text)) AS other FROM numbered
    )
    UPDATE {table} t SET ({columns}) = ROW({of_other})
    FROM shuffled a JOIN shuffled o ON o.other = a.number
    WHERE t.ctid = a.place AND t.tableoid = a.part
"""
_EVERY_PLACE = "{c} = decode(repeat({v}, octet_length({c}) / 8), 'hex')"
_UNFORESEEN = (  # a membership's end is not known before it, nor a member that joins later
    "UPDATE market.universe_members SET end_date = NULL WHERE end_date > {day}",
    "DELETE FROM market.universe_members WHERE start_date > {day}",
)


@dataclass(frozen=True)
class _Source:
    """One table of the stages, as the catalog of the scratch database describes it."""

    schema: str
    name: str
    columns: list[str]
    day: str | None
    timed: bool
    numbers: list[str]
    vectors: list[str]
    texts: list[str]

    @property
    def table(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def later(self, day: date, as_of: datetime) -> sql.Composable | None:
        """The condition for rows of the future: of a later day, or known later."""
        parts: list[sql.Composable] = []
        if self.day:
            # A model trained through D itself may only speak from D + 1 on.
            bound = sql.SQL(">=" if self.day == FITTED else ">")
            parts.append(
                sql.SQL("{} {} {}").format(sql.Identifier(self.day), bound, sql.Literal(day))
            )
        if self.timed:
            parts.append(sql.SQL("knowledge_time > {}").format(sql.Literal(as_of)))
        return sql.SQL("({})").format(sql.SQL(" OR ").join(parts)) if parts else None


class PoisonedTransaction(Transaction):
    """A transaction on the scratch database, as its owner; it is never committed."""

    def __init__(self, cursor: object, sources: list[_Source]) -> None:
        super().__init__(cursor)
        self._sources = sources

    def poison(self, how: Poison, day: date, as_of: datetime) -> None:
        """Spoil every row of a day after `day` or became known after `as_of`.

        Numbers become NaN, +1e9 or -1e9 and texts all the same, or the values of rows change
        places, or the rows go. Later fits go in any case, and what later days did to memberships.
        """
        for statement in _UNFORESEEN:
            self._execute(statement, {"day": sql.Literal(day)})
        for source in self._sources:
            later = source.later(day, as_of)
            if later is not None:
                self._poison(source, how, later)

    def _poison(self, source: _Source, how: Poison, later: sql.Composable) -> None:
        names = {"table": source.table, "later": later}
        spoilt = [*source.numbers, *source.vectors, *source.texts]
        if how == "deleted" or source.day == FITTED:
            self._execute("DELETE FROM {table} WHERE {later}", names)
        elif how == "permuted" and spoilt:
            columns = [sql.Identifier(c) for c in spoilt]
            of_other = [sql.SQL("o.") + c for c in columns]
            joined = {
                "columns": sql.SQL(", ").join(columns),
                "of_other": sql.SQL(", ").join(of_other),
            }
            self._execute(_PERMUTED, {**names, **joined})
        elif spoilt:
            value = {"nan": "NaN", "huge": "1e9", "negative": "-1e9"}.get(how, "NaN")
            changes = [
                *(_set("{c} = {v}::float8", c, value) for c in source.numbers),
                *(_set(_EVERY_PLACE, c, _hexadecimal(value)) for c in source.vectors),
                *(sql.SQL("{c} = (SELECT max({c}) FROM {table})").format(
                    c=sql.Identifier(c), table=source.table) for c in source.texts),
            ]  # fmt: skip
            self._execute(
                "UPDATE {table} SET {changes} WHERE {later}",
                {**names, "changes": sql.SQL(", ").join(changes)},
            )


def _hexadecimal(number: str) -> str:
    """A number as the feature store writes it: little-endian float64."""
    return struct.pack("<d", float(number)).hex()


def _set(template: str, column: str, value: str) -> sql.Composable:
    return sql.SQL(template).format(c=sql.Identifier(column), v=sql.Literal(value))


class Scratch:
    """The scratch database of a live one. Get one from `scratch_database`."""

    def __init__(self, live: str, url: str) -> None:
        self._live, self.url = live, url
        with psycopg.connect(url, autocommit=True) as connection:
            _unbind(connection)
            asked = {"stages": list(STAGES), "days": list(DAYS), "logs": list(LOGS)}
            rows = connection.execute(_TABLES, asked).fetchall()
        self._sources = [_Source(*row) for row in rows]

    def copy(self, first: date, last: date) -> int:
        """Make its rows equal to those of the live database in [first, last]; how many they are.

        Tables without a day are copied whole; every revision of a fact comes along.
        """
        copied = 0
        with (
            psycopg.connect(with_role(self._live, READER)) as live,
            psycopg.connect(self.url) as scratch,
        ):
            live.execute("SET TRANSACTION READ ONLY, ISOLATION LEVEL REPEATABLE READ")
            for source in self._sources:
                copied += self._copy(source, live, scratch, first, last)
        with psycopg.connect(self.url, autocommit=True) as scratch:
            scratch.execute("ANALYZE")
        return copied

    @staticmethod
    def _copy(
        source: _Source,
        live: psycopg.Connection,
        scratch: psycopg.Connection,
        first: date,
        last: date,
    ) -> int:
        windowed = source.day in ("trading_day", "ex_date")
        condition = (
            sql.SQL("{} BETWEEN {} AND {}").format(
                sql.Identifier(source.day or ""), sql.Literal(first), sql.Literal(last)
            )
            if windowed
            else sql.SQL("true")
        )
        names = {
            "table": source.table,
            "columns": sql.SQL(", ").join(map(sql.Identifier, source.columns)),
            "condition": condition,
        }
        scratch.execute(sql.SQL("TRUNCATE {table}").format(**names))
        read = "COPY (SELECT {columns} FROM {table} WHERE {condition}) TO STDOUT (FORMAT binary)"
        write = "COPY {table} ({columns}) FROM STDIN (FORMAT binary)"
        with (
            live.cursor().copy(sql.SQL(read).format(**names)) as rows,
            scratch.cursor() as cursor,
        ):
            with cursor.copy(sql.SQL(write).format(**names)) as target:
                for block in rows:
                    target.write(block)
            return cursor.rowcount

    @contextmanager
    def transaction(self) -> Iterator[PoisonedTransaction]:
        """A transaction that is rolled back at its end, whatever happened in it."""
        with connect(self.url) as connection:
            try:
                with connection.cursor() as cursor:
                    yield PoisonedTransaction(cursor, self._sources)
            finally:
                connection.rollback()


@contextmanager
def scratch_database(live: str, sql_dir: Path) -> Iterator[Scratch]:
    """An empty scratch database for `live`, dropped at the end. Raises as `temporary_database` does."""
    with temporary_database(live, "lookahead") as url:
        migrate(url, sql_dir)
        yield Scratch(live, url)


@contextmanager
def temporary_database(live: str, purpose: str) -> Iterator[str]:
    """URL of an empty database beside `live`, dropped at the end.

    One at a time for each live database and purpose; what a killed process left is dropped by the
    next. Raises ServerError when another one is at work or the user may not create databases.
    """
    name = f"predtrack_{purpose}_{hashlib.sha256(database_name(live).encode()).hexdigest()[:12]}"
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    create = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
    with psycopg.connect(with_database(live, "postgres"), autocommit=True) as server:
        # Held by this session: the server releases it when this process dies, however it does.
        locked = server.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name]).fetchone()
        if locked is None or not locked[0]:
            raise ServerError(f"Another {purpose} is at work in database {name}; let it end first.")
        try:
            server.execute(drop)
            server.execute(create)
        except psycopg.errors.InsufficientPrivilege as error:
            raise ServerError(
                f"{purpose} works on a copy in a database of its own, {name}, which this user may"
                " not create. Grant it CREATEDB."
            ) from error
        try:
            yield with_database(live, name)
        finally:
            server.execute(drop)


def _unbind(connection: psycopg.Connection) -> None:
    """Drop what would refuse poison: CHECKs, foreign keys and our own triggers."""
    for query, drop in (
        (_CONSTRAINTS, "ALTER TABLE {table} DROP CONSTRAINT {name}"),
        (_TRIGGERS, "DROP TRIGGER {name} ON {table}"),
    ):
        for schema, table, name in connection.execute(query).fetchall():
            names = {"table": sql.Identifier(schema, table), "name": sql.Identifier(name)}
            connection.execute(sql.SQL(drop).format(**names))
