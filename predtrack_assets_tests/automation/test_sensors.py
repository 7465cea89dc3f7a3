"""The failure sensor says in one line what failed, for which days, and why."""

from __future__ import annotations

import logging

import dagster as dg
import pytest

from predtrack_assets.automation.sensors import RUN_FAILURE, build_sensors, failure_message

RUN_ID = "0f7c9f1a-1111-2222-3333-444455556666"


@pytest.mark.parametrize(
    ("partitions", "error", "message"),
    [
        (
            "2024-03-05",
            "Steps failed:\n  ['prices'].",
            "Run 0f7c9f1a of decision for 2024-03-05 failed: Steps failed: ['prices'].",
        ),
        (None, "gone", "Run 0f7c9f1a of decision failed: gone"),
    ],
)
def test_the_message_is_one_line(partitions: str | None, error: str, message: str) -> None:
    assert failure_message("decision", RUN_ID, partitions, error) == message


def test_a_long_error_is_cut() -> None:
    assert len(failure_message("decision", RUN_ID, None, "x" * 10_000)) < 600


def test_the_sensor_reports_the_days_of_the_failed_run() -> None:
    @dg.asset
    def broken() -> None:
        raise ValueError("the vendor is on fire")

    instance = dg.DagsterInstance.ephemeral()
    tags = {
        "dagster/asset_partition_range_start": "2024-03-04",
        "dagster/asset_partition_range_end": "2024-03-06",
    }
    result = dg.materialize([broken], instance=instance, tags=tags, raise_on_error=False)
    sensor = build_sensors(())[0]
    context = dg.build_run_status_sensor_context(
        sensor_name=RUN_FAILURE,
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(),
    ).for_run_failure()
    reported: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = reported.append
    context.log.addHandler(handler)
    sensor(context)
    (record,) = reported
    assert record.levelno == logging.ERROR
    assert "for 2024-03-04...2024-03-06 failed" in record.getMessage()


def test_it_ships_stopped() -> None:
    sensor = build_sensors(())[0]
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    sensor = build_sensors([RUN_FAILURE])[0]
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
