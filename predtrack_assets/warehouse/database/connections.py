"""ADBC connections that share what is known of a database.

An ADBC database handle reads the server's whole type catalog when it is made, some 50 ms of processor
time here and as much there; a connection of a handle that exists takes 2 ms.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import adbc_driver_postgresql
from adbc_driver_manager import AdbcConnection, AdbcDatabase, dbapi

MAX_KEPT = 16  # roles times databases that a process uses in turn


@lru_cache(MAX_KEPT)
def _database(url: str) -> AdbcDatabase:
    """The handle of a URL: its types and how to connect, but no connection."""
    return adbc_driver_postgresql.connect(url)


class _Kept:
    """Stands in for the handle in a connection, which would close it when it is closed itself."""

    def close(self) -> None:
        """Leave the handle open for the next connection."""


def connect(url: str) -> dbapi.Connection:
    """A new connection to the database of a libpq URL, in no transaction and not in autocommit.

    Types that were created after the process first connected are not known to it. Raises
    adbc_driver_manager errors when nothing answers.
    """
    kept: Any = _Kept()
    return dbapi.Connection(kept, AdbcConnection(_database(url)))
