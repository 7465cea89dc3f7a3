"""The database: one transaction per write, bulk rows by COPY, counts for every write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import cached_property
from typing import Any

import polars as pl
import pyarrow as pa
from psycopg import sql

from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database import writes
from predtrack_assets.warehouse.database.connections import connect
from predtrack_assets.warehouse.database.embedded_server import database_url
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.urls import with_role
from predtrack_assets.warehouse.tables import Table

WRITER, READER = "predtrack_writer", "predtrack_reader"
COPY_ROWS = 1_000

_POLARS_TYPES: dict[str, Any] = {
    "text": pl.String(),
    "jsonb": pl.String(),
    "date": pl.Date(),
    "boolean": pl.Boolean(),
    "smallint": pl.Int16(),
    "integer": pl.Int32(),
    "bigint": pl.Int64(),
    "double precision": pl.Float64(),
    "timestamp with time zone": pl.Datetime("us", "UTC"),
    "text[]": pl.List(pl.String()),
    "bytea": pl.Binary(),
    "numeric": pl.Decimal(20, 6),
}


@dataclass(frozen=True)
class Written:
    """What a write did, in rows. conflicting: existing rows that differ and were left as they are."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    conflicting: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        )

    @property
    def changed(self) -> int:
        """Rows that this write added, altered or removed."""
        return self.inserted + self.updated + self.deleted

    def as_metadata(self) -> dict[str, int]:
        """The counts as materialization metadata."""
        return {f"rows_{f.name}": getattr(self, f.name) for f in fields(self)}


class Database:
    """Access to the database. url: libpq URL; None, the one of the settings (embedded server)."""

    def __init__(self, url: str | None = None) -> None:
        self.url = url

    def resolved_url(self) -> str:
        """The URL in force; starts the embedded server where it is that one's."""
        return self.url or database_url(get_settings())

    @contextmanager
    def transaction(self, role: str = WRITER) -> Iterator[Transaction]:
        """One transaction: committed at the end of the block, rolled back by any exception."""
        with connect(with_role(self.resolved_url(), role)) as connection:
            try:
                with connection.cursor() as cursor:
                    yield Transaction(cursor)
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    def read(self, query: Query, **parameters: Any) -> pl.DataFrame:
        """Rows of a query, as the reader role."""
        with self.transaction(READER) as transaction:
            return transaction.read(query, **parameters)


