"""Which Dagster runs are alive: each holds a lock for as long as its process does.

The lock is an advisory one of a session, so it ends with the process, however that ends (kill -9,
out of memory, power), and with the server. A connection pooler that shares sessions breaks it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg

from predtrack_assets.warehouse.database.urls import normalise

HOLD = "SELECT pg_advisory_lock(hashtextextended('predtrack run ' || %s, 0)) IS NOT NULL"
TRY = "SELECT pg_try_advisory_lock(hashtextextended('predtrack run ' || %s, 0))"
RELEASE = "SELECT pg_advisory_unlock(hashtextextended('predtrack run ' || %s, 0))"
# A client whose machine is gone is noticed within two minutes, not two hours.
KEEPALIVES = (
    "SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6"
)


class RunLocks:
    """The locks of this process's runs, on one connection of its own that is opened when needed."""

    def __init__(self, url: str) -> None:
        self._url = normalise(url)
        self._held: set[str] = set()
        self._connection: psycopg.Connection | None = None
        self._guard = threading.RLock()

    def hold(self, run_id: str) -> None:
        """Keep the lock of `run_id` until `release` or the end of this process.

        Waits for another process that holds it. Raises psycopg.OperationalError.
        """
        with self._guard:
            if run_id not in self._held:
                self._execute(HOLD, run_id)
                self._held.add(run_id)

    def release(self, run_id: str) -> None:
        """Give the lock of `run_id` back; does nothing where this process does not hold it."""
        with self._guard:
            if run_id in self._held:
                self._held.discard(run_id)
                self._execute(RELEASE, run_id)
                self._close_if_idle()

    @contextmanager
    def dead(self, run_id: str) -> Iterator[bool]:
        """Whether no process, this one included, has `run_id`; nobody else finds it dead meanwhile."""
        with self._guard:
            if run_id in self._held:
                yield False
                return
            free = self._execute(TRY, run_id)
            try:
                yield free
            finally:
                if free:
                    self._execute(RELEASE, run_id)
                self._close_if_idle()

    def _execute(self, statement: LiteralString, run_id: str) -> bool:
        """The statement's answer; once more on a new connection where the old one is broken."""
        if self._connection is not None:
            try:
                return _answer(self._connection, statement, run_id)
            except psycopg.OperationalError:
                self._connection.close()
        self._connection = psycopg.connect(self._url, autocommit=True)
        self._connection.execute(KEEPALIVES)
        for held in self._held - {run_id}:
            _answer(self._connection, HOLD, held)
        return _answer(self._connection, statement, run_id)

    def _close_if_idle(self) -> None:
        if self._connection is not None and not self._held:
            self._connection.close()
            self._connection = None


def _answer(connection: psycopg.Connection, statement: LiteralString, run_id: str) -> bool:
    row = connection.execute(statement, [run_id]).fetchone()
    return bool(row and row[0])
