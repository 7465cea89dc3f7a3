"""What started a run is said by Dagster's own tags."""

from __future__ import annotations

import dagster as dg
import pytest

from predtrack_assets.services.audit.triggers import triggered_by


@dg.job
def nothing() -> None:
    pass


@dg.schedule(job=nothing, cron_schedule="0 0 * * *")
def nightly() -> dg.RunRequest:
    return dg.RunRequest()


@dg.sensor(job=nothing)
def watcher() -> dg.RunRequest:
    return dg.RunRequest()


@pytest.mark.parametrize(
    ("tags", "what"),
    [
        (dg.DagsterRun.tags_for_schedule(nightly), "schedule"),
        (dg.DagsterRun.tags_for_sensor(watcher), "sensor"),
        (dg.DagsterRun.tags_for_backfill_id("abc"), "backfill"),
        ({"dagster/partition": "2024-01-02"}, "manual"),
        ({}, "manual"),
    ],
)
def test_the_trigger_is_read_from_the_tags(tags: dict[str, str], what: str) -> None:
    assert triggered_by(tags) == what
