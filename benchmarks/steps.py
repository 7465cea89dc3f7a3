"""The measured steps, each in a process of its own: `python -m benchmarks.steps NAME OPTIONS`.

OPTIONS is a JSON object of keyword arguments; the last line of the output is a JSON object.
Settings come from the environment, as they do for the product. Imports are not measured.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from predtrack_assets.automation.runs import RunReport, prepare, run_window, selection_of
from predtrack_assets.days import Window
from predtrack_assets.definitions import build_definitions
from predtrack_assets.domain.market.actions import adjust
from predtrack_assets.partitions import day_asset
from predtrack_assets.proofs.checks import PROOFS
from predtrack_assets.settings import get_settings
from predtrack_assets.sources.routing import make_source
from predtrack_assets.warehouse import tables

NAMED_CHECKS = [*PROOFS]
"""Jobs leave these out by name, so they must exist; none is run here."""


def peak_mb() -> float:
    """Most memory this process has had, MiB (ru_maxrss is in KiB on Linux, bytes on macOS)."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def ingest(first: str, last: str, checks: bool = False) -> dict[str, Any]:
    """One run of market_data (and corporate_actions, which the same step brings) over the window.

    checks: also run the asset checks, as `predtrack backfill --select market_data` does.
    """
    definitions = build_definitions() if checks else build_definitions(asset_checks=NAMED_CHECKS)
    seconds, report = _run(definitions, "market_data", first, last)
    of_checks = [taken for step, taken in report.seconds.items() if step.startswith("check")]
    return {
        "seconds": seconds,
        "changed": report.rows_changed,
        "checks_s": sum(of_checks),
        "peak_mb": peak_mb(),
    }


def source(first: str, last: str) -> dict[str, Any]:
    """The source alone, its batches thrown away."""
    vendor = make_source(get_settings())
    start = time.perf_counter()
    symbols = vendor.symbols() or []
    batches = vendor.fetch(symbols, date.fromisoformat(first), date.fromisoformat(last))
    rows = sum(len(batch.bars) for batch in batches)
    return {"seconds": time.perf_counter() - start, "rows": rows, "peak_mb": peak_mb()}


def orchestration(first: str, last: str) -> dict[str, Any]:
    """One run of two assets that do nothing, and the same two functions called plainly."""

    def upstream() -> dg.MaterializeResult:
        """Nothing, for every day."""
        return dg.MaterializeResult(metadata={"rows_inserted": 0})

    def downstream() -> dg.MaterializeResult:
        """Nothing, after the other nothing."""
        return dg.MaterializeResult(metadata={"rows_inserted": 0})

    start = time.perf_counter()
    upstream()
    downstream()
    plain = time.perf_counter() - start
    one = day_asset(schema="bench", code_version="1")(upstream)
    two = day_asset(schema="bench", code_version="1", deps=[one])(downstream)
    assets = [*(build_definitions().assets or []), one, two]
    definitions = build_definitions(assets=assets, asset_checks=NAMED_CHECKS)
    seconds, _ = _run(definitions, "bench", first, last)
    return {
        "seconds": seconds,
        "plain_s": plain,
        "days": len(_window(first, last).days),
        "peak_mb": peak_mb(),
    }


def run_asset(asset: str, first: str, last: str) -> dict[str, Any]:
    """One run of an asset over the window, without checks."""
    seconds, report = _run(build_definitions(asset_checks=NAMED_CHECKS), asset, first, last)
    changed = report.rows_changed
    return {"product_s": seconds, "rows_changed": changed, "peak_mb": peak_mb()}


def reads(first: str, last: str) -> dict[str, Any]:
    """Median seconds of each read as of the window's end, and of the plain SELECT beside it."""
    from benchmarks.reads import measure

    return {
        "reads": measure(date.fromisoformat(first), date.fromisoformat(last)),
        "peak_mb": peak_mb(),
    }


def views(names: list[str]) -> dict[str, Any]:
    """Median seconds of what is asked of each view, and of as many rows read by key."""
    from benchmarks.views import measure

    return {"views": measure(names), "peak_mb": peak_mb()}


