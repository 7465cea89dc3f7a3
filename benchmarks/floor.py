"""The floor of a write: binary COPY of the same rows into the same, but empty, table."""

from __future__ import annotations

import time
from pathlib import Path

from psycopg import sql

from benchmarks.sandbox import Database, Sandbox, sandbox
from predtrack_assets.warehouse.tables import MARKET_DATA, Table

CHUNK = 1 << 20


class Floor:
    """The rows of a table as a COPY file at `path`. rows: how many they are; read_s: seconds that
    copying them out took."""

    def __init__(self, database: Database, path: Path, table: Table = MARKET_DATA) -> None:
        self.path = path
        self._copies = 0
        self._table = sql.Identifier(table.schema, table.name)
        self._columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
        out = self._statement("COPY {} ({}) TO STDOUT (FORMAT binary)")
        with database.connect() as connection, path.open("wb") as file:
            cursor = connection.cursor()
            start = time.perf_counter()
            with cursor.copy(out) as rows:
                for data in rows:
                    file.write(data)
            self.read_s = time.perf_counter() - start
            self.rows = cursor.rowcount

    def seconds(self, box: Sandbox) -> float:
        """Time to copy the file into the empty table of a new database of the server `box`, key,
        indexes and CHECKs included, on one connection, until it is committed."""
        self._copies += 1
        database = box.database(f"floor_{self.path.stem}_{self._copies}")
        into = self._statement("COPY {} ({}) FROM STDIN (FORMAT binary)")
        with database.connect() as connection:
            start = time.perf_counter()
            with self.path.open("rb") as file, connection.cursor().copy(into) as rows:
                while data := file.read(CHUNK):
                    rows.write(data)
            taken = time.perf_counter() - start
            connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(self._table))  # its space
            return taken

    def seconds_on_new_server(self) -> float:
        """The same on a server of its own: slower, as it has no files of its log to reuse."""
        with sandbox() as box:
            return self.seconds(box)

    def _statement(self, template: str) -> sql.Composed:
        return sql.SQL(template).format(self._table, self._columns)
