"""What is measured, in what order, and the line that each measurement becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.floor import Floor
from benchmarks.sandbox import Database, Sandbox
from predtrack_assets.domain.calendar import calendar

SYMBOLS, SESSIONS = 1_130, 5_000  # 5.15 million rows, as some list late and some delist
FILE_SYMBOLS = 505  # of the simulated price file: 2.3 million rows
FIRST = date(2000, 1, 3)
COPY_LIMIT = 2.0  # times the floor
READ_LIMIT = 0.010  # seconds
PEAK_LIMIT_MB = 2_048
READS = {"symbol_history": READ_LIMIT, "day": READ_LIMIT, "year_panel": None}

Line = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """prices: a price file in standard columns. scale: share of the simulated symbols. wanted: the
    case's name to whether it was asked for. say: tells the user what is going on."""

    prices: Path | None
    scale: float
    wanted: Callable[[str], bool]
    say: Callable[[str], None]

    def any_of(self, names: list[str]) -> bool:
        """Whether one of them was asked for."""
        return any(map(self.wanted, names))


def file_cases(box: Sandbox, options: Options) -> Iterator[Line]:
    """A price file through the asset market_data: first, again, and its checks."""
    if not options.any_of(["ingest_file", "rerun_file", "checks_file"]):
        return
    path = options.prices or _simulated_file(box, options)
    dates = pl.scan_parquet(path).select(first=pl.col("date").min(), last=pl.col("date").max())
    first, last = (day.isoformat() for day in dates.cast(pl.Date).collect().row(0))
    database = box.database("file", PREDTRACK_SOURCE="file", PREDTRACK_FILE=str(path))
    yield from _ingest_cases("file", database, box, options, first, last)


def simulated_cases(box: Sandbox, options: Options) -> Iterator[Line]:
    """A thousand simulated symbols: first, again, checks, and reads of what is stored then."""
    reads = [f"read_{name}" for name in READS]
    ingests = ["ingest_simulated", "rerun_simulated", "checks_simulated"]
    if not options.any_of(ingests + reads):
        return
    database = _simulated(box, "simulated", SYMBOLS, options)
    first, last = _span()
    yield from _ingest_cases("simulated", database, box, options, first, last)
    if options.any_of(reads):
        options.say("simulated: reads")
        done = database.step("reads", first=first, last=last)
        for name, limit in READS.items():
            found = done["reads"][name]
            more: Line = {} if limit is None else {"limit_unit": "s"}
            yield _line(f"read_{name}", **found, limit=limit, peak_mb=done["peak_mb"], **more)


def orchestration_case(box: Sandbox, options: Options) -> Iterator[Line]:
    """What Dagster itself takes, per asset, in a run over all days."""
    if not options.wanted("orchestration"):
        return
    options.say("orchestration: two assets that do nothing")
    first, last = _span()
    done = box.database("orchestration").step("orchestration", first=first, last=last)
    per_asset, plain = done["seconds"] / 2, done["plain_s"] / 2
    run = round(done["seconds"], 3)
    more = {"rows_are": "days", "run_s": run}
    yield _line("orchestration", per_asset, plain, done["days"], None, done["peak_mb"], **more)


CASES = (file_cases, simulated_cases, orchestration_case)
NAMES = [
    *(
        f"{what}_{source}"
        for source in ("file", "simulated")
        for what in ("ingest", "rerun", "checks")
    ),
    *(f"read_{name}" for name in READS),
    "orchestration",
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
            yield _line(
                case, result["seconds"], reference, floor.rows, COPY_LIMIT, peak,
                peak_limit_mb=PEAK_LIMIT_MB, **more,
            )  # fmt: skip
    if options.wanted(checks):
        options.say(f"{name}: the checks of its assets")
        checked = database.step("ingest", **window, checks=True)
        yield _line(checks, checked["checks_s"], reference, floor.rows, None, checked["peak_mb"])


def _line(
    name: str,
    product_s: float,
    reference_s: float,
    rows: int,
    limit: float | None,
    peak_mb: float,
    **more: Any,
) -> Line:
    """limit is one of the ratio, unless limit_unit says that it is one of product_s."""
    ratio = product_s / reference_s
    judged = product_s if "limit_unit" in more else ratio
    return {
        "name": name,
        "product_s": round(product_s, 5),
        "reference_s": round(reference_s, 5),
        "ratio": round(ratio, 3),
        "limit": limit,
        "rows": rows,
        "peak_mb": peak_mb,
        "within_limit": None if limit is None else judged <= limit,
        **more,
    }


def _simulated(box: Sandbox, name: str, symbols: int, options: Options) -> Database:
    count = max(1, round(symbols * options.scale))
    return box.database(name, PREDTRACK_SOURCE="simulated", PREDTRACK_SIMULATED_SYMBOLS=str(count))


def _simulated_file(box: Sandbox, options: Options) -> Path:
    options.say("file: writing a simulated price file")
    path = box.home / "prices.parquet"
    first, last = _span()
    vendor = _simulated(box, "vendor", FILE_SYMBOLS, options)
    vendor.step("write_prices", first=first, last=last, path=str(path))
    return path


def _span() -> tuple[str, str]:
    """First and last of SESSIONS days."""
    market = calendar("XNYS")
    return FIRST.isoformat(), str(market.offset(FIRST, SESSIONS - 1))