def ledger_append(rows: int) -> dict[str, Any]:
    """Simulated predictions appended and sealed in one transaction, until it is committed."""
    from benchmarks.predictions import simulated_models, simulated_predictions, simulated_symbols
    from predtrack_assets.assets.resources import Database
    from predtrack_assets.warehouse.database.query import Query
    from predtrack_assets.warehouse.forecasts.ledger import seal

    closes = Database().read(
        Query("SELECT symbol, trading_day, close FROM market.market_data_current")
    )
    frame = simulated_predictions(rows, None if closes.is_empty() else closes)
    with Database().transaction() as transaction:
        transaction.append(tables.MODEL_REGISTRY, simulated_models(frame))
        transaction.append(tables.SYMBOLS, simulated_symbols(frame))
    start = time.perf_counter()
    with Database().transaction() as transaction:
        transaction.append(tables.PREDICTIONS, frame)
        appended = time.perf_counter()
        sealed = seal(transaction)
        seal_s = time.perf_counter() - appended
    return {
        "seconds": time.perf_counter() - start,
        "seal_s": seal_s,
        "batches": sealed.batches,
        "peak_mb": peak_mb(),
    }


def ledger_verify() -> dict[str, Any]:
    """What `predtrack ledger verify` does. cpu_s: of this process alone. Raises if it finds a fault."""
    from predtrack_assets.services.audit.verification import verify
    from predtrack_assets.warehouse.database.transaction import READER, Database

    start, cpu = time.perf_counter(), time.process_time()
    with Database().transaction(READER) as transaction:
        verdict = verify(transaction)
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    if not verdict.good:
        raise RuntimeError(f"the ledger does not verify: {verdict.findings}")
    return {"seconds": seconds, "cpu_s": cpu_s, "rows": verdict.rows_good, "peak_mb": peak_mb()}


def write_prices(first: str, last: str, path: str) -> dict[str, Any]:
    """The simulated market as a vendor's file: split-adjusted, with adj_close."""
    import pyarrow.parquet as pq

    start, end = date.fromisoformat(first), date.fromisoformat(last)
    vendor = make_source(get_settings())
    writer = None
    rows = 0
    for batch in vendor.fetch(vendor.symbols() or [], start, end):
        later = end + timedelta(days=1)
        total = adjust(batch.bars, batch.actions, later, "total_return")["close"].alias("adj_close")
        frame = adjust(batch.bars, batch.actions, later).with_columns(total)
        table = frame.rename({"trading_day": "date"}).to_arrow()
        writer = writer or pq.ParquetWriter(Path(path), table.schema)
        writer.write_table(table)
        rows += len(frame)
    if writer is not None:
        writer.close()
    return {"rows": rows}


def _run(
    definitions: dg.Definitions, selected: str, first: str, last: str
) -> tuple[float, RunReport]:
    """Seconds and report of one run on Dagster's PostgreSQL storage. Raises if it did not succeed."""
    prepare(get_settings())
    selection = selection_of([selected], definitions)
    with dg.DagsterInstance.get() as instance:
        start = time.perf_counter()
        report = run_window(definitions, instance, _window(first, last), selection)
        seconds = time.perf_counter() - start
    if not report.success:
        raise RuntimeError(f"the run failed: {report.failed}")
    return seconds, report


def _window(first: str, last: str) -> Window:
    days = Window(date.fromisoformat(first), date.fromisoformat(last)).days
    return Window(days[0].item(), days[-1].item())


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    step.__name__: step
    for step in (
        ingest,
        source,
        run_asset,
        reads,
        views,
        orchestration,
        ledger_append,
        ledger_verify,
        write_prices,
    )
}

if __name__ == "__main__":
    from benchmarks.accuracy_steps import STEPS as ACCURACY_STEPS
    from benchmarks.book_steps import STEPS as BOOK_STEPS
    from benchmarks.feature_steps import STEPS as FEATURE_STEPS
    from benchmarks.training_steps import STEPS as TRAINING_STEPS

    steps = {**STEPS, **FEATURE_STEPS, **TRAINING_STEPS, **ACCURACY_STEPS, **BOOK_STEPS}
    found = steps[sys.argv[1]](**json.loads(sys.argv[2]))
    print(json.dumps({"peak_mb": peak_mb(), **found}))
