"""Numbered plain SQL files, each applied once, in order, in one transaction.

`NN-name.sql` goes up and `NN-name.down.sql` goes down; both are as usable with psql as here. A
file whose first line is `-- requires: timescaledb` waits until the server has that extension.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import psycopg

from predtrack_assets.warehouse.database.urls import normalise

LOCK = 0x70726564_7472_6163  # key of the advisory lock, "predtrac" in ASCII
REQUIRES_TIMESCALEDB = "-- requires: timescaledb"

_FILE_NAME = re.compile(r"(\d+)-([a-z0-9-]+)(\.down)?\.sql")
_TRANSACTION = re.compile(
    r"^(BEGIN|START TRANSACTION|COMMIT|ROLLBACK)\b[^;\n]*;", re.IGNORECASE | re.MULTILINE
)

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


class MigrationError(RuntimeError):
    """A migration was refused or failed; the message names its file."""


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
    """State of one migration; `name` is the file's without .sql, `applied_at` an aware time."""

    number: int
    name: str
    state: State
    applied_at: datetime | None


def migrate(url: str, sql_dir: Path) -> list[str]:
    """Apply what is not applied yet; the names applied by this call, in order.

    Safe to call at once from several processes. Raises MigrationError if a file is malformed,
    was edited or removed after it was applied, or fails (what it did is then undone).
    """
    migrations = read_migrations(sql_dir)
    with _locked(url) as connection:
        connection.execute(CREATE_BOOKKEEPING)
        states = {s.number: s.state for s in _verified(connection, migrations)}
        possible = _has_timescaledb(connection)
        applied = []
        for migration in migrations:
            if states[migration.number] == "applied":
                continue
            if migration.requires_timescaledb and not possible:
                _record(connection, migration, applied=False)
                continue
            with connection.transaction():
                _run(connection, migration.file_name, migration.up)
                _record(connection, migration, applied=True)
            applied.append(migration.name)
    return applied


def rollback(url: str, sql_dir: Path, to: int = 0) -> list[str]:
    """Undo the migrations numbered above `to`, newest first; the names undone by this call.

    Raises MigrationError as `migrate` does.
    """
    migrations = read_migrations(sql_dir)
    with _locked(url) as connection:
        states = {s.number: s.state for s in _verified(connection, migrations)}
        undone = []
        for migration in reversed(migrations):
            if migration.number <= to or states[migration.number] == "pending":
                continue
            with connection.transaction():
                if states[migration.number] == "applied":
                    _run(connection, f"{migration.name}.down.sql", migration.down)
                    undone.append(migration.name)
                connection.execute(
                    "DELETE FROM public.predtrack_migrations WHERE number = %s", [migration.number]
                )
    return undone


def status(url: str, sql_dir: Path) -> list[MigrationStatus]:
    """State of every migration, in order; changes nothing. MigrationError for malformed files."""
    migrations = read_migrations(sql_dir)
    with psycopg.connect(normalise(url), autocommit=True) as connection:
        return _status(connection, migrations)


def read_migrations(sql_dir: Path) -> list[Migration]:
    """The migrations of `sql_dir`, numbered 1, 2, 3 and so on.

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
    for expected, (number, name) in enumerate(sorted(ups.items()), start=1):
        if number != expected:
            raise MigrationError(f"{name}.sql: expected number {expected:02d} next")
        if name not in downs:
            raise MigrationError(f"{name}.down.sql is missing")
    return [_read(sql_dir, number, name) for number, name in sorted(ups.items())]


def _read(sql_dir: Path, number: int, name: str) -> Migration:
    up, down = ((sql_dir / f"{name}{end}").read_text("utf-8") for end in (".sql", ".down.sql"))
    for end, text in ((".sql", up), (".down.sql", down)):
        if match := _TRANSACTION.search(text):
            raise MigrationError(
                f"{name}{end}: {match[0]} is refused, as each file runs in one transaction "
                "(with psql: psql --single-transaction -f)"
            )
    return Migration(number, name, up, down, hashlib.sha256(up.encode()).hexdigest())


@contextmanager
def _locked(url: str) -> Iterator[psycopg.Connection]:
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
                f"{item.name}.sql {how}, but has been applied to this database. "
                "Restore it, and put changes into a new migration."
            )
    return statuses


def _status(connection: psycopg.Connection, migrations: list[Migration]) -> list[MigrationStatus]:
    recorded = {row[0]: row for row in _recorded(connection)}
    statuses = []
    for migration in migrations:
        _, name, checksum, applied_at = recorded.pop(migration.number, (0, None, "", None))
        state: State = "applied"
        if name is None:
            state = "pending"
        elif name != migration.name:
            state = "missing"
        elif applied_at is None:
            state = "skipped"
        elif checksum != migration.checksum:
            state = "edited"
        item = MigrationStatus(migration.number, name or migration.name, state, applied_at)
        statuses.append(item)
    for number, name, _, applied_at in recorded.values():
        statuses.append(MigrationStatus(number, name, "missing", applied_at))
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


def _run(connection: psycopg.Connection, file_name: str, text: str) -> None:
    try:
        connection.execute(text.encode())
    except psycopg.Error as error:
        position = error.diag.statement_position
        line = f", line {text.count(chr(10), 0, int(position)) + 1}" if position else ""
        raise MigrationError(f"{file_name}{line}: {error}") from error
    # What a file SETs ends with it, or the next one would depend on it.
    connection.execute("RESET ALL; RESET ROLE; SET client_min_messages = warning")


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
