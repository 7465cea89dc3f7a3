"""Schedules of the chain, UTC. They ship stopped; an allow-list starts them per environment.

Day D is complete at 24:00 UTC, so the tick on the calendar day after D runs D's partition. A tick
after a day without a session has nothing to do and says so. A month is fitted on the first of the
next one: after its last day has been ingested at 00:30, a day before the first decision that the
fit is for.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

import dagster as dg

from predtrack_assets.automation.jobs import (
    calibration_job,
    decision_job,
    gates_job,
    proof_job,
    symbol_accuracy_job,
    training_job,
    validation_job,
)
from predtrack_assets.partitions import MONTHS, TRADING_DAYS, Window

TIMES = {
    "decision": (decision_job, "30 0 * * *"),
    "validation": (validation_job, "0 11 * * *"),
    "calibration": (calibration_job, "0 12 * * *"),
    "symbol_accuracy": (symbol_accuracy_job, "30 12 * * *"),
    "training": (training_job, "0 3 1 * *"),
    "gates": (gates_job, "0 8 * * 0"),
}


def request_for(tick: datetime) -> dg.RunRequest | dg.SkipReason:
    """The run for the day before `tick` (aware, UTC), or why there is none."""
    day = (tick - timedelta(days=1)).date().isoformat()
    if not TRADING_DAYS.has_partition_key(day):
        return dg.SkipReason(f"{day} is not a trading day on any configured exchange")
    return dg.RunRequest(run_key=day, partition_key=day)


def request_for_month(tick: datetime) -> dg.RunRequest | dg.SkipReason:
    """The run for the month before `tick` (aware, UTC), or why there is none."""
    month = (tick.replace(day=1) - timedelta(days=1)).strftime(MONTHS.fmt)
    if not MONTHS.has_partition_key(month):
        return dg.SkipReason(f"{month} lies before the first month, {MONTHS.start:{MONTHS.fmt}}")
    return dg.RunRequest(run_key=month, partition_key=month)


def request_for_week(tick: datetime) -> dg.RunRequest | dg.SkipReason:
    """One run for the trading days of the seven days before `tick` (aware, UTC)."""
    week = Window((tick - timedelta(days=7)).date(), (tick - timedelta(days=1)).date())
    if not len(week.days):
        return dg.SkipReason(f"no trading day from {week.start} to {week.end}")
    first, last = (day.item().isoformat() for day in week.days[[0, -1]])
    tags = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
    return dg.RunRequest(run_key=last, tags=tags)


REQUESTS = {"training": (request_for_month, "month"), "gates": (request_for_week, "week")}


def build_schedules(allowed: Collection[str]) -> list[dg.ScheduleDefinition]:
    """The schedules, running from the start where `allowed` names them."""
    names = {f"{name}_schedule": name for name in TIMES}
    daily = [_build(schedule, name, schedule in allowed) for schedule, name in names.items()]
    return [*daily, _build_proof("proof_schedule" in allowed)]


def _build_proof(running: bool) -> dg.ScheduleDefinition:
    """Sunday morning: the proofs choose their days themselves, from what is stored."""

    @dg.schedule(
        name="proof_schedule",
        job=proof_job,
        cron_schedule="0 6 * * 0",
        execution_timezone="UTC",
        description=f"{proof_job.description} Sundays at 06:00 UTC.",
        default_status=dg.DefaultScheduleStatus.RUNNING
        if running
        else dg.DefaultScheduleStatus.STOPPED,
    )
    def run(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=context.scheduled_execution_time.date().isoformat())

    return run


def _build(schedule: str, name: str, running: bool) -> dg.ScheduleDefinition:
    job, cron = TIMES[name]
    request, unit = REQUESTS.get(name, (request_for, "day"))

    @dg.schedule(
        name=schedule,
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        description=f"{job.description} At {cron.split()[1]}:{cron.split()[0]:0>2} UTC,"
        f" for the {unit} before.",
        default_status=dg.DefaultScheduleStatus.RUNNING
        if running
        else dg.DefaultScheduleStatus.STOPPED,
    )
    def run(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request(context.scheduled_execution_time)

    return run
