"""`predtrack demo`: the sample through the whole graph, and an honest summary."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
from rich.console import Console

from predtrack_assets.automation.jobs import BEFORE_TRAINING, TUNING
from predtrack_assets.automation.progress import CONSOLE
from predtrack_assets.automation.reruns import reruns
from predtrack_assets.automation.runs import (
    RunReport,
    prepare,
    run_reference,
    run_waiting_checks,
    run_window,
)
from predtrack_assets.cli.answers import write_report
from predtrack_assets.cli.backfill import explain, result_table
from predtrack_assets.days import Window
from predtrack_assets.reporting.tables.headline import headline
from predtrack_assets.reporting.tables.stored import row_counts
from predtrack_assets.reporting.tables.summary import summary
from predtrack_assets.reporting.tables.text import wide_console
from predtrack_assets.services.accuracy.scoreboard import scoreboard_as_of
from predtrack_assets.settings import Settings
from predtrack_assets.sources.sample import FIRST_DAY, LAST_DAY
from predtrack_assets.warehouse.database.transaction import READER, Database
from predtrack_assets.warehouse.market import queries as market_queries

PREDICTED_FROM = date(2008, 1, 2)
"""First day of the shorter demo's predictions: five years, and the crisis at their beginning."""


def run_demo(
    settings: Settings, home: Path | None, *, full: bool = False, recompute: bool = False
) -> bool:
    """Run the demo in settings.home and print its summary; whether all of it succeeded.

    full: predictions of every day, instead of those from PREDICTED_FROM on. recompute: also what
    has nothing new.

    Raises ValueError when the home holds data of another source and no home was named.
    """
    CONSOLE.print("Starting PostgreSQL ...")
    applied = prepare(settings)
    if applied:
        CONSOLE.print(f"Schema: applied {', '.join(applied)}")
    warehouse = Database()
    others = [s for s in warehouse.read(market_queries.SOURCES)["source"] if s != "sample"]
    if others and home is None:
        raise ValueError(
            f"{settings.home} holds data of source {', '.join(others)}, which the demo would mix with"
            " its sample. Give the demo a place of its own: predtrack demo --home demo-home"
        )
    before = row_counts(warehouse)
    sample = Window(FIRST_DAY, LAST_DAY)
    predicted = sample if full else Window(PREDICTED_FROM, LAST_DAY)
    CONSOLE.print(
        f"Five US stocks and the S&P 500, three Dagster runs: prices and features of"
        f" {len(sample.days):,} trading days from {sample.start} on; monthly fits; predictions, outcomes"
        f" and scores of {len(predicted.days):,} days from {predicted.start} on."
    )
    from predtrack_assets.definitions import build_definitions

    results = dg.AssetSelection.all() - TUNING - BEFORE_TRAINING
    with dg.DagsterInstance.get() as instance, reruns(settings, recompute=recompute) as known:
        defs = build_definitions(resources={"warehouse": known.warehouse})
        report = run_reference(defs, instance, known)
        if report.success:
            report = run_window(defs, instance, sample, BEFORE_TRAINING, reruns=known)
        if report.success:
            report += run_window(defs, instance, predicted, results, reruns=known)
        if report.success:
            report += run_waiting_checks(defs, instance)
    console = wide_console()
    console.print()
    console.print(result_table(report))
    console.print()
    code = explain(report, console)
    if report.success:
        console.print()
        _say_results(settings, warehouse, console, before, report, full=full)
    return code == 0


def _say_results(
    settings: Settings,
    warehouse: Database,
    console: Console,
    before: dict[str, int],
    report: RunReport,
    *,
    full: bool,
) -> None:
    """Print what is stored and the answer, and write the report; its file is the last line."""
    console.print(summary(warehouse, before))
    console.print()
    with warehouse.transaction(READER) as transaction:
        console.print(*headline(scoreboard_as_of(transaction)), sep="\n")
    console.print()
    console.print(_said_of_reruns(report, changed=row_counts(warehouse) != before))
    if not full:
        console.print("Predictions of all the days there are prices of: predtrack demo --full")
    console.print(
        "See it: .venv/bin/predtrack up   (http://127.0.0.1:8600 and the Dagster UI at :3000)"
    )
    page = write_report(warehouse, settings.home / "report.html")
    console.print(f"The answer, with pictures: {page}", soft_wrap=True)


def _said_of_reruns(report: RunReport, *, changed: bool) -> str:
    """What running the demo again does, or has done."""
    if changed or report.rows_changed:
        return "Run it again: it will find nothing new, and change no row."
    if report.same:
        return (
            "Second run: nothing was new, so no row changed. To compute all of it again, with the"
            " same numbers: predtrack demo --recompute"
        )
    return "Second run: no row changed, the same numbers came out."
