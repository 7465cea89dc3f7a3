"""Connections of one process share a database handle, and stay apart in everything else."""

from __future__ import annotations

from typing import Any

from predtrack_assets.warehouse.database.connections import _database, connect


def read(connection: Any, statement: str, *parameters: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchone()[0]


def test_connect_after_a_close_uses_the_same_handle(database_url: str) -> None:
    _database.cache_clear()
    backends = set()
    for _ in range(3):
        with connect(database_url) as connection:
            backends.add(read(connection, "SELECT pg_backend_pid()"))
    assert len(backends) == 3, "each connection has a server process of its own"
    assert _database.cache_info().misses == 1


def test_connections_of_one_handle_have_transactions_of_their_own(database_url: str) -> None:
    with connect(database_url) as first, connect(database_url) as second:
        with first.cursor() as cursor:
            cursor.execute("CREATE TABLE public.seen (n int)")
        assert read(second, "SELECT to_regclass('public.seen') IS NULL")
        first.rollback()
        assert read(second, "SELECT to_regclass('public.seen') IS NULL")


def test_connect_keeps_no_connection_to_a_database(
    postgres_server: str, empty_database_url: str
) -> None:
    with connect(empty_database_url):
        pass
    name = empty_database_url.rpartition("/")[2].partition("?")[0]
    with connect(postgres_server) as server:
        assert read(server, "SELECT count(*) FROM pg_stat_activity WHERE datname = $1", name) == 0
