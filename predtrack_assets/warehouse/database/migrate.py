"""Numbered plain SQL files, each applied once, in order, in one transaction.

`NN-name.sql` goes up and `NN-name.down.sql` goes down; both are as usable with psql as here. A
file whose first line is `-- requires: timescaledb` waits until the server has that extension.
Views and functions for readers come last: see views.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import psycopg

from predtrack_assets.warehouse.database.sql_files import (
    MigrationError,
    checksum,
    read_sql,
    run_sql,
)
from predtrack_assets.warehouse.database.urls import normalise
from predtrack_assets.warehouse.database.views import (
    ViewFile,
    applied_views,
    apply_views,
    drop_views,
    read_views,
)

__all__ = [
    "LOCK",
    "Migration",
    "MigrationError",
    "MigrationStatus",
    "migrate",
    "rollback",
    "status",
]

LOCK = 0x70726564_7472_6163  # key of the advisory lock, "predtrac" in ASCII
REQUIRES_TIMESCALEDB = "-- requires: timescaledb"

_FILE_NAME = re.compile(r"(\d+)-([a-z0-9-]+)(\.down)?\.sql")
CREATE_BOOKKEEPING = """
    CREATE TABLE IF NOT EXISTS public.predtrack_migrations (
        number      integer PRIMARY KEY,
        name        text NOT NULL,
        checksum    text NOT NULL,
        applied_at  timestamptz
    );
    COMMENT ON TABLE public.predtrack_migrations IS
        'Migrations of sql/; applied_at is null for one that waits for an extension.'
"""
RECORD = """
    INSERT INTO public.predtrack_migrations (number, name, checksum, applied_at)
    VALUES (%(number)s, %(name)s, %(checksum)s, CASE WHEN %(applied)s THEN now() END)
    ON CONFLICT (number) DO UPDATE
    SET name = excluded.name, checksum = excluded.checksum, applied_at = excluded.applied_at
"""
HAS_TIMESCALEDB = r"""
    SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
       AND EXISTS (SELECT FROM pg_settings
                   WHERE name = 'shared_preload_libraries' AND setting ~ '\ytimescaledb\y')
"""

State = Literal["applied", "pending", "skipped", "edited", "missing"]


@dataclass(frozen=True)
class Migration:
    """One file and its way back; `checksum` is SHA-256 of its text with Unix line ends."""

    number: int
    name: str
    up: str
    down: str
    checksum: str

    @property
    def file_name(self) -> str:
        return f"{self.name}.sql"

    @property
    def requires_timescaledb(self) -> bool:
        return self.up.split("\n", 1)[0] == REQUIRES_TIMESCALEDB


@dataclass(frozen=True)
class MigrationStatus:
    """State of one file; `name` is the file's without .sql, `applied_at` an aware time."""

    name: str
    state: State
    applied_at: datetime | None


def migrate(url: str, sql_dir: Path) -> list[str]:
    """Apply what is not applied yet; the names of the files applied by this call, in order.

    Safe to call at once from several processes. Raises MigrationError if a file is malformed,
    was edited or removed after it was applied, or fails (what it did is then undone).
    """
    migrations = read_migrations(sql_dir)
    views = _views(sql_dir, migrations)
    with migration_lock(url) as connection:
        states = {s.name: s.state for s in _verified(connection, migrations)}
        connection.execute(CREATE_BOOKKEEPING)
        possible = _has_timescaledb(connection)
        applied = []
        for migration in migrations:
            if states[migration.name] == "applied":
                continue
            if migration.requires_timescaledb and not possible:
                _record(connection, migration, applied=False)
                continue
            with connection.transaction():
                run_sql(connection, migration.file_name, migration.up)
                _record(connection, migration, applied=True)
            applied.append(migration.name)
        return applied + apply_views(connection, views)


def rollback(url: str, sql_dir: Path, to: int = -1) -> list[str]:
    """Undo the migrations numbered above `to`, newest first; the names undone by this call.

    All views go before them; `migrate` brings them back. Raises MigrationError as it does.
    """
    migrations = read_migrations(sql_dir)
    with migration_lock(url) as connection:
        states = {s.name: s.state for s in _verified(connection, migrations)}
        undone = drop_views(connection)
        for migration in reversed(migrations):
            if migration.number <= to or states[migration.name] == "pending":
                continue
            with connection.transaction():
                if states[migration.name] == "applied":
                    run_sql(connection, f"{migration.name}.down.sql", migration.down)
                    undone.append(migration.name)
                connection.execute(
                    "DELETE FROM public.predtrack_migrations WHERE number = %s", [migration.number]
                )
    return undone


