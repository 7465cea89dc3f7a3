"""The floor of an ingest: binary COPY of the same rows into the same, but empty, table."""

from __future__ import annotations

import time
from pathlib import Path

from psycopg import sql

from benchmarks.sandbox import Database
from predtrack_assets.warehouse.tables import MARKET_DATA

CHUNK = 1 << 20
_COLUMNS = sql.SQL(", ").join(map(sql.Identifier, MARKET_DATA.columns))
_TABLE = sql.Identifier(MARKET_DATA.schema, MARKET_DATA.name)
_COPY = sql.Identifier("floor", MARKET_DATA.name)


class Floor:
    """The rows of market.market_data as a COPY file at `path`. rows: how many they are."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self.path = path
        out = sql.SQL("COPY {} ({}) TO STDOUT (FORMAT binary)").format(_TABLE, _COLUMNS)
        with database.connect() as connection, path.open("wb") as file:
            cursor = connection.cursor()
            with cursor.copy(out) as rows:
                for data in rows:
                    file.write(data)
            self.rows = cursor.rowcount

    def seconds(self) -> float:
        """Time to copy the file into an empty table with the key, indexes and CHECKs of the real
        one, on one connection, until it is committed."""
        into = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(_COPY, _COLUMNS)
        with self._database.connect() as connection:
            connection.execute("CREATE SCHEMA floor")
            like = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(_COPY, _TABLE)
            connection.execute(like)
            start = time.perf_counter()
            with self.path.open("rb") as file, connection.cursor().copy(into) as rows:
                while data := file.read(CHUNK):
                    rows.write(data)
            taken = time.perf_counter() - start
            connection.execute("DROP SCHEMA floor CASCADE")
        return taken
