"""Catching up: what was missed is asked for again, in order, without a storm and not for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest

from predtrack_assets.automation.catch_up import CAUGHT_UP, RANGE_END, RANGE_START
from predtrack_assets.automation.schedules import build_schedules
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


def run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, first: str, last: str) -> None:
    """A run of the validation job that caught up, with this status."""
    instance.create_run_for_job(
        REPOSITORY.get_job("validation"),
        status=status,
        tags={RANGE_START: first, RANGE_END: last, CAUGHT_UP: "true"},
    )


def tick(moment: datetime, schedule: str = "validation_schedule") -> tuple[str, str] | str:
    """First and last partition asked for, or why there is none."""
    context = dg.build_schedule_context(
        scheduled_execution_time=moment,
        repository_def=REPOSITORY,
    )
    data = SCHEDULES[schedule].evaluate_tick(context)
    if data.skip_message:
        return data.skip_message
    (request,) = data.run_requests or []
    only = request.partition_key
    return (only, only) if only else (request.tags[RANGE_START], request.tags[RANGE_END])


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


def test_a_day_that_keeps_failing_does_not_keep_the_next_ones(
    instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    made(instance, "2024-03-01")
    run(instance, dg.DagsterRunStatus.FAILURE, "2024-03-04", "2024-03-05")
    assert tick(utc(2024, 3, 7, 11)) == ("2024-03-04", "2024-03-06")
    run(instance, dg.DagsterRunStatus.FAILURE, "2024-03-04", "2024-03-06")
    assert tick(utc(2024, 3, 8, 11)) == ("2024-03-06", "2024-03-07")
    assert "predtrack backfill --from 2024-03-04 --to 2024-03-05" in capfd.readouterr().err


def test_no_more_than_the_setting_is_looked_back(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(instance, "2023-06-01")
    assert tick(utc(2024, 3, 8, 11)) == ("2024-02-06", "2024-03-07")
    monkeypatch.setenv("PREDTRACK_CATCH_UP_DAYS", "0")
    assert tick(utc(2024, 3, 8, 11)) == ("2024-03-07", "2024-03-07")


def test_a_day_is_missed_when_one_asset_of_the_job_lacks_it(instance: dg.DagsterInstance) -> None:
    job = REPOSITORY.get_job("calibration")
    keys = sorted(job.asset_layer.executable_asset_keys)
    for key in keys:
        made(instance, "2024-03-05", key=key)
    for key in keys[1:]:
        made(instance, "2024-03-06", key=key)
    asked = tick(utc(2024, 3, 8, 12), schedule="calibration_schedule")
    assert asked == ("2024-03-06", "2024-03-07")


def test_a_missed_week_and_a_missed_month_are_caught_up(instance: dg.DagsterInstance) -> None:
    for key in REPOSITORY.get_job("gates").asset_layer.executable_asset_keys:
        made(instance, "2024-02-29", "2024-03-01", key=key)
    asked = tick(utc(2024, 3, 17, 8), schedule="gates_schedule")
    assert asked == ("2024-03-04", "2024-03-15")
    made(instance, "2024-01", key=dg.AssetKey(["models", "pooled_models"]))
    asked = tick(utc(2024, 4, 1, 3), schedule="training_schedule")
    assert asked == ("2024-02", "2024-03")
