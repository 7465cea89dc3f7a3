"""Catching up: what was missed is asked for again, in order, without a storm and not for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from predtrack_assets.automation.catch_up import CAUGHT_UP, MAX_RUNS, RANGE_END, RANGE_START
from predtrack_assets.automation.schedules import build_schedules
from predtrack_assets.days import Window
from predtrack_assets.definitions import build_definitions

REPOSITORY = build_definitions().get_repository_def()
SCHEDULES = {schedule.name: schedule for schedule in build_schedules(())}
OUTCOMES = dg.AssetKey(["forecasts", "outcomes"])


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """In memory; contexts would only take one that another process could open."""
    with dg.DagsterInstance.ephemeral() as made:
        monkeypatch.setattr(dg.ScheduleEvaluationContext, "instance", made)
        yield made


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)


def made(instance: dg.DagsterInstance, *partitions: str, key: dg.AssetKey = OUTCOMES) -> None:
    """The partitions have been materialized."""
    for partition in partitions:
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))


def run(
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus,
    first: str,
    last: str,
    *,
    job: str = "resolve_outcomes",
    caught_up: bool = True,
) -> None:
    """A run of a job with this status."""
    tags = {RANGE_START: first, RANGE_END: last} | ({CAUGHT_UP: "true"} if caught_up else {})
    instance.add_run(dg.DagsterRun(job_name=job, status=status, tags=tags))


def requests(
    moment: datetime, schedule: str = "validation_schedule"
) -> list[dg.RunRequest] | str | None:
    """What a tick asks for, or why there is nothing."""
    context = dg.build_schedule_context(
        scheduled_execution_time=moment,
        repository_def=REPOSITORY,
    )
    data = SCHEDULES[schedule].evaluate_tick(context)
    return data.skip_message or list(data.run_requests or [])


def span(request: dg.RunRequest) -> tuple[str, str]:
    """First and last partition of a request."""
    only = request.partition_key
    return (only, only) if only else (request.tags[RANGE_START], request.tags[RANGE_END])


def ticks(moment: datetime, schedule: str = "validation_schedule") -> list[tuple[str, str]]:
    """First and last partition of every run that a tick asks for; none if it is skipped."""
    asked = requests(moment, schedule)
    return [span(request) for request in asked] if isinstance(asked, list) else []


def tick(moment: datetime, schedule: str = "validation_schedule") -> tuple[str, str] | str:
    """First and last partition of the only run that a tick asks for, or why there is none."""
    asked = requests(moment, schedule)
    if not isinstance(asked, list):
        return str(asked)
    (request,) = asked
    return span(request)


def live_through(
    instance: dg.DagsterInstance, first: datetime, days: int, bad: frozenset[str]
) -> list[list[tuple[str, str]]]:
    """A tick a day from `first` on, whose runs fail where they meet a bad day: what each asked."""
    history = []
    for moment in (first + timedelta(days=day) for day in range(days)):
        asked = requests(moment)
        asked = asked if isinstance(asked, list) else []
        keys = [request.run_key for request in asked]
        assert len(set(keys)) == len(keys)
        history.append([span(request) for request in asked])
        for request in asked:
            start, end = span(request)
            covered = trading_days(start, end)
            fails = not bad.isdisjoint(covered)
            status = dg.DagsterRunStatus.FAILURE if fails else dg.DagsterRunStatus.SUCCESS
            run(instance, status, start, end, caught_up=CAUGHT_UP in request.tags)
            if not fails:
                made(instance, *covered)
    return history


def trading_days(first: str, last: str) -> list[str]:
    days = Window(date.fromisoformat(first), date.fromisoformat(last)).days
    return [day.item().isoformat() for day in days]


def missing(instance: dg.DagsterInstance, first: str, last: str) -> list[str]:
    there = instance.get_materialized_partitions(OUTCOMES)
    return [day for day in trading_days(first, last) if day not in there]


def test_a_fresh_installation_has_missed_nothing(instance: dg.DagsterInstance) -> None:
    assert tick(utc(2024, 3, 8, 11)) == ("2024-03-07", "2024-03-07")


def test_days_of_a_stopped_daemon_come_in_one_run_before_the_new_day(
    instance: dg.DagsterInstance,
) -> None:
    made(instance, "2024-02-28", "2024-02-29", "2024-03-01")
    assert tick(utc(2024, 3, 8, 11)) == ("2024-03-04", "2024-03-07")


def test_a_gap_between_days_that_were_made_is_filled(instance: dg.DagsterInstance) -> None:
    made(instance, "2024-03-04", "2024-03-06")
    assert tick(utc(2024, 3, 8, 11)) == ("2024-03-05", "2024-03-07")


def test_what_failed_on_friday_is_asked_for_on_saturday_and_sunday(
    instance: dg.DagsterInstance,
) -> None:
    made(instance, "2024-03-06", "2024-03-07")
    assert tick(utc(2024, 3, 9, 11)) == ("2024-03-08", "2024-03-08")
    assert tick(utc(2024, 3, 10, 11)) == ("2024-03-08", "2024-03-08")
    made(instance, "2024-03-08")
    assert "nothing was missed" in tick(utc(2024, 3, 10, 11))


def test_a_day_that_a_run_is_at_work_on_is_not_asked_for_twice(
    instance: dg.DagsterInstance,
) -> None:
    made(instance, "2024-03-01")
    run(instance, dg.DagsterRunStatus.STARTED, "2024-03-04", "2024-03-06")
    assert tick(utc(2024, 3, 8, 11)) == ("2024-03-07", "2024-03-07")


def test_what_failed_together_is_asked_for_in_halves_and_apart_from_the_new_day(
    instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    made(instance, "2024-03-01")
    run(instance, dg.DagsterRunStatus.FAILURE, "2024-03-04", "2024-03-05")
    halves = [("2024-03-04", "2024-03-04"), ("2024-03-05", "2024-03-05")]
    assert ticks(utc(2024, 3, 7, 11)) == [*halves, ("2024-03-06", "2024-03-06")]
    made(instance, "2024-03-05", "2024-03-06")
    for _ in range(2):
        run(instance, dg.DagsterRunStatus.FAILURE, "2024-03-04", "2024-03-04")
    assert tick(utc(2024, 3, 8, 11)) == ("2024-03-07", "2024-03-07")
    assert "predtrack backfill --from 2024-03-04 --to 2024-03-04" in capfd.readouterr().err


def test_a_new_day_that_failed_is_asked_for_by_itself_beside_the_next(
    instance: dg.DagsterInstance,
) -> None:
    made(instance, "2024-03-04")
    run(instance, dg.DagsterRunStatus.FAILURE, "2024-03-05", "2024-03-05", caught_up=False)
    assert ticks(utc(2024, 3, 7, 11)) == [
        ("2024-03-05", "2024-03-05"),
        ("2024-03-06", "2024-03-06"),
    ]


@pytest.mark.parametrize("bad", ["2024-03-07", "2024-03-11"])
def test_of_ten_missed_days_the_bad_one_is_given_up_and_the_others_are_caught_up(
    bad: str, instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    """The ten days of which New York's clocks changed, seen first from the 21st."""
    made(instance, "2024-03-06")
    history = live_through(instance, utc(2024, 3, 21, 11), 9, frozenset({bad}))
    assert len(trading_days("2024-03-07", "2024-03-20")) == 10
    assert missing(instance, "2024-03-07", "2024-03-28") == [bad]
    assert history[0] == [("2024-03-07", "2024-03-20")]
    assert sum(map(len, history)) <= 17, "six of them for the days that ended meanwhile"
    assert max(map(len, history)) <= 3, "two halves and the new day"
    assert f"predtrack backfill --from {bad} --to {bad}" in capfd.readouterr().err
    assert ticks(utc(2024, 3, 30, 11)) == [], "Good Friday, and a given-up day is not asked again"


