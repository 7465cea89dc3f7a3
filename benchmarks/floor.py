"""The floor of an ingest: binary COPY of the same rows into the same, but empty, table."""

from __future__ import annotations

import time
from pathlib import Path

from psycopg import sql

from benchmarks.sandbox import Database, Sandbox, sandbox
from predtrack_assets.warehouse.tables import MARKET_DATA

CHUNK = 1 << 20
_COLUMNS = sql.SQL(", ").join(map(sql.Identifier, MARKET_DATA.columns))
_TABLE = sql.Identifier(MARKET_DATA.schema, MARKET_DATA.name)


class Floor:
    """The rows of market.market_data as a COPY file at `path`. rows: how many they are."""

    def __init__(self, database: Database, path: Path) -> None:
        self.path = path
        self._copies = 0
        out = sql.SQL("COPY {} ({}) TO STDOUT (FORMAT binary)").format(_TABLE, _COLUMNS)
        with database.connect() as connection, path.open("wb") as file:
            cursor = connection.cursor()
            with cursor.copy(out) as rows:
                for data in rows:
                    file.write(data)
            self.rows = cursor.rowcount

    def seconds(self, box: Sandbox) -> float:
        """Time to copy the file into the empty table of a new database of the server `box`, key,
        indexes and CHECKs included, on one connection, until it is committed."""
        self._copies += 1
        database = box.database(f"floor_{self.path.stem}_{self._copies}")
        into = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(_TABLE, _COLUMNS)
        with database.connect() as connection:
            start = time.perf_counter()
            with self.path.open("rb") as file, connection.cursor().copy(into) as rows:
                while data := file.read(CHUNK):
                    rows.write(data)
            taken = time.perf_counter() - start
            connection.execute(sql.SQL("TRUNCATE {}").format(_TABLE))  # its disk space
            return taken

    def seconds_on_new_server(self) -> float:
        """The same on a server of its own: slower, as it has no files of its log to reuse."""
        with sandbox() as box:
            return self.seconds(box)
