"""Schedules of the chain, UTC. They ship stopped; an allow-list starts them per environment.

Day D is complete at 24:00 UTC, whatever the clocks of its exchange say, so a tick on the calendar
day after D runs D's partition, and with it the days that were missed (catch_up). A tick that finds
nothing to do says why. A month is fitted on the first of the next one: after its last day has been
ingested at 00:30, a day before the first decision that the fit is for.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import dagster as dg

from predtrack_assets.automation.catch_up import TRIES, plan, request
from predtrack_assets.automation.jobs import (
    calibration_job,
    decision_job,
    gates_job,
    market_conditions_job,
    proof_job,
    symbol_accuracy_job,
    trading_job,
    training_job,
    tuning_job,
    validation_job,
)
from predtrack_assets.automation.weekly_report import weekly_report_job
from predtrack_assets.days import Window
from predtrack_assets.partitions import MONTHS, TRADING_DAYS
from predtrack_assets.settings import get_settings

MONTHS_BACK = 3


@dataclass(frozen=True)
class Asked:
    """What a tick is for, what may be caught up with it, and what to say if that is nothing.

    due, recent: sorted partition keys, those of `recent` before those of `due`.
    """

    due: list[str]
    recent: list[str]
    nothing: str = ""


def day_before(tick: datetime) -> Asked:
    """The day before `tick` (aware, UTC)."""
    day = (tick - timedelta(days=1)).date()
    due = _trading_days(day, day)
    nothing = f"{day} is not a trading day on any configured exchange"
    return Asked(due, _trading_days(day - _back(), day - timedelta(days=1)), nothing)


def week_before(tick: datetime) -> Asked:
    """The trading days of the seven days before `tick` (aware, UTC)."""
    first, last = (tick - timedelta(days=7)).date(), (tick - timedelta(days=1)).date()
    earlier = _trading_days(first - _back(), first - timedelta(days=1))
    return Asked(_trading_days(first, last), earlier, f"no trading day from {first} to {last}")


def month_before(tick: datetime) -> Asked:
    """The month before `tick` (aware, UTC)."""
    months = [date(tick.year, tick.month, 1)]
    for _ in range(1 + MONTHS_BACK):
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    keys = [month.strftime(MONTHS.fmt) for month in reversed(months[1:])]
    known = [key for key in keys if MONTHS.has_partition_key(key)]
    nothing = f"{keys[-1]} lies before the first month, {MONTHS.start:{MONTHS.fmt}}"
    return Asked(known[-1:], known[:-1], nothing)


TIMES: dict[str, tuple[Any, str, Callable[[datetime], Asked] | None]] = {
    "decision": (decision_job, "30 0 * * *", day_before),
    "trading": (trading_job, "45 0 * * *", day_before),
    "validation": (validation_job, "0 11 * * *", day_before),
    "calibration": (calibration_job, "0 12 * * *", day_before),
    "symbol_accuracy": (symbol_accuracy_job, "30 12 * * *", day_before),
    "market_conditions": (market_conditions_job, "30 21 * * *", day_before),
    "training": (training_job, "0 3 1 * *", month_before),
    "tuning": (tuning_job, "0 7 * * 0", week_before),
    "gates": (gates_job, "0 8 * * 0", week_before),
    "proof": (proof_job, "0 6 * * 0", None),
    "weekly_report": (weekly_report_job, "0 9 * * 0", None),
}
"""Job, cron expression, and what a tick is for; None: the job finds its own days."""


def build_schedules(allowed: Collection[str]) -> list[dg.ScheduleDefinition]:
    """The schedules, running from the start where `allowed` names them."""
    return [_build(name, f"{name}_schedule" in allowed) for name in TIMES]


def _build(name: str, running: bool) -> dg.ScheduleDefinition:
    job, cron, asked = TIMES[name]
    minute, hour, *_ = cron.split()
    when = {"* * *": "Daily", "* * 0": "Sundays", "1 * *": "On the first of a month"}
    on = when[cron.split(maxsplit=2)[2]]
    about = f", for the {asked.__name__.replace('_', ' ')}" if asked else ""

    @dg.schedule(
        name=f"{name}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        description=f"{job.description} {on} at {hour:0>2}:{minute:0>2} UTC{about}.",
        default_status=dg.DefaultScheduleStatus.RUNNING
        if running
        else dg.DefaultScheduleStatus.STOPPED,
    )
    def run(
        context: dg.ScheduleEvaluationContext,
    ) -> dg.RunRequest | list[dg.RunRequest] | dg.SkipReason:
        tick = context.scheduled_execution_time
        if asked is None:
            return dg.RunRequest(run_key=tick.date().isoformat())
        return _answer(context, job.name, asked(tick), tick.date().isoformat())

    return run


def _answer(
    context: dg.ScheduleEvaluationContext, job: str, asked: Asked, tick: str
) -> list[dg.RunRequest] | dg.SkipReason:
    """Runs for what is due and what was missed, or why there is none."""
    definition = context.repository_def.get_job(job)
    planned = plan(context.instance, definition, asked.recent, asked.due)
    late = [key for keys in planned.runs for key in keys if key not in asked.due]
    if late:
        runs = ", ".join(_listed(keys) for keys in planned.runs)
        context.log.info(f"catching up {len(late)} missed before {tick}, in runs over {runs}")
    if planned.waiting:
        context.log.info(f"left to later ticks: {', '.join(planned.waiting)}")
    if planned.given_up:
        blocks = _blocks(planned.given_up, [*asked.recent, *asked.due])
        context.log.error(
            f"{', '.join(map(_listed, blocks))} failed {TRIES} times, each by itself, and will"
            " not be asked for again: fix the cause, then "
            + "; ".join(_by_hand(job, keys) for keys in blocks)
        )
    if planned.runs:
        return [request(tick, keys, asked.due) for keys in planned.runs]
    if planned.given_up:
        return dg.SkipReason(f"{asked.nothing}, and what was missed before it has failed too often")
    return dg.SkipReason(f"{asked.nothing}, and nothing was missed before it")


def _blocks(keys: list[str], known: list[str]) -> list[list[str]]:
    """The sorted keys, split where others of `known` lie between."""
    places = groupby(enumerate(keys), lambda at: known.index(at[1]) - at[0])
    return [[key for _, key in block] for _, block in places]


def _by_hand(job: str, keys: list[str]) -> str:
    """The command that makes partitions of a job, from the first to the last of `keys`."""
    days = [_first_day_after(key) for key in keys] if job == training_job.name else keys
    table = {training_job.name: "pooled_models", tuning_job.name: "optimization_results"}.get(job)
    only = f" --select {table}" if table else ""
    return f"predtrack backfill --from {days[0]} --to {days[-1]}{only}"


def _first_day_after(month: str) -> str:
    """The first trading day on which a month's fit is in force: a backfill of it makes that fit."""
    following = date.fromisoformat(f"{month}-01") + timedelta(days=31)
    return _trading_days(following.replace(day=1), following + timedelta(days=14))[0]


def _back() -> timedelta:
    return timedelta(days=get_settings().catch_up_days)


def _trading_days(first: date, last: date) -> list[str]:
    """Keys of the trading day partitions from first to last, none if last < first."""
    if last < first:
        return []
    days = (day.item().isoformat() for day in Window(first, last).days)
    return [day for day in days if TRADING_DAYS.has_partition_key(day)]


def _listed(keys: list[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{keys[0]} to {keys[-1]} ({len(keys)})"
