"""`predtrack backfill`: a range of days in up to three runs, and the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from predtrack_assets.automation.progress import CONSOLE
from predtrack_assets.automation.reruns import reruns
from predtrack_assets.automation.runs import (
    RunReport,
    prepare,
    run_reference,
    run_window,
    selection_of,
    trading_window,
)
from predtrack_assets.cli.backfill_inputs import (
    asks_for_prices,
    first_day_of_inputs,
    with_source_of_home,
)
from predtrack_assets.clock import utc_now
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.faults import printable
from predtrack_assets.reporting.tables.text import counted, wide_console
from predtrack_assets.services.market.price_file import file_source, require_rows
from predtrack_assets.settings import Settings
from predtrack_assets.sources.base import SourceError
from predtrack_assets.stores.artifacts import ArtifactError

DONE, FAILED, PARTIAL = 0, 1, 3  # 2 is a wrong command line
STORED = ("inserted", "updated", "unchanged")


def run_backfill(
    settings: Settings,
    first: date,
    last: date,
    names: Sequence[str] | None,
    *,
    warm_up: bool = True,
    recompute: bool = False,
) -> int:
    """Compute the assets `names` (None: all) for [first, last], print the result, return the exit code.

    warm_up: prices and features before `first` too, where the fits of these days lack them.
    recompute: also what has nothing new.
    """
    asked = trading_window(first, last, utc_now().date())
    if settings.default_exchange:
        calendar(settings.default_exchange)  # an unknown one is named now, not after a minute
    file = file_source(settings) if settings.source == "file" and asks_for_prices(names) else None
    if file is not None:
        CONSOLE.print(require_rows(file, first, last), markup=False, emoji=False)
    applied = prepare(settings)
    if applied:
        CONSOLE.print(f"Schema: applied {', '.join(applied)}")
    if asks_for_prices(names):
        settings = with_source_of_home(settings)
    from predtrack_assets.definitions import build_definitions

    selection = selection_of(names, build_definitions()) if names else None
    CONSOLE.print(
        f"{counted(len(asked.days), 'trading day')}, {asked.start} to {asked.end}, from {settings.source}"
    )
    inputs_from = None
    if warm_up:
        graph = build_definitions().resolve_asset_graph()
        chosen = (selection or dg.AssetSelection.all()).resolve(graph)
        begins = file.extent(first, last)[2] if file is not None else None
        inputs_from = first_day_of_inputs(settings, asked, chosen, begins)
    with dg.DagsterInstance.get() as instance, reruns(settings, recompute=recompute) as known:
        defs = build_definitions(resources={"warehouse": known.warehouse})
        report = run_reference(defs, instance, known)
        if report.success:
            report = run_window(defs, instance, asked, selection, inputs_from, known)
    if report.materialized:
        wide_console().print(result_table(report))
    return explain(report, wide_console())


def result_table(report: RunReport) -> Table:
    """Rows stored, revised, removed and left per asset, with the time its step took."""
    table = Table(box=None, pad_edge=False)
    table.add_column("asset")
    for column in ("stored", "revised", "removed", "unchanged", "seconds"):
        table.add_column(column, justify="right")
    for name, metadata in report.materialized.items():
        step = name.replace("/", "__")
        seconds = report.seconds.get(step, report.seconds.get("prices"))
        counts = (
            metadata.get(f"rows_{what}", 0)
            for what in ("inserted", "updated", "deleted", "unchanged")
        )
        shared = name == "market/corporate_actions"
        took = "" if shared or not seconds else f"{seconds:.1f}"
        table.add_row(name, *(f"{n:,}" for n in counts), "same" if name in report.same else took)
    return table


def _sentences(value: object) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list | tuple) else []


def _has_prices(prices: Mapping[str, object]) -> bool:
    """Whether any bar of the window is stored now, be it from an earlier run."""
    kept = [*(f"rows_{what}" for what in STORED), "symbols_already_covered"]
    return any(prices.get(name) for name in kept)


def explain(report: RunReport, console: Console) -> int:
    """Say what was refused, what was not fetched and what failed; the exit code."""
    prices = report.materialized.get("market/market_data", {})
    for what, message in (
        ("quarantined", "Quarantined"),
        ("flagged", "Kept, flagged suspect"),
        ("failures", "Symbols not fetched"),
    ):
        counts = prices.get(what)
        if isinstance(counts, Mapping) and counts:
            parts = ", ".join(f"{n:,} {reason}" for reason, n in counts.items())
            console.print(f"{message}: {parts}")
        elif what == "quarantined" and prices:
            console.print("Quarantined: nothing")
    troubled = prices.get("most_troubled")
    if isinstance(troubled, Mapping) and troubled:
        console.print(
            escape(
                "Most troubled: "
                + ", ".join(f"{s} ({counted(n, 'bar')})" for s, n in troubled.items())
            )
        )
    for advice in _sentences(prices.get("advice")):
        console.print(f"[yellow]Note[/]: {escape(advice)}", soft_wrap=True)
    fits = report.materialized.get("models/pooled_models", {})
    skipped, retired = (int(str(fits.get(n, 0))) for n in ("fits_skipped", "fits_retired"))
    if retired:
        console.print(f"No fit in {counted(retired, 'month')}: the version is retired.")
    if skipped := skipped - retired:
        console.print(
            f"No fit in {counted(skipped, 'month')}: fewer sessions with features than"
            " PREDTRACK_MIN_TRAINING_SESSIONS; pooled models predict nothing before the first fit."
        )
    for check in report.failed_checks:
        console.print(f"[yellow]Check did not pass[/]: {check}")
    for step, error in report.failed.items():
        sentence = error
        for known in (SourceError, ArtifactError):
            sentence = sentence.removeprefix(f"{known.__module__}.{known.__name__}: ")
        console.print(f"[red]{step} failed[/]: {escape(printable(sentence))}", soft_wrap=True)
    if not report.success:
        console.print(_what_stays(report))
        return FAILED
    failures = prices.get("failures")
    missed = (
        {k: v for k, v in failures.items() if k != "EMPTY"} if isinstance(failures, Mapping) else {}
    )
    if missed:
        console.print(
            "Some symbols are missing; market.fetch_log says why. Run the same command again."
        )
        return PARTIAL
    if prices and not _has_prices(prices):
        console.print("No price of these days is stored: the source gave no bar that can be kept.")
        return FAILED
    if report.rows_changed == 0:
        console.print("No row changed: everything asked for was already there.")
    return DONE


def _what_stays(report: RunReport) -> str:
    """What a run that failed has left, and what to do."""
    if report.failed_checks and all(step.startswith("check_") for step in report.failed):
        return (
            "A check failed: what was stored stays, and nothing that follows from it was computed."
            " See what it names, then run the same command again."
        )
    return "Nothing of a failed step was stored. Fix the cause and rerun the command."
