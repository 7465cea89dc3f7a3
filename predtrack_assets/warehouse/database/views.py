"""`sql/views/ROOM.sql`: views and functions for readers, made again when a file's text changes.

All of them are dropped and made again together, as they build on each other across rooms. What a
file made is recorded, so that dropping needs no list by hand. Nothing stored depends on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import sql

from predtrack_assets.warehouse.database.sql_files import (
    MigrationError,
    checksum,
    read_sql,
    run_sql,
)

CREATE_BOOKKEEPING = """
    CREATE TABLE IF NOT EXISTS public.predtrack_views (
        place       integer PRIMARY KEY,
        name        text NOT NULL UNIQUE,
        checksum    text NOT NULL,
        objects     text[] NOT NULL,
        applied_at  timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE public.predtrack_views IS
        'Files of sql/views, and what each of them made, in order.';
"""
_RECORD = """
    INSERT INTO public.predtrack_views (place, name, checksum, objects) VALUES (%s, %s, %s, %s)
"""
_RECORDED = "SELECT name, checksum, objects, applied_at FROM public.predtrack_views ORDER BY place"
# Views and functions of the whole database, as DROP names them, in the order they were made.
_OBJECTS = """
    SELECT o.type || ' ' || o.identity
    FROM (SELECT 'pg_class'::regclass AS catalogue, oid, relnamespace AS schema
          FROM pg_class WHERE relkind = 'v'
          UNION ALL
          SELECT 'pg_proc'::regclass, oid, pronamespace FROM pg_proc WHERE prokind = 'f') made
    JOIN pg_namespace n ON n.oid = made.schema,
    pg_identify_object(made.catalogue, made.oid, 0) o
    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    ORDER BY made.oid
"""


@dataclass(frozen=True)
class ViewFile:
    """One file; `name` is views/ROOM, `checksum` SHA-256 of its text."""

    name: str
    text: str
    checksum: str


@dataclass(frozen=True)
class _Recorded:
    checksum: str
    objects: list[str]
    applied_at: datetime


def read_views(sql_dir: Path, rooms: Sequence[str]) -> list[ViewFile]:
    """The files of `sql_dir`/views in the order of the rooms; none where there is no directory.

    Raises MigrationError for a file that is of no room.
    """
    paths = {path.stem: path for path in sorted((sql_dir / "views").glob("*.sql"))}
    for stray in paths.keys() - set(rooms):
        raise MigrationError(f"views/{stray}.sql: no numbered file is of a room {stray}")
    texts = {room: read_sql(paths[room]) for room in rooms if room in paths}
    return [ViewFile(f"views/{room}", text, checksum(text)) for room, text in texts.items()]


def applied_views(
    connection: psycopg.Connection, files: Sequence[ViewFile]
) -> dict[str, datetime | None]:
    """When each file was applied as it is now; None: it was not, or what it made is gone."""
    recorded = _recorded(connection)
    there = set(_objects(connection)) if recorded else set()
    return {
        file.name: found.applied_at
        if (found := recorded.get(file.name)) is not None
        and found.checksum == file.checksum
        and there.issuperset(found.objects)
        else None
        for file in files
    }


def apply_views(connection: psycopg.Connection, files: Sequence[ViewFile]) -> list[str]:
    """Make all views again if a file was added, changed or removed; the names of the files."""
    names = [file.name for file in files]
    if names == list(_recorded(connection)) and all(applied_views(connection, files).values()):
        return []
    with connection.transaction():
        connection.execute(CREATE_BOOKKEEPING)
        drop_views(connection)
        before = set(_objects(connection))
        for place, file in enumerate(files):
            run_sql(connection, f"{file.name}.sql", file.text)
            made = [name for name in _objects(connection) if name not in before]
            connection.execute(_RECORD, [place, file.name, file.checksum, made])
            before.update(made)
    return names


def drop_views(connection: psycopg.Connection) -> list[str]:
    """Drop what the files made, last first; their names in that order.

    Raises MigrationError where something that is not ours builds on it.
    """
    recorded = _recorded(connection)
    with connection.transaction():
        for name, found in reversed(recorded.items()):
            for made in reversed(found.objects):
                kind, identity = made.split(" ", 1)
                drop = f"DROP {kind} IF EXISTS {identity}"  # both are the catalogue's own words
                try:
                    connection.execute(sql.SQL(drop))
                except psycopg.errors.DependentObjectsStillExist as error:
                    raise MigrationError(
                        f"{name}.sql is to be applied again, but something of your own builds on "
                        f"it; drop that first: {error.diag.message_detail}"
                    ) from error
        if recorded:
            connection.execute("DELETE FROM public.predtrack_views")
    return list(recorded)[::-1]


def drop_views_of(url: str) -> None:
    """Drop what the files made in a database, and their record: the next `migrate` makes them again."""
    with psycopg.connect(url) as connection:
        drop_views(connection)


def _recorded(connection: psycopg.Connection) -> dict[str, _Recorded]:
    row = connection.execute("SELECT to_regclass('public.predtrack_views')").fetchone()
    if row is None or row[0] is None:
        return {}
    return {row[0]: _Recorded(*row[1:]) for row in connection.execute(_RECORDED).fetchall()}


def _objects(connection: psycopg.Connection) -> list[str]:
    return [row[0] for row in connection.execute(_OBJECTS).fetchall()]
