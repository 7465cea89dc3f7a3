"""A database into one file and back, by PostgreSQL's own pg_dump and pg_restore."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import conninfo, sql

from predtrack_assets.warehouse.database.binaries import ServerError, client_program
from predtrack_assets.warehouse.database.urls import database_name, normalise, with_database

ROLES = ("predtrack_owner", "predtrack_writer", "predtrack_reader")
OF_OTHERS = [r"pg\_%", r"information\_schema", r"\_timescaledb%", r"timescaledb%"]

_ANYTHING = """
    SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname NOT LIKE ALL(%(others)s))
        OR EXISTS (SELECT FROM pg_namespace
                   WHERE nspname <> 'public' AND nspname NOT LIKE ALL(%(others)s))
"""
# What belongs to the server or the database, and so to no dump: as sql/00-foundations.sql makes it.
_ROLE = """
    DO $$ BEGIN CREATE ROLE {role} NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
    GRANT {role} TO CURRENT_USER
"""
_TEMPORARY = """
    REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC;
    GRANT TEMPORARY ON DATABASE {name} TO predtrack_writer, predtrack_owner
"""


@dataclass(frozen=True)
class Snapshot:
    """One moment of a database, for readers beside each other. connection: one of them, inside it;
    name: what the others import; server: major version."""

    url: str
    connection: psycopg.Connection
    name: str
    server: int


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """The database as it is now, until the block ends; writers go on meanwhile."""
    with psycopg.connect(normalise(url)) as connection:
        connection.execute("SET TRANSACTION READ ONLY, ISOLATION LEVEL REPEATABLE READ")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        yield Snapshot(url, connection, row[0], connection.info.server_version // 10_000)


@contextmanager
def dumping(source: Snapshot, file: Path) -> Iterator[None]:
    """Write all of a snapshot to `file` while the block runs; whole when the block is left.

    Raises ServerError with pg_dump's own words.
    """
    command = [client_program("pg_dump", source.server), "--format=custom", "--compress=gzip:1"]
    command += [f"--snapshot={source.name}", f"--file={file}"]
    process = _start(command, source.url)
    try:
        yield
    except BaseException:
        process.kill()
        process.wait()
        raise
    _finish(process, f"{database_name(normalise(source.url))} was not backed up")


def is_empty(url: str) -> bool:
    """Whether a database has no table and no schema of anybody's."""
    with psycopg.connect(normalise(url)) as connection:
        row = connection.execute(_ANYTHING, {"others": OF_OTHERS}).fetchone()
    return row is not None and not row[0]


@contextmanager
def loaded(file: Path, url: str, dumped: int) -> Iterator[str]:
    """URL of a database beside `url` that holds the dump; it takes `url`'s place as the block ends.

    So `url` has all of it or nothing, wherever this is killed. dumped: the major version of the
    server that was dumped. Raises ServerError when `url` is not empty, its server is older, or
    pg_restore fails.
    """
    url = normalise(url)
    name = database_name(url)
    if not is_empty(url):
        raise ServerError(
            f"database {name} is not empty, and nothing is written over. Restore into a new home"
            " (--home DIRECTORY) or an empty database (PREDTRACK_DATABASE_URL)."
        )
    target = f"{name}_restoring"
    names = {"name": sql.Identifier(name), "target": sql.Identifier(target)}
    with psycopg.connect(with_database(url, "postgres"), autocommit=True) as server:
        major = server.info.server_version // 10_000
        if major < dumped:
            raise ServerError(
                f"the backup is of PostgreSQL {dumped}, this server is {major}: restore it into"
                f" {dumped} or newer."
            )
        for role in ROLES:
            server.execute(sql.SQL(_ROLE).format(role=sql.Identifier(role)))
        try:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {target} WITH (FORCE)").format(**names))
            server.execute(sql.SQL("CREATE DATABASE {target} TEMPLATE template0").format(**names))
        except psycopg.errors.InsufficientPrivilege as error:
            raise ServerError(
                f"This user may not create database {target}. Grant it CREATEDB."
            ) from error
        restoring = with_database(url, target)
        command = [client_program("pg_restore", major), "--no-owner", "--exit-on-error"]
        command += ["--jobs=2", f"--dbname={target}", str(file)]
        _finish(_start(command, restoring), f"{name} was not restored")
        server.execute(sql.SQL(_TEMPORARY).format(name=names["target"]))
        with psycopg.connect(restoring, autocommit=True) as connection:
            connection.execute("ANALYZE")
        yield restoring
        server.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))
        server.execute(sql.SQL("ALTER DATABASE {target} RENAME TO {name}").format(**names))


def _start(command: list[str], url: str) -> subprocess.Popen[bytes]:
    """The command with its connection in the environment: arguments can be seen by everybody."""
    given = conninfo.conninfo_to_dict(normalise(url))
    variables = {
        option.keyword.decode(): option.envvar for option in psycopg.pq.Conninfo.get_defaults()
    }
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    for keyword, value in given.items():
        variable = variables.get(keyword)
        if variable and value is not None:
            environment[variable.decode()] = str(value)
    return subprocess.Popen(
        command,
        env=environment | {"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _finish(process: subprocess.Popen[bytes], what: str) -> None:
    try:
        _, errors = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode:
        raise ServerError(f"{what}: {errors.decode(errors='replace').strip()[-2000:]}")
