"""Run assets over a range of days in this process, on the Dagster instance that the UI shows."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import dagster as dg
from dagster._core.events import RunFailureReason

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.automation.catch_up import RANGE_END, RANGE_START
from predtrack_assets.automation.dagster_storage import EVENT_VARIABLES
from predtrack_assets.automation.jobs import (
    BEFORE_TRAINING,
    PROOFS,
    REFERENCE,
    SYMBOL_TRAINING,
    TRAINING,
    TUNING,
)
from predtrack_assets.automation.progress import say_unchanged
from predtrack_assets.automation.reruns import Plan, Reruns
from predtrack_assets.days import Window, no_trading_day
from predtrack_assets.faults import did_you_mean
from predtrack_assets.partitions import MONTHS, TRADING_DAYS
from predtrack_assets.settings import PROJECT_ROOT, Settings
from predtrack_assets.warehouse.database.embedded_server import (
    dagster_url,
    database_url,
    ensure_database,
)
from predtrack_assets.warehouse.database.migrate import migrate
from predtrack_assets.warehouse.database.profiles import last_day
from predtrack_assets.warehouse.database.urls import normalise
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets.warehouse.tables import MARKET_DATA


def prepare(settings: Settings) -> list[str]:
    """Start what must run, bring the schema up to date, point Dagster's environment at it.

    Returns the migrations applied. Raises ServerError, MigrationError.
    """
    url = database_url(settings)
    applied = migrate(url, settings.sql_dir)
    storage = dagster_url(settings)
    ensure_database(storage)
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", home / "dagster.yaml")
    os.environ.update(
        EVENT_VARIABLES,
        DAGSTER_HOME=str(home),
        PREDTRACK_HOME=str(settings.home),
        PREDTRACK_DATABASE_URL=normalise(url),
        PREDTRACK_DAGSTER_URL=storage,
    )
    return applied


def stored_source() -> str | None:
    """The source of what is stored, if it is one that needs nothing more to be named."""
    stored = Warehouse().read(market_queries.SOURCES)["source"].to_list()
    return stored[0] if stored in (["sample"], ["simulated"]) else None


def stored_end(settings: Settings) -> str | None:
    """Where partitions end for what was read from files, YYYY-MM-DD; None while schedules add days."""
    if settings.schedules or settings.last_day:
        return None
    warehouse = Warehouse()
    if warehouse.read(market_queries.SOURCES)["source"].to_list() != ["file"]:
        return None
    last = warehouse.read(last_day(MARKET_DATA)).item()
    return None if last is None else last.isoformat()


def last_complete_day(now: date) -> date:
    """The last trading day that has ended by `now` (a UTC date)."""
    days = Window(date.min, now - timedelta(days=1)).days
    return days[-1].item()


def trading_window(first: date, last: date, today: date) -> Window:
    """The trading days within [first, last]. Raises ValueError that says what to ask for instead."""
    start = TRADING_DAYS.start.date()
    newest = last_complete_day(today)
    if last < first:
        raise ValueError(f"--from {first} lies after --to {last}")
    if first < start:
        raise ValueError(
            f"{first} lies before the first trading day {start}; see PREDTRACK_FIRST_DAY"
        )
    if TRADING_DAYS.end and last >= (end := TRADING_DAYS.end.date()):
        raise ValueError(
            f"{last} lies after the last trading day, {end - timedelta(days=1)}, of the sample or of"
            " PREDTRACK_LAST_DAY"
        )
    if last > newest:
        raise ValueError(f"{last} is not complete yet; the last complete trading day is {newest}")
    days = Window(first, last).days
    if not len(days):
        raise ValueError(no_trading_day(first, last))
    return Window(days[0].item(), days[-1].item())


def selection_of(names: Sequence[str], defs: dg.Definitions) -> dg.AssetSelection:
    """Assets by table (`predictions`), key (`forecasts/predictions`, or with a dot) or group.

    Raises ValueError that names the nearest.
    """
    keys = defs.resolve_all_asset_keys()
    spellings = {key: {key.path[-1], "/".join(key.path), key.path[0]} for key in keys}
    chosen: list[dg.AssetKey] = []
    for name in names:
        asked = name.replace(".", "/")
        found = [key for key, spelled in spellings.items() if asked in spelled]
        if not found:
            near = did_you_mean(asked, set[str]().union(*spellings.values()))
            raise ValueError(f"there is no asset {name!r}{near}")
        chosen += found
    return dg.AssetSelection.assets(*chosen).required_multi_asset_neighbors()


@dataclass
class RunReport:
    """What a run did, or several. materialized: metadata per asset key; seconds: time per step;
    failed: steps that failed with their error; failed_checks: names of checks that did not pass;
    same: assets left out, for nothing of what they are computed from is new since then."""

    run_id: str
    success: bool
    materialized: dict[str, dict[str, object]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    failed_checks: list[str] = field(default_factory=list)
    same: dict[str, datetime] = field(default_factory=dict)

    def __add__(self, other: RunReport) -> RunReport:
        """This run and a later one."""
        return RunReport(
            other.run_id,
            self.success and other.success,
            self.materialized | other.materialized,
            self.seconds | other.seconds,
            self.failed | other.failed,
            self.failed_checks + other.failed_checks,
            self.same | other.same,
        )

    @property
    def rows_changed(self) -> int:
        """Rows inserted, updated or deleted by all assets."""
        return sum(
            int(str(metadata.get(f"rows_{what}", 0)))
            for metadata in self.materialized.values()
            for what in ("inserted", "updated", "deleted")
        )


def run_reference(
    defs: dg.Definitions, instance: dg.DagsterInstance, reruns: Reruns | None = None
) -> RunReport:
    """Materialize what has no partitions: universes and registered models."""
    return _run(defs, instance, "backfill_reference", REFERENCE, None, reruns)


def run_window(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    asked: Window,
    selection: dg.AssetSelection | None = None,
    inputs_from: date | None = None,
    reruns: Reruns | None = None,
) -> RunReport:
    """Materialize a window; all assets with days or months unless a selection is given.

    inputs_from: first day of what models are fitted to, where that begins before the window.

    A Dagster run has one kind of partitions, so there are up to three, each over its whole range:
    what models are fitted to, the fits, and predictions with their scores. The first failure ends it.
    With `reruns`, steps that have nothing new are left out, and runs of nothing else.
    Raises ValueError when the selection has neither days nor months.
    """
    chosen = dg.AssetSelection.all() - TUNING if selection is None else selection
    chosen = chosen - REFERENCE - SYMBOL_TRAINING - PROOFS
    days = (asked.start.isoformat(), asked.end.isoformat())
    stages = [
        ("inputs", chosen & BEFORE_TRAINING, ((inputs_from or asked.start).isoformat(), days[1])),
        ("fits", chosen & TRAINING, months_before(asked)),
        ("results", chosen - BEFORE_TRAINING - TRAINING, days),
    ]
    graph = defs.resolve_asset_graph()
    if not chosen.resolve(graph):
        raise ValueError(
            "nothing of that has days or months; symbols' own models are fitted in the UI"
        )
    report = RunReport("", success=True)
    for stage, assets, span in stages:
        if span is not None and assets.resolve(graph) and report.success:
            report += _run(defs, instance, f"backfill_{stage}", assets, span, reruns)
    return report


def run_waiting_checks(defs: dg.Definitions, instance: dg.DagsterInstance) -> RunReport:
    """Run the checks that no run has evaluated yet; proofs take their sample.

    They are those of assets that a backfill does not make, and the proofs. A table of the reference
    is materialized beside them, for that is when proofs take a sample.
    """
    known = [key for asset in defs.asset_checks or [] for key in asset.check_keys]
    seen = instance.event_log_storage.get_latest_asset_check_execution_by_key(known)
    waiting = [key for key in known if key not in seen]
    if not waiting:
        return RunReport("", success=True)
    selection = (
        dg.AssetSelection.checks(*waiting)
        | dg.AssetSelection.assets(["market", "universe_members"]).without_checks()
    )
    return _execute(defs, instance, "waiting_checks", selection, {})[0]


def months_before(asked: Window) -> tuple[str, str] | None:
    """First and last partition of the months whose fits the days of a window may use."""
    first, last = (day.replace(day=1) - timedelta(days=1) for day in (asked.start, asked.end))
    first = max(first, MONTHS.start.date())
    return (first.strftime(MONTHS.fmt), last.strftime(MONTHS.fmt)) if first <= last else None


def _run(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    name: str,
    assets: dg.AssetSelection,
    span: tuple[str, str] | None,
    reruns: Reruns | None,
) -> RunReport:
    """One run of the partitions from span[0] to span[1]; None: of what has no partitions."""
    tags = {RANGE_START: span[0], RANGE_END: span[1]} if span else {}
    if reruns is None:
        return _execute(defs, instance, name, assets, tags)[0]
    plan = reruns.plan(defs.resolve_asset_graph(), assets, span or ("", ""))
    report = _left_out(plan)
    if plan.selection is not None:
        done, failed_checks = _execute(defs, instance, name, plan.selection, tags)
        reruns.record(plan, done.seconds, done.materialized, failed_checks)
        report += done
    if plan.rest is not None and report.success:
        report += _run(defs, instance, name, plan.rest, span, reruns)
    return report


def _left_out(plan: Plan) -> RunReport:
    """Says which steps have nothing new, and what they did last time."""
    report = RunReport("", success=True)
    for step in plan.steps:
        if completed := plan.same.get(step.name):
            report.materialized |= completed.results
            report.failed_checks += completed.failed_checks
            report.same |= dict.fromkeys(completed.results, completed.at)
            if step.assets:
                say_unchanged(step.name, completed.at)
    return report


def _execute(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    name: str,
    assets: dg.AssetSelection,
    tags: dict[str, str],
) -> tuple[RunReport, dict[str, list[str]]]:
    """The report of one run, and by step the checks that did not pass."""
    about = "A stage of `predtrack backfill`: inputs, then the fits they allow, then results."
    job = dg.define_asset_job(name, assets, description=about)
    merged = dg.Definitions.merge(defs, dg.Definitions(jobs=[job]))
    result = merged.resolve_job_def(name).execute_in_process(
        instance=instance,
        tags=tags,
        raise_on_error=False,
        run_config={"loggers": {"progress": {}}},
    )
    failed_checks = defaultdict[str, list[str]](list)
    report = RunReport(result.run_id, result.success)
    for event in result.all_events:
        step = event.step_key or ""
        if event.event_type == dg.DagsterEventType.RUN_FAILURE:
            failure = event.job_failure_data
            if failure.failure_reason == RunFailureReason.UNEXPECTED_TERMINATION:
                raise KeyboardInterrupt  # Dagster has caught it, or SIGTERM, which it takes for one
            if failure.error is not None:  # of no step
                report.failed["run"] = failure.error.message.strip()
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            materialization = event.step_materialization_data.materialization
            report.materialized["/".join(materialization.asset_key.path)] = {
                name: value.value for name, value in materialization.metadata.items()
            }
        elif event.is_step_success:
            report.seconds[step] = event.step_success_data.duration_ms / 1000
        elif event.is_step_failure:
            error = event.step_failure_data.error
            cause = error.cause if error and error.cause else error
            report.failed[step] = cause.message.strip() if cause else "failed"
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                said = f"{'/'.join(check.asset_key.path)}: {check.check_name}"
                failed_checks[step].append(said)
                report.failed_checks.append(said)
    return report, failed_checks
