"""The drop sensor: files of predictions that appear in a folder are taken.

Its cursor holds only how unfinished files looked at the tick before. Losing it delays them by a tick.
"""

import json
from collections.abc import Collection
from dataclasses import asdict

import dagster as dg

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.services.forecasts.intake_files import sweep
from predtrack_assets.settings import get_settings
from predtrack_assets.stores.drop_folder import Seen

DROP = "drop_sensor"


def build_drop_sensor(allowed: Collection[str]) -> dg.SensorDefinition:
    """The sensor, running from the start where `allowed` names it."""

    @dg.sensor(
        name=DROP,
        minimum_interval_seconds=30,
        description="Takes files of predictions from PREDTRACK_DROP, once they stand still for a tick.",
        default_status=dg.DefaultSensorStatus.RUNNING
        if DROP in allowed
        else dg.DefaultSensorStatus.STOPPED,
    )
    def drop(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SkipReason:
        folder = get_settings().drop
        if folder is None:
            return dg.SkipReason("PREDTRACK_DROP names no folder")
        before = {name: Seen(**look) for name, look in json.loads(context.cursor or "{}").items()}
        reports, seen = sweep(warehouse, folder, before)
        context.update_cursor(json.dumps({name: asdict(look) for name, look in seen.items()}))
        for report in reports:
            context.log.info(f"{report['file']}: {report['status']} {report.get('counts', '')}")
        return dg.SkipReason(f"{len(reports)} files taken, {len(seen)} not finished yet")

    return drop
