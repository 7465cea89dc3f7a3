"""Whole runs by the command line, each in a home and on a server of its own, with all they take.

Processor time is that of the command and of the server together, and disk is what is left behind:
both are worth more than seconds on a machine that does other things too. Linux only: the server's
time is read from /proc.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import polars as pl
import psycopg

from benchmarks.lines import Line, Options
from benchmarks.sandbox import Sandbox
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer

NAMES = ["cli_start", "demo_job", "demo_rerun", "fifty", "year_505", "day_505"]
FIFTY = ("2018-01-02", "2019-12-31")
YEAR, DAY = ("2018-01-02", "2018-12-28"), "2018-12-31"
LOADED = ("2015-01-02", "2018-12-31")  # for the year: enough to fit a model before it
TICKS = os.sysconf("SC_CLK_TCK")
MB = 1_000_000


class Home:
    """A home directory and the server in it."""

    def __init__(self, path: Path, **settings: str) -> None:
        self.path = path
        self._settings = {"PREDTRACK_HOME": str(path), **settings}
        path.mkdir()
        path.chmod(0o711)  # root runs the server as another user

    def run(self, *arguments: str) -> Line:
        """Seconds, processor seconds and megabytes of `predtrack arguments`."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREDTRACK_")}
        began, own, server = time.perf_counter(), _children(), self._server_cpu()
        subprocess.run(
            [sys.executable, "-m", "predtrack_assets.cli", *arguments],
            cwd=PROJECT_ROOT,
            env={**inherited, **self._settings},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        seconds = time.perf_counter() - began
        own, server = _children() - own, self._server_cpu() - server
        return {
            "product_s": round(seconds, 2),
            "cpu_s": round(own + server, 2),
            "client_cpu_s": round(own, 2),
            "server_cpu_s": round(server, 2),
            "peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
            "load": round(os.getloadavg()[0], 1),
        }

    def disk(self) -> Line:
        """Megabytes of the tables, of Dagster's, of the log, and of everything in the home."""
        server = EmbeddedServer(self.path)
        with psycopg.connect(server.url("postgres")) as connection:
            sizes = dict(
                connection.execute(
                    "SELECT datname::text, pg_database_size(oid) FROM pg_database"
                ).fetchall()
            )
            log = connection.execute("SELECT sum(size) FROM pg_ls_waldir()").fetchone()
        files = (f.lstat().st_size for f in self.path.rglob("*") if f.is_file())
        return {
            "tables_mb": round(sizes["predtrack"] / MB),
            "dagster_mb": round(sizes["predtrack_dagster"] / MB),
            "log_mb": round(float(log[0]) / MB) if log else 0,
            "home_mb": round(sum(files) / MB),
        }

    def _server_cpu(self) -> float:
        """Processor seconds of the server's processes, those that have ended too; 0 without one."""
        total = 0
        for file in self.path.glob("postgres-*/postmaster.pid"):
            pid = file.read_text().splitlines()[0]
            total += sum(_ticks(pid)[:4])
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            total += sum(sum(_ticks(child)[:2]) for child in children)
        return total / TICKS


def _ticks(pid: str) -> list[int]:
    """User and system time of a process, then those of its children that have ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:  # it has just ended
        return [0, 0, 0, 0]
    return [int(field) for field in text.rpartition(")")[2].split()[11:15]]


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _home(box: Sandbox, name: str, **settings: str) -> Iterator[Home]:
    home = Home(box.home / name, **settings)
    try:
        yield home
    finally:
        EmbeddedServer(home.path).stop()


def whole_cases(box: Sandbox, options: Options) -> Iterator[Line]:
    """Start-up, the demo twice, fifty symbols, and a year and a day of all symbols of a file."""
    if options.wanted("cli_start"):
        options.say("cli_start")
        with _home(box, "start") as home:
            home.run("db", "start")
            runs = [home.run("db", "url"), home.run("--help")]
        slowest = max(runs, key=lambda done: done["client_cpu_s"])
        yield _line("cli_start", slowest, cpu_limit=0.7)
    if options.any_of(["demo_job", "demo_rerun"]):
        with _home(box, "demo") as home:
            options.say("demo_job")
            yield _line("demo_job", home.run("demo") | home.disk(), limit=120, cpu_limit=150)
            if options.wanted("demo_rerun"):
                options.say("demo_rerun")
                yield _line("demo_rerun", home.run("demo") | home.disk(), limit=20)
    if options.prices is None:
        options.say("fifty, year_505 and day_505 are of a price file: --prices")
        return
    if options.wanted("fifty"):
        options.say("fifty")
        with _home(box, "fifty", **_prices(box, options.prices, FIFTY, 50)) as home:
            done = home.run("backfill", "--from", FIFTY[0], "--to", FIFTY[1])
            yield _line("fifty", done | home.disk(), cpu_limit=120)
    if options.any_of(["year_505", "day_505"]):
        yield from _all_symbols(box, options, options.prices)


def _all_symbols(box: Sandbox, options: Options, prices: Path) -> Iterator[Line]:
    """A year of predictions of all symbols in one run, and one day of the whole chain after it."""
    with _home(box, "all", **_prices(box, prices, LOADED, None)) as home:
        options.say("year_505: prices, features and a fit before it")
        home.run(*_backfill(LOADED[0], YEAR[1], "market,features"))
        home.run(*_backfill(YEAR[0], YEAR[0], "pooled_models"))  # fits the month before
        options.say("year_505")
        done = home.run(*_backfill(*YEAR, "forecasts,accuracy,deployment"))
        yield _line("year_505", done | home.disk(), limit=480)
        if options.wanted("day_505"):
            options.say("day_505")
            chain = "market,features,forecasts,accuracy,deployment"
            done = home.run(*_backfill(DAY, DAY, chain))
            yield _line("day_505", done | home.disk(), limit=20)


def _backfill(first: str, last: str, select: str) -> list[str]:
    return ["backfill", "--no-warm-up", "--from", first, "--to", last, "--select", select]


def _prices(box: Sandbox, path: Path, span: tuple[str, str], most: int | None) -> dict[str, str]:
    """Settings of a source that has the days of `span` of the first `most` symbols there all along."""
    first, last = map(date.fromisoformat, span)
    days = pl.col("date").cast(pl.Date).is_between(first, last)
    bars = pl.scan_parquet(path).filter(days).collect()
    counts = bars.group_by("symbol").len()
    whole = counts.filter(pl.col("len") == pl.col("len").max())["symbol"].sort()
    if most is not None:
        bars = bars.filter(pl.col("symbol").is_in(whole.head(most).to_list()))
    cut = box.home / f"prices-{most}.parquet"
    bars.write_parquet(cut)
    named = {"PREDTRACK_SOURCE": "file", "PREDTRACK_FILE": str(cut)}
    return {**named, "PREDTRACK_BENCHMARK": whole[0]}


def _line(
    name: str, done: Line, limit: float | None = None, cpu_limit: float | None = None
) -> Line:
    """A line of the measured figures; within_limit: both limits, seconds and processor seconds, hold."""
    held = [
        done[key] <= most
        for key, most in (("product_s", limit), ("cpu_s", cpu_limit))
        if most is not None
    ]
    limits = {"limit": limit, "limit_unit": "s", "cpu_limit": cpu_limit}
    return {"name": name, **done, **limits, "within_limit": all(held)}
