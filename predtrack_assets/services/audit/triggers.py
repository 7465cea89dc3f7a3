"""What started a run, by the tags that Dagster gives it."""

from __future__ import annotations

from collections.abc import Mapping

TRIGGERS = {
    "dagster/sensor_name": "sensor",
    "dagster/schedule_name": "schedule",
    "dagster/backfill": "backfill",
}


def triggered_by(tags: Mapping[str, str]) -> str:
    """sensor, schedule, backfill (of the Dagster UI) or manual (the UI's button, the command line)."""
    for tag, what in TRIGGERS.items():
        if tag in tags:
            return what
    return "manual"
