"""The degradation sensor: what has become worse leaves one event, whoever is told of it."""

from collections.abc import Collection

import dagster as dg

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.reporting.tables.text import counted
from predtrack_assets.warehouse.models.retraining import DEGRADATIONS, note_degraded

DEGRADATION = "degradation_sensor"


def build_degradation_sensor(allowed: Collection[str]) -> dg.SensorDefinition:
    """The sensor, running from the start where `allowed` names it."""

    @dg.sensor(
        name=DEGRADATION,
        minimum_interval_seconds=3600,
        description="Alerts once for each model that performs worse than it did, and for each"
        " champion that fails its gate.",
        default_status=dg.DefaultSensorStatus.RUNNING
        if DEGRADATION in allowed
        else dg.DefaultSensorStatus.STOPPED,
    )
    def run(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SkipReason:
        with warehouse.transaction() as transaction:
            new = note_degraded(transaction)["message"].to_list()
            count = transaction.read(DEGRADATIONS).item()
        for message in new:
            context.log.error(message)
        message = f"{counted(len(new), 'new alert')} of {count} open"
        return dg.SkipReason(": ".join([message, *new]))

    return run
