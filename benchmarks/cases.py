"""What is measured, in what order, and the line that each measurement becomes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from benchmarks.accuracy_cases import NAMES as ACCURACY_NAMES
from benchmarks.accuracy_cases import accuracy_cases
from benchmarks.book_cases import NAMES as BOOK_NAMES
from benchmarks.book_cases import book_cases
from benchmarks.drift_cases import NAMES as DRIFT_NAMES
from benchmarks.drift_cases import drift_cases
from benchmarks.feature_cases import NAMES as FEATURE_NAMES
from benchmarks.feature_cases import feature_cases
from benchmarks.floor import Floor
from benchmarks.lines import PEAK_LIMIT_MB, Line, Options, line, simulated, span
from benchmarks.sandbox import Database, Sandbox
from benchmarks.view_cases import NAMES as VIEW_NAMES
from benchmarks.view_cases import view_cases
from benchmarks.whole_runs import NAMES as WHOLE_NAMES
from benchmarks.whole_runs import whole_cases
from predtrack_assets.warehouse.tables import PREDICTIONS

SYMBOLS = 1_130  # 5.15 million rows, as some list late and some delist
FILE_SYMBOLS = 505  # of the simulated price file: 2.3 million rows
COPY_LIMIT = 2.0  # times the floor
READ_LIMIT = 0.010  # seconds
LEDGER_ROWS = 1_000_000
ROUNDS = 2  # of product and floor in turn; the best of each counts
VERIFY_ROWS_PER_SECOND = 200_000
READS = {"symbol_history": READ_LIMIT, "day": READ_LIMIT, "year_panel": None}


def file_cases(box: Sandbox, options: Options) -> Iterator[Line]:
    """A price file through the asset market_data: first, again, and its checks."""
    if not options.any_of(["ingest_file", "rerun_file", "checks_file"]):
        return
    path = options.prices or _simulated_file(box, options)
    dates = pl.scan_parquet(path).select(first=pl.col("date").min(), last=pl.col("date").max())
    first, last = (day.isoformat() for day in dates.cast(pl.Date).collect().row(0))
    database = box.database(
        "file",
        PREDTRACK_SOURCE="file",
        PREDTRACK_FILE=str(path),
        PREDTRACK_DEFAULT_EXCHANGE="XNYS",  # names like SIM0001 tell none
    )
    yield from _ingest_cases("file", database, box, options, first, last)


def simulated_cases(box: Sandbox, options: Options) -> Iterator[Line]:
    """A thousand simulated symbols: first, again, checks, and reads of what is stored then."""
    reads = [f"read_{name}" for name in READS]
    ingests = ["ingest_simulated", "rerun_simulated", "checks_simulated"]
    if not options.any_of(ingests + reads):
        return
    database = simulated(box, "simulated", SYMBOLS, options)
    first, last = span()
    yield from _ingest_cases("simulated", database, box, options, first, last)
    if options.any_of(reads):
        options.say("simulated: reads")
        done = database.step("reads", first=first, last=last)
        for name, limit in READS.items():
            found = done["reads"][name]
            more: Line = {} if limit is None else {"limit_unit": "s"}
            yield line(f"read_{name}", **found, limit=limit, peak_mb=done["peak_mb"], **more)


def orchestration_case(box: Sandbox, options: Options) -> Iterator[Line]:
    """What Dagster itself takes, per asset, in a run over all days."""
    if not options.wanted("orchestration"):
        return
    options.say("orchestration: two assets that do nothing")
    first, last = span()
    done = box.database("orchestration").step("orchestration", first=first, last=last)
    per_asset, plain = done["seconds"] / 2, done["plain_s"] / 2
    run = round(done["seconds"], 3)
    more = {"rows_are": "days", "run_s": run}
    yield line("orchestration", per_asset, plain, done["days"], None, done["peak_mb"], **more)


def ledger_cases(box: Sandbox, options: Options) -> Iterator[Line]:
    """Predictions with their batches against the same rows alone, and the whole ledger verified."""
    if not options.any_of(["ledger_append", "ledger_verify"]):
        return
    rows = max(1, round(LEDGER_ROWS * options.scale))
    # The first turn makes the files of the server's log, and what follows reuses them.
    turns = [_ledger_turn(box, options, turn, rows) for turn in range(ROUNDS)]
    appended, floors = [turn[1] for turn in turns], [turn[3] for turn in turns]
    database, _, floor, _ = turns[-1]
    if options.wanted("ledger_append"):
        done = min(appended, key=lambda step: step["seconds"])
        more = {
            "seal_s": round(done["seal_s"], 3),
            "batches": done["batches"],
            "product_all_s": [round(step["seconds"], 2) for step in appended],
            "reference_all_s": [round(seconds, 2) for seconds in floors],
        }
        yield line(
            "ledger_append", done["seconds"], min(floors), floor.rows, COPY_LIMIT,
            done["peak_mb"], **more,
        )  # fmt: skip
    if options.wanted("ledger_verify"):
        options.say("ledger: verify")
        found = database.step("ledger_verify")
        seconds = found["seconds"]
        more = {
            "limit_unit": "s",
            "rows_per_second": round(found["rows"] / seconds),
            "cpu_s": round(found["cpu_s"], 3),
        }
        limit, peak = found["rows"] / VERIFY_ROWS_PER_SECOND, found["peak_mb"]
        yield line("ledger_verify", seconds, floor.read_s, found["rows"], limit, peak, **more)


def _ledger_turn(
    box: Sandbox, options: Options, turn: int, rows: int
) -> tuple[Database, Line, Floor, float]:
    """The database, what the product's step answered, the floor and its seconds."""
    database = box.database(f"ledger_{turn}")
    options.say(f"ledger: {rows:,} predictions, appended and sealed")
    done = database.step("ledger_append", rows=rows)
    options.say("ledger: COPY of the same rows into an empty table")
    floor = Floor(database, box.home / f"ledger_{turn}.copy", PREDICTIONS)
    seconds = floor.seconds(box)
    floor.path.unlink()
    return database, done, floor, seconds


