"""What is measured of validation and accuracy: outcomes of due predictions, and reports on them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import psycopg
from psycopg import sql

from benchmarks.lines import Line, Options, line
from benchmarks.predictions import FIRST, SYMBOLS
from benchmarks.sandbox import Database, Sandbox
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.warehouse.tables import OUTCOMES

DUE, OUTCOME_ROWS, ECE_ROWS = 1_000_000, 5_000_000, 10_000_000
DAYS = 55  # sessions in which a million predictions are made and fall due
VALIDATE_LIMIT, REPORT_LIMIT, ECE_LIMIT = 2.0, 5.0, 1.5
REPORT_ALLOWED_S = 0.5  # beside REPORT_LIMIT scans of the day
NAMES = ["validate", "accuracy_day", "ece"]


def accuracy_cases(box: Sandbox, options: Options) -> Iterator[Line]:
    """Every case of validation and accuracy that was asked for."""
    if options.wanted("ece"):
        options.say("ece: bincounts")
        rows = max(1, round(ECE_ROWS * options.scale))
        yield line("ece", **box.database("ece").step("ece", rows=rows), limit=ECE_LIMIT)
    if not options.any_of(["validate", "accuracy_day"]):
        return
    count = max(1, round(DUE * options.scale))
    symbols = {"PREDTRACK_SOURCE": "simulated", "PREDTRACK_SIMULATED_SYMBOLS": str(SYMBOLS)}
    database = box.database("accuracy", **symbols)
    window = _window()
    options.say(f"accuracy: bars of {SYMBOLS:,} symbols, {count:,} predictions of them")
    database.step("run_asset", asset="market_data", **window)
    database.step("ledger_append", rows=count)
    options.say("validate: outcomes of what fell due")
    done = database.step("run_asset", asset="outcomes", **window)
    if options.wanted("validate"):
        reference, rows = _inserted_again(database)
        yield line("validate", done["product_s"], reference, rows, VALIDATE_LIMIT, done["peak_mb"])
    if options.wanted("accuracy_day"):
        yield _accuracy_day(database, options)


def _accuracy_day(database: Database, options: Options) -> Line:
    """Sums and reports of one day, over the outcomes as other models' too, beside a scan of its own."""
    rows = max(1, round(OUTCOME_ROWS * options.scale))
    options.say(f"accuracy_day: {rows:,} outcomes")
    with database.connect() as connection:
        while (found := _stored(connection)) < rows:
            _copy_outcomes(connection, rows - found)
        connection.execute("VACUUM (ANALYZE) forecasts.outcomes")
        first, last = _busy_days(connection)
    options.say(f"accuracy_day: sums and reports as of {last}")
    done = database.step("accuracy_day", first=first, last=last)
    limit = REPORT_LIMIT + REPORT_ALLOWED_S / done["reference_s"]
    return line("accuracy_day", **done, limit=round(limit, 1), outcomes=found)


def _window() -> dict[str, str]:
    """First and last of the sessions in which the predictions are made and fall due."""
    return {"first": str(FIRST), "last": str(calendar("XNYS").offset(np.array(FIRST), DAYS))}


def _inserted_again(database: Database) -> tuple[float, int]:
    """Seconds and rows of INSERT ... SELECT of all outcomes into a table of the same kind."""
    columns = sql.SQL(", ").join(map(sql.Identifier, OUTCOMES.columns))
    with database.connect() as connection:
        connection.execute("CREATE TABLE forecasts.again (LIKE forecasts.outcomes INCLUDING ALL)")
        start = time.perf_counter()
        rows = connection.execute(
            sql.SQL("INSERT INTO forecasts.again ({0}) SELECT {0} FROM forecasts.outcomes").format(
                columns
            )
        ).rowcount
        seconds = time.perf_counter() - start
        connection.execute("DROP TABLE forecasts.again")
    return seconds, rows


def _busy_days(connection: psycopg.Connection) -> tuple[str, str]:
    """The last day on which as much as usual fell due, and the 30th before it."""
    found = connection.execute("""
        SELECT (max(due_day) - 29)::text, max(due_day)::text FROM (
            SELECT due_day, count(*) >= avg(count(*)) OVER () AS usual FROM forecasts.outcomes
            GROUP BY due_day) days
        WHERE usual
    """).fetchone()
    if found is None:
        raise RuntimeError("no outcome is stored")
    return found[0], found[1]


def _stored(connection: psycopg.Connection) -> int:
    """How many outcomes there are."""
    found = connection.execute("SELECT count(*) FROM forecasts.outcomes").fetchone()
    return found[0] if found else 0


def _copy_outcomes(connection: psycopg.Connection, most: int) -> None:
    """The outcomes that there are once more, at most so many, as those of other models."""
    same = sql.SQL(", ").join(sql.Identifier(c) for c in OUTCOMES.columns if c != "model_id")
    connection.execute(
        sql.SQL(
            "INSERT INTO forecasts.outcomes (model_id, {0})"
            " SELECT model_id || '+' || (SELECT count(DISTINCT model_id) FROM forecasts.outcomes), {0}"
            " FROM forecasts.outcomes LIMIT {1}"
        ).format(same, sql.Literal(most))
    )
