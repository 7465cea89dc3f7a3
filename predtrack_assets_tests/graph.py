"""Running the asset graph on a test's database, and comparing what it left there."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import psycopg
from psycopg import sql

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.days import Window
from predtrack_assets.definitions import ASSETS
from predtrack_assets.warehouse.database.urls import database_name, with_database

REFERENCE = dg.AssetSelection.assets(
    "market/universe_members", "features/feature_sets", "models/model_registry"
)
TRAINING = dg.AssetSelection.assets(
    "models/pooled_models", "models/symbol_models", "models/optimization_results"
)
STAGES = ("market", "features", "models", "forecasts", "accuracy", "deployment", "trading")

# Identities, clocks and run ids differ between runs by nature; requests are logged per run.
INCIDENTAL = {
    "recorded_at",
    "committed_at",
    "evaluated_at",
    "fetched_at",
    "run_id",
    "training_run_id",
}
LOGS = {
    "market.fetch_log",
    "forecasts.prediction_batches",
    "models.training_runs",
    "models.trials",
}

Rows = dict[str, list[tuple[Any, ...]]]
Counts = dict[str, dict[str, int]]


def run(
    url: str,
    first: date,
    last: date,
    select: Sequence[str] | None = None,
    *,
    raise_on_error: bool = True,
) -> dg.ExecuteInProcessResult:
    """Materialize the daily assets, or those named schema/table, for [first, last] in one run."""
    everything = dg.AssetSelection.all() - REFERENCE - TRAINING
    chosen = dg.AssetSelection.assets(*select) if select else everything
    return dg.materialize(
        ASSETS,
        selection=chosen,
        resources={"warehouse": Warehouse(url=url)},
        tags={
            "dagster/asset_partition_range_start": first.isoformat(),
            "dagster/asset_partition_range_end": last.isoformat(),
        },
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=raise_on_error,
    )


def run_reference(url: str) -> dg.ExecuteInProcessResult:
    """Materialize what has no days: universes and registered models."""
    return dg.materialize(
        ASSETS,
        selection=REFERENCE,
        resources={"warehouse": Warehouse(url=url)},
    )


def run_months(url: str, first: str, last: str) -> dg.ExecuteInProcessResult:
    """Fit the pooled models through the ends of the months YYYY-MM from first to last, in one run."""
    return dg.materialize(
        ASSETS,
        selection=["models/pooled_models"],
        resources={"warehouse": Warehouse(url=url)},
        tags={
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last,
        },
        instance=dg.DagsterInstance.ephemeral(),
    )


def run_day_by_day(url: str, first: date, last: date, select: Sequence[str] | None = None) -> None:
    """The same as `run`, one run per trading day."""
    for day in trading_days(first, last):
        run(url, day, day, select)


def trading_days(first: date, last: date) -> list[date]:
    """The days of the default exchanges in [first, last]."""
    return Window(first, last).days.tolist()


def counts(result: dg.ExecuteInProcessResult) -> Counts:
    """rows_* metadata of each asset that was materialized."""
    return {
        event.asset_key.to_user_string(): {
            name.removeprefix("rows_"): int(value.value)
            for name, value in event.materialization.metadata.items()
            if name.startswith("rows_")
        }
        for event in result.get_asset_materialization_events()
    }


def changed(result: dg.ExecuteInProcessResult) -> Counts:
    """The assets that report a row inserted, updated, deleted or in conflict."""
    quiet = {"unchanged"}
    return {
        asset: count
        for asset, count in counts(result).items()
        if any(n for name, n in count.items() if name not in quiet)
    }


def off_the_record(url: str, *tables: str) -> dict[str, tuple[int, int]]:
    """Of the tables schema.name whose rows the audit trail does not account for: rows, and rows
    by its events; those that are empty too."""
    found = {}
    for table in tables:
        name = sql.Identifier(*table.split("."))
        with psycopg.connect(url) as connection:
            stored = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone()
            said = connection.execute(
                "SELECT coalesce(sum((payload ->> 'rows_inserted')::int"
                " - (payload ->> 'rows_deleted')::int), 0) FROM audit.audit_trail"
                " WHERE subject = %s AND payload ->> 'triggered_by' = 'manual'",
                [table],
            ).fetchone()
        assert stored
        assert said
        if stored != said or not stored[0]:
            found[table] = (int(stored[0]), int(said[0]))
    return found


def contents(url: str) -> Rows:
    """Every row of every table, without identities and clocks of the run, sorted."""
    with psycopg.connect(url) as connection:
        columns = connection.execute(
            "SELECT table_schema || '.' || table_name, array_agg(column_name::text ORDER BY"
            " ordinal_position) FROM information_schema.columns JOIN information_schema.tables"
            " USING (table_schema, table_name) WHERE table_schema = ANY(%s)"
            " AND table_type = 'BASE TABLE' AND is_identity = 'NO'"
            " AND column_name <> ALL(%s) GROUP BY 1 ORDER BY 1",
            [list(STAGES), list(INCIDENTAL)],
        ).fetchall()
        return {
            table: sorted(
                connection.execute(
                    sql.SQL("SELECT {} FROM {}").format(
                        sql.SQL(", ").join(
                            sql.SQL("{}::text").format(sql.Identifier(c)) for c in names
                        ),
                        sql.Identifier(*table.split(".")),
                    )
                ).fetchall(),
                key=repr,
            )
            for table, names in columns
            if table not in LOGS
        }


def covered_days(url: str) -> set[tuple[str, str, date]]:
    """(source, symbol, day) that fetches have asked for with success."""
    with psycopg.connect(url) as connection:
        return set(
            connection.execute(
                "SELECT source, symbol, day::date FROM market.fetch_log,"
                " generate_series(first_day, last_day, '1 day') day WHERE status <> 'failed'"
            )
        )


def differences(left: Rows, right: Rows) -> dict[str, tuple[list[Any], list[Any]]]:
    """Per table the first rows that only one side has; empty when the sides are equal."""
    result = {}
    for table in sorted(left.keys() | right.keys()):
        a, b = left.get(table, []), right.get(table, [])
        if a != b:
            only_a, only_b = set(a) - set(b), set(b) - set(a)
            result[table] = (sorted(only_a, key=repr)[:3], sorted(only_b, key=repr)[:3])
    return result


def frame(url: str, query: str, *parameters: Any) -> pl.DataFrame:
    """Rows of a query with %s parameters."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(query, parameters)
        names = [c.name for c in cursor.description or []]
        rows = cursor.fetchall()
    return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)