def test_each_of_two_bad_days_is_found(
    instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    made(instance, "2024-03-06")
    bad = ["2024-03-08", "2024-03-14"]
    live_through(instance, utc(2024, 3, 21, 11), 9, frozenset(bad))
    assert missing(instance, "2024-03-07", "2024-03-28") == bad
    said = capfd.readouterr().err
    assert "; ".join(f"predtrack backfill --from {day} --to {day}" for day in bad) in said


def test_nothing_works_for_weeks_and_no_tick_asks_for_many_runs(
    instance: dg.DagsterInstance,
) -> None:
    made(instance, "2024-03-06")
    bad = frozenset(trading_days("2024-03-07", "2024-03-29"))
    history = live_through(instance, utc(2024, 3, 21, 11), 8, bad)
    assert max(map(len, history)) == MAX_RUNS + 1
    flat = [asked for runs in history for asked in runs]
    assert max(flat.count(asked) for asked in flat) <= 3, "once when new, twice to catch up"


def test_an_outage_that_ends_is_caught_up(instance: dg.DagsterInstance) -> None:
    made(instance, "2024-03-06")
    live_through(
        instance, utc(2024, 3, 21, 11), 2, frozenset(trading_days("2024-03-07", "2024-03-22"))
    )
    live_through(instance, utc(2024, 3, 23, 11), 2, frozenset())
    assert missing(instance, "2024-03-07", "2024-03-22") == []


def test_no_more_than_the_setting_is_looked_back(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(instance, "2023-06-01")
    assert tick(utc(2024, 3, 8, 11)) == ("2024-02-06", "2024-03-07")
    monkeypatch.setenv("PREDTRACK_CATCH_UP_DAYS", "0")
    assert tick(utc(2024, 3, 8, 11)) == ("2024-03-07", "2024-03-07")


def test_a_day_is_missed_when_one_asset_of_the_job_lacks_it(instance: dg.DagsterInstance) -> None:
    job = REPOSITORY.get_job("score_calibration")
    keys = sorted(job.asset_layer.executable_asset_keys)
    for key in keys:
        made(instance, "2024-03-05", key=key)
    for key in keys[1:]:
        made(instance, "2024-03-06", key=key)
    asked = tick(utc(2024, 3, 8, 12), schedule="calibration_schedule")
    assert asked == ("2024-03-06", "2024-03-07")


def test_a_missed_week_and_a_missed_month_are_caught_up(instance: dg.DagsterInstance) -> None:
    for key in REPOSITORY.get_job("judge_gates").asset_layer.executable_asset_keys:
        made(instance, "2024-02-29", "2024-03-01", key=key)
    asked = tick(utc(2024, 3, 17, 8), schedule="gates_schedule")
    assert asked == ("2024-03-04", "2024-03-15")
    made(instance, "2024-01", key=dg.AssetKey(["models", "pooled_models"]))
    asked = tick(utc(2024, 4, 1, 3), schedule="training_schedule")
    assert asked == ("2024-02", "2024-03")


@pytest.mark.parametrize(
    ("job", "failed", "sunday", "said"),
    [
        (
            "fit_models",
            "2024-02",
            utc(2024, 4, 1, 3),
            "predtrack backfill --from 2024-03-01 --to 2024-03-01 --select pooled_models",
        ),
        (
            "tune_models",
            "2024-03-07",
            utc(2024, 3, 17, 7),
            "predtrack backfill --from 2024-03-07 --to 2024-03-07 --select optimization_results",
        ),
    ],
)
def test_the_command_by_hand_is_one_that_makes_what_was_given_up(
    job: str,
    failed: str,
    sunday: datetime,
    said: str,
    instance: dg.DagsterInstance,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for key in REPOSITORY.get_job(job).asset_layer.executable_asset_keys:
        made(instance, "2024-01" if job == "fit_models" else "2024-03-06", "2024-03-08", key=key)
    for _ in range(2):
        run(instance, dg.DagsterRunStatus.FAILURE, failed, failed, job=job)
    schedule = {"fit_models": "training_schedule", "tune_models": "tuning_schedule"}[job]
    assert len(ticks(sunday, schedule=schedule)) == 1
    assert said in capfd.readouterr().err
