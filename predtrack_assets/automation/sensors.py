"""Sensors: what is started by events rather than by the clock."""

from collections.abc import Collection

import dagster as dg

from predtrack_assets.automation.alerting import build_alert_sensor
from predtrack_assets.automation.degradation import build_degradation_sensor
from predtrack_assets.automation.drop_folder import build_drop_sensor
from predtrack_assets.automation.notifications import build_notification_sensor
from predtrack_assets.automation.retraining import build_retraining_sensor

RUN_FAILURE = "run_failure_sensor"


def failure_message(job: str, run_id: str, partitions: str | None, error: str) -> str:
    """One readable line on a failed run."""
    where = f" for {partitions}" if partitions else ""
    return f"Run {run_id[:8]} of {job}{where} failed: {' '.join(error.split())[:500]}"


def build_sensors(allowed: Collection[str]) -> list[dg.SensorDefinition]:
    """The sensors, running from the start where `allowed` names them."""

    @dg.run_failure_sensor(
        name=RUN_FAILURE,
        description="Says in one line which run failed, for which days, and why.",
        default_status=dg.DefaultSensorStatus.RUNNING
        if RUN_FAILURE in allowed
        else dg.DefaultSensorStatus.STOPPED,
    )
    def run_failure(context: dg.RunFailureSensorContext) -> None:
        tags = context.dagster_run.tags
        first = tags.get("dagster/asset_partition_range_start") or tags.get("dagster/partition")
        last = tags.get("dagster/asset_partition_range_end", first)
        partitions = first if first == last else f"{first}...{last}"
        context.log.error(
            failure_message(
                context.dagster_run.job_name,
                context.dagster_run.run_id,
                partitions,
                context.failure_event.message or "no message",
            )
        )

    return [
        run_failure,
        build_drop_sensor(allowed),
        build_notification_sensor(allowed),
        build_retraining_sensor(allowed),
        build_degradation_sensor(allowed),
        build_alert_sensor(allowed),
    ]