def execute(url: str, statement: str, *parameters: Any) -> None:
    """One statement, committed."""
    with psycopg.connect(url) as connection:
        connection.execute(statement, parameters)


@contextlib.contextmanager
def copy_of(url: str) -> Iterator[str]:
    """URL of a copy of a database that nobody is connected to; dropped afterwards."""
    name = f"predtrack_copy_{uuid.uuid4().hex[:12]}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(database_name(url))
    )
    with psycopg.connect(with_database(url, "postgres"), autocommit=True) as connection:
        connection.execute(create)
        yield with_database(url, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def random_walk(days: np.ndarray, seed: int, start: float = 50.0) -> pl.DataFrame:
    """date, open, high, low, close, volume of a seeded random walk on `days`, as traded."""
    random = np.random.default_rng(seed)
    close = start * np.exp(np.cumsum(random.normal(0, 0.02, len(days))))
    opened = close * np.exp(random.normal(0, 0.005, len(days)))
    return pl.DataFrame(
        {
            "date": days,
            "open": opened,
            "high": np.maximum(opened, close) * np.exp(np.abs(random.normal(0, 0.01, len(days)))),
            "low": np.minimum(opened, close) * np.exp(-np.abs(random.normal(0, 0.01, len(days)))),
            "close": close,
            "volume": random.integers(1_000, 9_000, len(days)).astype(float),
        }
    ).with_columns(pl.col("date").cast(pl.Date))


def store_bars(url: str, frame: pl.DataFrame, source: str = "file") -> None:
    """Register symbols (XNYS, by their name a stock or an index) and store bars as traded, known
    at 21:00 UTC of their day unless a knowledge_time says otherwise."""
    frame = frame.rename({"date": "trading_day"}, strict=False)
    if "knowledge_time" not in frame.columns:
        close = pl.col("trading_day").cast(pl.Datetime("us")) + pl.duration(hours=21)
        frame = frame.with_columns(close.dt.replace_time_zone("UTC").alias("knowledge_time"))
    columns = ["symbol", "trading_day", "open", "high", "low", "close", "volume", "knowledge_time"]
    symbols = frame["symbol"].unique().to_list()
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO market.symbols (symbol, exchange, asset_class, source)"
            " VALUES (%s, 'XNYS', %s, %s) ON CONFLICT DO NOTHING",
            [(s, "index" if s.startswith("^") else "stock", source) for s in symbols],
        )
        copy = sql.SQL("COPY market.market_data ({}, quality, source) FROM STDIN").format(
            sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with cursor.copy(copy) as rows:
            for row in frame.select(columns).iter_rows():
                rows.write_row((*row, "good", source))


def store_action(
    url: str, symbol: str, day: date, kind: str, value: float | None, known: datetime
) -> None:
    """One split or dividend, or (value None) its withdrawal."""
    execute(
        url,
        "INSERT INTO market.corporate_actions (symbol, ex_date, kind, value, inferred, source,"
        " knowledge_time) VALUES (%s, %s, %s, %s, false, 'file', %s)",
        *(symbol, day, kind, value, known),
    )


def utc(*moment: int) -> datetime:
    """A moment in UTC."""
    return datetime(*moment, tzinfo=UTC)
