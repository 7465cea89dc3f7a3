"""The retraining sensor: symbols that the latest report calls for become runs, a few at a time.

What was asked before is known from rows: Dagster's runs by their run_key, fits by the registry.
Nothing is kept in a cursor, so a sensor that was off for a month, or restarted, asks the same.
"""

from collections.abc import Collection

import dagster as dg
import polars as pl

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.automation.catch_up import RANGE_END, RANGE_START, UNFINISHED
from predtrack_assets.automation.jobs import symbol_training_job
from predtrack_assets.days import Window
from predtrack_assets.domain.models.fitted_model import SYMBOL
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.partitions import SYMBOLS
from predtrack_assets.reporting.tables.text import counted
from predtrack_assets.services.models.retraining_choice import WANTED, Limits, choose
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.models.retraining import FLAGGED

RETRAINING = "retraining_sensor"
ASSET = dg.AssetKey(["models", "symbol_models"])
RUN_KEY, PARTITION = "dagster/run_key", "dagster/partition"
RANGE = (RANGE_START, RANGE_END)
NAMED = 5  # symbols that a sentence names


def _sessions_of(candidates: pl.DataFrame) -> Days:
    """The trading days that candidates' dates lie in."""
    earliest = pl.min_horizontal("report_day", "fitted_through").min()
    first, last = candidates.select(earliest.alias("first"), pl.col("report_day").max()).row(0)
    return Window(first, last).days


def sentence(chosen: pl.DataFrame) -> str:
    """How many symbols were flagged, and which are not asked for now, and why."""
    count = int((chosen["why"] == WANTED).sum())
    parts = [f"{counted(len(chosen), 'symbol')} flagged, {count} asked for now"]
    left = chosen.filter(pl.col("why") != WANTED)
    for (why,), rows in left.group_by("why", maintain_order=True):
        names = rows["symbol"].head(NAMED).to_list()
        more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
        parts.append(f"{', '.join(names)}{more}: {why}")
    return "; ".join(parts)


def request(row: dict[str, object]) -> dg.RunRequest:
    """The run of one chosen candidate: fits through the day of its report, with the reason."""
    cell = f"{row['model_id']}, {row['kind']} {row['event']} h{row['horizon']}"
    config = {"through": str(row["report_day"]), "reason": f"{cell}: {row['reason']}"}
    return dg.RunRequest(
        run_key=str(row["run_key"]),
        partition_key=str(row["symbol"]),
        run_config={"ops": {ASSET.to_python_identifier(): {"config": config}}},
    )


def in_flight(instance: dg.DagsterInstance) -> set[str]:
    """Symbols of unfinished runs that fit them, whoever started these."""
    found: set[str] = set()
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED)):
        if run.job_name != symbol_training_job.name and ASSET not in (run.asset_selection or ()):
            continue
        if PARTITION in run.tags:
            found.add(run.tags[PARTITION])
        elif RANGE[0] in run.tags:
            known = list(instance.get_dynamic_partitions(str(SYMBOLS.name)))
            ends = [run.tags[tag] for tag in RANGE if run.tags.get(tag) in known]
            found.update(known[known.index(ends[0]) : known.index(ends[-1]) + 1] if ends else [])
    return found


def asked_before(instance: dg.DagsterInstance, run_keys: list[str]) -> set[str]:
    """Those of the keys that a run of this sensor carries, whatever became of it."""
    if not run_keys:
        return set()
    tags = {"dagster/sensor_name": RETRAINING, RUN_KEY: run_keys}
    return {run.tags[RUN_KEY] for run in instance.get_runs(filters=dg.RunsFilter(tags=tags))}


def build_retraining_sensor(allowed: Collection[str]) -> dg.SensorDefinition:
    """The sensor, running from the start where `allowed` names it."""

    @dg.sensor(
        name=RETRAINING,
        job=symbol_training_job,
        minimum_interval_seconds=3600,
        description="Refits symbols that the latest report flags, the worst first, a few at a time.",
        default_status=dg.DefaultSensorStatus.RUNNING
        if RETRAINING in allowed
        else dg.DefaultSensorStatus.STOPPED,
    )
    def run(
        context: dg.SensorEvaluationContext, warehouse: Warehouse
    ) -> dg.SensorResult | dg.SkipReason:
        settings = get_settings()
        candidates = warehouse.read(FLAGGED, fitted_as=SYMBOL.model_id)
        if candidates.is_empty():
            return dg.SkipReason("the latest report flags no symbol")
        limits = Limits(settings.retraining_cap, settings.retraining_cool_down)
        asked = asked_before(context.instance, candidates["run_key"].to_list())
        running = in_flight(context.instance)
        chosen = choose(candidates, _sessions_of(candidates), asked, running, limits)
        message = sentence(chosen)
        wanted = chosen.filter(pl.col("why") == WANTED)
        if wanted.is_empty():
            return dg.SkipReason(message)
        context.log.info(message)
        there = set(context.instance.get_dynamic_partitions(str(SYMBOLS.name)))
        new = [symbol for symbol in wanted["symbol"] if symbol not in there]
        return dg.SensorResult(
            run_requests=[request(row) for row in wanted.iter_rows(named=True)],
            dynamic_partitions_requests=[SYMBOLS.build_add_request(new)] if new else [],
        )

    return run
