"""Telling people of improvement events: to the log, or to a webhook.

At least once: an event counts as told when the receiver has accepted it and that is committed. A
process that dies between the two tells it again, with the same idempotency key.
"""

from collections.abc import Collection

import dagster as dg

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.services.deployment.notifications import channel, dispatch
from predtrack_assets.settings import get_settings

NOTIFICATIONS = "notification_sensor"


def build_notification_sensor(allowed: Collection[str]) -> dg.SensorDefinition:
    """The sensor, running from the start where `allowed` names it."""

    @dg.sensor(
        name=NOTIFICATIONS,
        minimum_interval_seconds=60,
        description="Sends each improvement event once: to the log, or to PREDTRACK_WEBHOOK_URL.",
        default_status=dg.DefaultSensorStatus.RUNNING
        if NOTIFICATIONS in allowed
        else dg.DefaultSensorStatus.STOPPED,
    )
    def notification(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SkipReason:
        name, send = channel(get_settings(), context.log.info)
        counts = dispatch(warehouse, name, send)
        return dg.SkipReason(f"{name}: {counts['sent']} sent, {counts['failed']} failed")

    return notification