def status(url: str, sql_dir: Path) -> list[MigrationStatus]:
    """State of every file, in order; changes nothing. MigrationError for malformed files."""
    migrations = read_migrations(sql_dir)
    views = _views(sql_dir, migrations)
    with psycopg.connect(normalise(url), autocommit=True) as connection:
        return _status(connection, migrations) + [
            MigrationStatus(name, "pending" if at is None else "applied", at)
            for name, at in applied_views(connection, views).items()
        ]


def read_migrations(sql_dir: Path) -> list[Migration]:
    """The migrations of `sql_dir`, numbered without gaps from 0 or 1 on.

    Raises MigrationError for a stray file, a gap, a number used twice or a missing down file.
    """
    if not sql_dir.is_dir():
        raise MigrationError(f"there is no directory {sql_dir}")
    ups: dict[int, str] = {}
    downs: set[str] = set()
    for path in sorted(sql_dir.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: expected NN-name.sql or NN-name.down.sql")
        name = f"{match[1]}-{match[2]}"
        if match[3]:
            downs.add(name)
        elif int(match[1]) in ups:
            raise MigrationError(f"{path.name}: {ups[int(match[1])]}.sql has the same number")
        else:
            ups[int(match[1])] = name
    for name in sorted(downs - set(ups.values())):
        raise MigrationError(f"{name}.down.sql: there is no {name}.sql")
    for expected, (number, name) in enumerate(sorted(ups.items()), start=0 if 0 in ups else 1):
        if number != expected:
            raise MigrationError(f"{name}.sql: expected number {expected:02d} next")
        if name not in downs:
            raise MigrationError(f"{name}.down.sql is missing")
    return [_read(sql_dir, number, name) for number, name in sorted(ups.items())]


def _read(sql_dir: Path, number: int, name: str) -> Migration:
    up, down = (read_sql(sql_dir / f"{name}{end}") for end in (".sql", ".down.sql"))
    return Migration(number, name, up, down, checksum(up))


def _views(sql_dir: Path, migrations: list[Migration]) -> list[ViewFile]:
    return read_views(sql_dir, [migration.name.split("-", 1)[1] for migration in migrations])


@contextmanager
def migration_lock(url: str) -> Iterator[psycopg.Connection]:
    """A connection to `url` (any driver) for as long as nobody else changes that database's schema."""
    with psycopg.connect(normalise(url), autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        yield connection  # closing the connection releases the lock


def _verified(connection: psycopg.Connection, migrations: list[Migration]) -> list[MigrationStatus]:
    """`_status`, or MigrationError if an applied file was edited or is missing."""
    statuses = _status(connection, migrations)
    for item in statuses:
        if item.state in ("edited", "missing"):
            how = "was edited" if item.state == "edited" else "is missing"
            raise MigrationError(
                f"{item.name}.sql {how}, but has been applied to this database. Restore the file "
                "and put changes into a new one. If the database was made by an earlier version: "
                "nothing is released yet, so it is not carried over; begin with a new "
                "PREDTRACK_HOME, or with an empty database in PREDTRACK_DATABASE_URL."
            )
    return statuses


def _status(connection: psycopg.Connection, migrations: list[Migration]) -> list[MigrationStatus]:
    recorded = {row[0]: row for row in _recorded(connection)}
    statuses = []
    for migration in migrations:
        _, name, applied_sum, applied_at = recorded.pop(migration.number, (0, None, "", None))
        state: State = "applied"
        if name is None:
            state = "pending"
        elif name != migration.name:
            state = "missing"
        elif applied_at is None:
            state = "skipped"
        elif applied_sum != migration.checksum:
            state = "edited"
        item = MigrationStatus(name or migration.name, state, applied_at)
        statuses.append(item)
    for _, name, _, applied_at in recorded.values():
        statuses.append(MigrationStatus(name, "missing", applied_at))
    return statuses


def _recorded(
    connection: psycopg.Connection,
) -> list[tuple[int, str, str, datetime | None]]:
    row = connection.execute("SELECT to_regclass('public.predtrack_migrations')").fetchone()
    if row is None or row[0] is None:
        return []
    return connection.execute(
        "SELECT number, name, checksum, applied_at FROM public.predtrack_migrations ORDER BY number"
    ).fetchall()


def _has_timescaledb(connection: psycopg.Connection) -> bool:
    row = connection.execute(HAS_TIMESCALEDB).fetchone()
    return row is not None and bool(row[0])


def _record(connection: psycopg.Connection, migration: Migration, *, applied: bool) -> None:
    connection.execute(
        RECORD,
        {
            "number": migration.number,
            "name": migration.name,
            "checksum": migration.checksum,
            "applied": applied,
        },
    )