CASES = (
    file_cases,
    simulated_cases,
    orchestration_case,
    ledger_cases,
    feature_cases,
    accuracy_cases,
    drift_cases,
    view_cases,
    book_cases,
    whole_cases,
)
NAMES = [
    *(
        f"{what}_{source}"
        for source in ("file", "simulated")
        for what in ("ingest", "rerun", "checks")
    ),
    *(f"read_{name}" for name in READS),
    "orchestration",
    "ledger_append",
    "ledger_verify",
    *FEATURE_NAMES,
    *ACCURACY_NAMES,
    *DRIFT_NAMES,
    *VIEW_NAMES,
    *BOOK_NAMES,
    *WHOLE_NAMES,
]


def _ingest_cases(
    name: str, database: Database, box: Sandbox, options: Options, first: str, last: str
) -> Iterator[Line]:
    window = {"first": first, "last": last}
    ingest, rerun, checks = (f"{what}_{name}" for what in ("ingest", "rerun", "checks"))
    options.say(f"{name}: ingest, {first} to {last}")
    done = database.step("ingest", **window)
    if not options.any_of([ingest, rerun, checks]):
        return
    options.say(f"{name}: COPY of the same rows into an empty table")
    floor = Floor(database, box.home / f"{name}.copy")
    floors = [floor.seconds(box)]
    again = None
    if options.wanted(rerun):
        options.say(f"{name}: rerun")
        again = database.step("ingest", **window)
        floors.append(floor.seconds(box))  # what else the machine does changes; this halves it
    new_server = floor.seconds_on_new_server()
    floor.path.unlink()
    reference = sum(floors) / len(floors)
    options.say(f"{name}: the source alone")
    alone = round(database.step("source", **window)["seconds"], 3)
    for case, result in ((ingest, done), (rerun, again)):
        if result is not None and options.wanted(case):
            more = {
                "rows_changed": result["changed"],
                "source_s": alone,
                "reference_new_server_s": round(new_server, 3),
                "ratio_new_server": round(result["seconds"] / new_server, 3),
            }
            peak = result["peak_mb"]
            yield line(
                case, result["seconds"], reference, floor.rows, COPY_LIMIT, peak,
                peak_limit_mb=PEAK_LIMIT_MB, **more,
            )  # fmt: skip
    if options.wanted(checks):
        options.say(f"{name}: the checks of its assets")
        checked = database.step("ingest", **window, checks=True)
        yield line(checks, checked["checks_s"], reference, floor.rows, None, checked["peak_mb"])


def _simulated_file(box: Sandbox, options: Options) -> Path:
    options.say("file: writing a simulated price file")
    path = box.home / "prices.parquet"
    first, last = span()
    vendor = simulated(box, "vendor", FILE_SYMBOLS, options)
    vendor.step("write_prices", first=first, last=last, path=str(path))
    return path
