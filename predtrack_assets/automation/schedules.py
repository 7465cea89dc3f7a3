"""Schedules of the daily chain, UTC. They ship stopped; an allow-list starts them per environment.

Day D is complete at 24:00 UTC, so the tick on the calendar day after D runs D's partition. A tick
after a day without a session has nothing to do and says so.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

import dagster as dg

from predtrack_assets.automation.jobs import (
    calibration_job,
    decision_job,
    symbol_accuracy_job,
    validation_job,
)
from predtrack_assets.partitions import TRADING_DAYS

TIMES = {
    "decision": (decision_job, "30 0 * * *"),
    "validation": (validation_job, "0 11 * * *"),
    "calibration": (calibration_job, "0 12 * * *"),
    "symbol_accuracy": (symbol_accuracy_job, "30 12 * * *"),
}


def request_for(tick: datetime) -> dg.RunRequest | dg.SkipReason:
    """The run for the day before `tick` (aware, UTC), or why there is none."""
    day = (tick - timedelta(days=1)).date().isoformat()
    if not TRADING_DAYS.has_partition_key(day):
        return dg.SkipReason(f"{day} is not a trading day on any configured exchange")
    return dg.RunRequest(run_key=day, partition_key=day)


def build_schedules(allowed: Collection[str]) -> list[dg.ScheduleDefinition]:
    """The schedules, running from the start where `allowed` names them."""
    names = {f"{name}_schedule": name for name in TIMES}
    return [_build(schedule, name, schedule in allowed) for schedule, name in names.items()]


def _build(schedule: str, name: str, running: bool) -> dg.ScheduleDefinition:
    job, cron = TIMES[name]

    @dg.schedule(
        name=schedule,
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        description=f"{job.description} At {cron.split()[1]}:{cron.split()[0]:0>2} UTC, for the day before.",
        default_status=dg.DefaultScheduleStatus.RUNNING
        if running
        else dg.DefaultScheduleStatus.STOPPED,
    )
    def run(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_for(context.scheduled_execution_time)

    return run