class Transaction:
    """Reads and writes inside one transaction. Get one from `Database.transaction()`."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._cursor.execute("SET LOCAL work_mem = '128MB'")

    @cached_property
    def now(self) -> datetime:
        """The database's clock at the start of the transaction, UTC."""
        return self.read(writes.NOW).item()

    def read(self, query: Query, **parameters: Any) -> pl.DataFrame:
        """Rows of a query as a Polars frame."""
        return pl.DataFrame(pl.from_arrow(self.read_arrow(query, **parameters)))

    def read_arrow(self, query: Query, **parameters: Any) -> pa.Table:
        """Rows of a query as they arrive."""
        self._cursor.execute(query.text, query.bind(parameters))
        return self._cursor.fetch_arrow_table()

    def read_copied(self, query: Query, **parameters: Any) -> pl.DataFrame:
        """Rows of a query that are many: the values stand in it as literals, so ADBC reads by COPY."""
        return pl.DataFrame(pl.from_arrow(self.read_arrow_copied(query, **parameters)))

    def read_arrow_copied(self, query: Query, **parameters: Any) -> pa.Table:
        """Rows as they arrive, of a query that are many."""
        self._cursor.execute(query.with_literals(parameters))
        return self._cursor.fetch_arrow_table()

    def read_parts(self, query: Query, **parameters: Any) -> Iterator[pa.RecordBatch]:
        """Rows of a query that are many, some megabytes at a time as they arrive."""
        self._cursor.execute(query.with_literals(parameters))
        with self._cursor.fetch_record_batch() as parts:
            yield from parts

    def stage(self, name: str, types: dict[str, str], rows: pa.Table) -> None:
        """Copy rows into a temporary table pg_temp.`name`, in place of one of that name."""
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind))
            for column, kind in types.items()
        )
        names = {"name": sql.Identifier("pg_temp", name), "columns": columns}
        self._execute("DROP TABLE IF EXISTS {name}", names)
        self._execute("CREATE TEMP TABLE {name} ({columns}) ON COMMIT DROP", names)
        self._cursor.adbc_ingest(name, rows.select(list(types)), mode="append", temporary=True)
        self._execute("ANALYZE {name}", names)

    def copy(self, table: Table, rows: pa.Table) -> Written:
        """Add Arrow rows in the table's types, none of whose keys is there yet; lock it before."""
        small = rows.to_reader(max_chunksize=COPY_ROWS)
        self._cursor.adbc_ingest(table.name, small, mode="append", db_schema_name=table.schema)
        return Written(inserted=len(rows))

    def insert(self, table: Table, frame: pl.DataFrame) -> Written:
        """Add rows none of whose keys is there yet; lock the table before that is found out.

        A row whose key is there after all is refused by the database, and all with it.
        """
        return self._ingest(table, frame)

    def lock(self, table: Table) -> None:
        """Two writers of one table wait for each other, so that what was compared stays true."""
        self._lock(table)

    def freeze(self) -> None:
        """Read everything as of one moment, and write nothing. Call it before anything is read."""
        self._execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def share_work(self) -> None:
        """Let several server processes answer what is read from here on, grouping without sorting.

        Of rows that this transaction has just written the planner has no statistics to see that by.
        """
        costs = "parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"
        for setting in (*costs, "enable_sort"):
            self._execute("SET LOCAL {setting} = 0", {"setting": sql.Identifier(setting)})

    def append(self, table: Table, frame: pl.DataFrame) -> Written:
        """Add rows whose key is not there yet; rows that are there stay as they are.

        An existing row whose values differ is counted as conflicting. A table without a key is
        simply added to.
        """
        if frame.is_empty():
            return Written()
        self._lock(table)
        if not table.key or self._window_is_empty(table, frame):
            return self._ingest(table, frame)
        self._stage(table, frame)
        names = _names(table)
        known = self._count(
            "SELECT count(*), count(*) FILTER (WHERE {differs}) FROM stage s JOIN {table} t ON {same_key}",
            names,
        )
        inserted = self._modify(
            "INSERT INTO {table} ({columns}) SELECT {stage_columns} FROM stage s"
            " WHERE NOT EXISTS (SELECT FROM {table} t WHERE {same_key})",
            names,
        )
        return Written(inserted, unchanged=known[0] - known[1], conflicting=known[1])

    def replace(self, table: Table, frame: pl.DataFrame, first: date, last: date) -> Written:
        """Make the rows of the window [first, last] equal to `frame`: insert, update, delete."""
        self._lock(table)
        if self.read(writes.is_empty_window(table), first=first, last=last).item():
            return self._ingest(table, frame) if len(frame) else Written()
        self._stage(table, frame)
        names = _names(table)
        window = {"first": first, "last": last}
        deleted = self._modify(
            "DELETE FROM {table} t WHERE t.{day} BETWEEN :first AND :last"
            " AND NOT EXISTS (SELECT FROM stage s WHERE {same_key})",
            names,
            **window,
        )
        updated = self._modify(
            "UPDATE {table} t SET ({values}, recorded_at) = ({stage_values}, now()) FROM stage s"
            " WHERE {same_key} AND {differs}",
            names,
        )
        inserted = self._modify(
            "INSERT INTO {table} ({columns}) SELECT {stage_columns} FROM stage s"
            " WHERE NOT EXISTS (SELECT FROM {table} t WHERE {same_key})",
            names,
        )
        return Written(inserted, updated, deleted, len(frame) - updated - inserted)

    def revise(
        self,
        table: Table,
        frame: pl.DataFrame,
        seen: datetime | None = None,
        asked_days: Sequence[date] = (),
    ) -> Written:
        """Add facts not known yet, and a new revision of each fact that has changed.

        Without `seen` a row's own knowledge_time is taken, and compared with what was known then.
        With `seen` (the moment of this fetch), a change becomes known then; so does a fact that
        an earlier fetch of the same day did not bring, of its symbol or on `asked_days` of all.
        """
        if frame.is_empty():
            return Written()
        self._lock(table)
        was_asked = seen and (asked_days or self._was_asked(table, frame))
        if self._window_is_empty(table, frame) and not was_asked:
            return self._ingest(table, frame)
        asked = len(frame)
        if seen:  # what is stored already need not travel
            frame = self._not_current(table, frame)
            if frame.is_empty():
                return Written(unchanged=asked)
        self._stage(table, frame)
        statement = writes.REVISE_SEEN if seen else writes.REVISE
        parameters: dict[str, Any] = {"seen": seen, "asked": list(asked_days)} if seen else {}
        counts = self._count(statement, {**_names(table), **_revision_names(table)}, **parameters)
        inserted, updated, conflicting = counts
        rest = asked - inserted - updated - conflicting
        return Written(inserted, updated, 0, rest, conflicting)

    def withdraw_missing_actions(
        self, kept: pl.DataFrame, symbols: list[str], first: date, last: date, source: str
    ) -> int:
        """Withdraw stored actions of `symbols` in [first, last] that the source no longer reports.

        kept: symbol, ex_date, kind that it does report. Returns the number withdrawn.
        """
        self._execute("DROP TABLE IF EXISTS pg_temp.stage")
        self._execute(
            "CREATE TEMP TABLE stage (symbol text, ex_date date, kind text) ON COMMIT DROP"
        )
        keys = kept.select("symbol", "ex_date", "kind").to_arrow()
        self._cursor.adbc_ingest("stage", keys, mode="append", temporary=True)
        bound = writes.WITHDRAW_MISSING.bind(
            {
                "symbols": symbols,
                "first": first,
                "last": last,
                "source": source,
                "seen": self.now,
            }
        )
        self._cursor.execute(writes.WITHDRAW_MISSING.text, bound)
        return int(self._cursor.fetchone()[0])

    def judge(self, flags: pl.DataFrame) -> int:
        """Set the flags (symbol, trading_day, flag; null: good) of current bars; returns how many."""
        if flags.is_empty():
            return 0
        types = {"symbol": "text", "trading_day": "date", "flag": "text"}
        self.stage("flags", types, flags.to_arrow())
        return int(self.read(writes.JUDGE).item())

    # -- plumbing ----------------------------------------------------------------------------

    def _lock(self, table: Table) -> None:
        """Two writers of one table wait for each other, so that what was compared stays true."""
        self._cursor.execute("SELECT pg_advisory_xact_lock(hashtext($1))", (str(table),))
        self._cursor.fetchall()

    def _column_types(self, table: Table) -> dict[str, str]:
        rows = self.read(writes.COLUMN_TYPES, schema=table.schema, name=table.name)
        types = dict(rows.select("column", "type").iter_rows())
        return {name: types[name] for name in table.columns}

    def _conform(self, table: Table, frame: pl.DataFrame) -> pl.DataFrame:
        """The table's columns in its types, NaN as NULL. Raises polars errors for what cannot be cast."""
        cast = [pl.col(n).cast(_POLARS_TYPES[t]) for n, t in self._column_types(table).items()]
        return frame.select(cast).with_columns(pl.selectors.float().fill_nan(None))

    def _window_is_empty(self, table: Table, frame: pl.DataFrame) -> bool:
        """Whether rows can be copied straight in: nothing is stored where the frame lies."""
        if "symbol" not in table.key or table.key_day not in table.columns:
            return False
        if "jsonb" in self._column_types(table).values():
            return False
        return bool(self.read(writes.is_empty_cell(table), **_extent(table, frame)).item())

    def _was_asked(self, table: Table, frame: pl.DataFrame) -> bool:
        return not self.read(writes.NEVER_ASKED, **_extent(table, frame)).item()

    def _not_current(self, table: Table, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of `frame` that differ from the latest revision or have none."""
        day = pl.col(table.day)
        cells = frame.group_by("symbol").agg(first=day.min(), last=day.max())
        self._execute("DROP TABLE IF EXISTS pg_temp.cells")
        self._execute("CREATE TEMP TABLE cells (symbol text, first date, last date) ON COMMIT DROP")
        self._cursor.adbc_ingest("cells", cells.to_arrow(), mode="append", temporary=True)
        self._execute("ANALYZE pg_temp.cells")
        current = self.read(writes.current_in_cells(table))
        return self._conform(table, frame).join(
            current,
            on=[*table.key, *table.values],
            how="anti",
            nulls_equal=True,
            maintain_order="left",
        )

    def _ingest(self, table: Table, frame: pl.DataFrame) -> Written:
        # ADBC sends a chunk once all of it is encoded: small ones keep the server busy meanwhile.
        rows = self._conform(table, frame).to_arrow().to_reader(max_chunksize=COPY_ROWS)
        self._cursor.adbc_ingest(table.name, rows, mode="append", db_schema_name=table.schema)
        return Written(inserted=len(frame))

    def _stage(self, table: Table, frame: pl.DataFrame) -> None:
        """Copy rows into a temporary table of the target's types; JSON travels as text."""
        types = self._column_types(table)
        json = [sql.Identifier(name) for name, kind in types.items() if kind == "jsonb"]
        columns = sql.SQL(", ").join(
            sql.SQL("{0}::text AS {0}" if kind == "jsonb" else "{0}").format(sql.Identifier(name))
            for name, kind in types.items()
        )
        self._execute("DROP TABLE IF EXISTS pg_temp.stage")
        self._execute(
            "CREATE TEMP TABLE stage ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA",
            {"columns": columns, "table": sql.Identifier(table.schema, table.name)},
        )
        rows = self._conform(table, frame).to_arrow()
        self._cursor.adbc_ingest("stage", rows, mode="append", temporary=True)
        for column in json:
            self._execute(
                "ALTER TABLE pg_temp.stage ALTER {column} TYPE jsonb USING {column}::jsonb",
                {"column": column},
            )
        self._execute("ANALYZE pg_temp.stage")

    def _execute(self, statement: str, names: dict[str, sql.Composable] | None = None) -> None:
        self._cursor.execute(sql.SQL(statement).format(**names or {}).as_string())

    def _modify(self, statement: str, names: dict[str, sql.Composable], **parameters: Any) -> int:
        counted = "WITH changed AS ({statement} RETURNING 1) SELECT count(*) FROM changed"
        change = sql.SQL(statement).format(**names)
        return self._count(counted, {"statement": change}, **parameters)[0]

    def _count(
        self, statement: str, names: dict[str, sql.Composable], **parameters: Any
    ) -> list[int]:
        query = Query(sql.SQL(statement).format(**names).as_string())
        self._cursor.execute(query.text, query.bind(parameters))
        return [int(n) for n in self._cursor.fetchone()]


def _extent(table: Table, frame: pl.DataFrame) -> dict[str, Any]:
    """The cell a frame lies in: its symbols and its first and last day."""
    return {
        "symbols": frame["symbol"].unique().sort().to_list(),
        "first": frame[table.key_day].min(),
        "last": frame[table.key_day].max(),
    }


def _row(prefix: str, columns: tuple[str, ...]) -> sql.Composable:
    names = [sql.SQL(prefix) + sql.Identifier(c) for c in columns]
    return sql.SQL(", ").join(names)


def _names(table: Table) -> dict[str, sql.Composable]:
    """The fragments that write statements are made of."""
    same_key = [
        sql.SQL(
            "t.{0} IS NOT DISTINCT FROM s.{0}" if c in table.nullable else "t.{0} = s.{0}"
        ).format(sql.Identifier(c))
        for c in table.key
    ]
    differs = sql.SQL("({}) IS DISTINCT FROM ({})").format(
        sql.SQL("ROW({})").format(_row("t.", table.values)),
        sql.SQL("ROW({})").format(_row("s.", table.values)),
    )
    return {
        "table": sql.Identifier(table.schema, table.name),
        "columns": _row("", table.columns),
        "stage_columns": _row("s.", table.columns),
        "values": _row("", table.values),
        "stage_values": _row("s.", table.values),
        "day": sql.Identifier(table.day),
        "same_key": sql.SQL(" AND ").join(same_key),
        "differs": differs if table.values else sql.SQL("false"),
    }


def _revision_names(table: Table) -> dict[str, sql.Composable]:
    plain = tuple(c for c in table.columns if c != "knowledge_time")
    return {
        "stage_key": _row("s.", table.key),
        "stage_all": _row("s.", table.columns),
        "plain": _row("", plain),
        "first_key": sql.Identifier(table.key[0]),
        "stage_day": sql.SQL("s.") + sql.Identifier(table.day),
    }
