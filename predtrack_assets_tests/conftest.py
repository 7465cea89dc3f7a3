"""A real PostgreSQL for the whole suite, a migrated database per test, a clean environment.

The server is our own, one per test process, or the one that PREDTRACK_TEST_DATABASE_URL names
(a superuser of it is needed: tests create databases and roles).
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer
from predtrack_assets.warehouse.database.migrate import LOCK, migrate
from predtrack_assets.warehouse.database.urls import normalise, with_database

BASELINES = "PREDTRACK_PREDICT_BASELINES"
os.environ[BASELINES] = (
    "true"  # as in the demo: what baselines predict tells much of what is tested
)
OUTSIDE_SERVER = os.environ.get("PREDTRACK_TEST_DATABASE_URL")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine's reaches a test; PREDTRACK_HOME is the test's own."""
    for name in list(os.environ):
        if name == BASELINES:
            continue
        if name.startswith("PREDTRACK_") or name in ("DATABASE_URL", "DAGSTER_HOME"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PREDTRACK_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def reachable_directory() -> Iterator[Path]:
    """A directory that any user may enter; pytest's own are closed to all but the one who runs."""
    with tempfile.TemporaryDirectory(prefix="predtrack-tests-") as directory:
        path = Path(directory).resolve()
        path.chmod(0o711)
        yield path


@pytest.fixture(scope="session")
def postgres_server(reachable_directory: Path) -> Iterator[str]:
    """libpq URL of the server's maintenance database `postgres`."""
    if OUTSIDE_SERVER:
        yield with_database(normalise(OUTSIDE_SERVER), "postgres")
        return
    server = EmbeddedServer(reachable_directory / "server")
    server.start()
    try:
        with _admin(server.url("postgres")) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # nothing here outlives the run
            connection.execute("SELECT pg_reload_conf()")
        yield server.url("postgres")
    finally:
        server.stop()


@pytest.fixture(scope="session")
def template_database(postgres_server: str) -> Iterator[str]:
    """Name of a database with the migrations of sql/ applied, to be copied, not used."""
    name = _new_name("template")
    with _admin(postgres_server) as connection:
        _create(connection, name)
        try:
            # Roles belong to the whole server, so one process at a time migrates on it.
            connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            migrate(with_database(postgres_server, name), PROJECT_ROOT / "sql")
            connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
            # Keeps background workers (TimescaleDB's) out, which would forbid copying.
            _close(connection, name)
            yield name
        finally:
            _drop(connection, name)


@pytest.fixture
def database_url(postgres_server: str, template_database: str) -> Iterator[str]:
    """libpq URL of a migrated database that only this test has."""
    name = _new_name("test")
    with _admin(postgres_server) as connection:
        _create(connection, name, template_database)
        yield with_database(postgres_server, name)
        _drop(connection, name)


@pytest.fixture
def empty_database_url(postgres_server: str) -> Iterator[str]:
    """libpq URL of an empty database that only this test has."""
    name = _new_name("empty")
    with _admin(postgres_server) as connection:
        _create(connection, name)
        yield with_database(postgres_server, name)
        _drop(connection, name)


def _new_name(kind: str) -> str:
    return f"predtrack_{kind}_{uuid.uuid4().hex[:12]}"


def _admin(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True)


def _create(connection: psycopg.Connection, name: str, template: str = "template0") -> None:
    query = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    connection.execute(query.format(sql.Identifier(name), sql.Identifier(template)))


def _close(connection: psycopg.Connection, name: str) -> None:
    query = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false")
    connection.execute(query.format(sql.Identifier(name)))
    connection.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [name]
    )


def _drop(connection: psycopg.Connection, name: str) -> None:
    query = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    connection.execute(query.format(sql.Identifier(name)))
