"""The floor of an ingest: binary COPY of the same rows into the same, but empty, table."""

from __future__ import annotations

import time
from pathlib import Path

from psycopg import sql

from benchmarks.sandbox import Database, sandbox
from predtrack_assets.warehouse.tables import MARKET_DATA

CHUNK = 1 << 20
_COLUMNS = sql.SQL(", ").join(map(sql.Identifier, MARKET_DATA.columns))
_TABLE = sql.Identifier(MARKET_DATA.schema, MARKET_DATA.name)


class Floor:
    """The rows of market.market_data as a COPY file at `path`. rows: how many they are."""

    def __init__(self, database: Database, path: Path) -> None:
        self.path = path
        out = sql.SQL("COPY {} ({}) TO STDOUT (FORMAT binary)").format(_TABLE, _COLUMNS)
        with database.connect() as connection, path.open("wb") as file:
            cursor = connection.cursor()
            with cursor.copy(out) as rows:
                for data in rows:
                    file.write(data)
            self.rows = cursor.rowcount

    def seconds(self) -> float:
        """Time to copy the file into the empty table, key, indexes and CHECKs included, on one
        connection, until it is committed.

        On a new server, as the ingest had: one that has run for a while reuses its log's files.
        """
        into = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(_TABLE, _COLUMNS)
        with sandbox() as box, box.database("floor").connect() as connection:
            start = time.perf_counter()
            with self.path.open("rb") as file, connection.cursor().copy(into) as rows:
                while data := file.read(CHUNK):
                    rows.write(data)
            return time.perf_counter() - start
