"""The alert sensor: rules are evaluated and people told, once a tick, whoever runs it beside."""

from collections.abc import Collection

import dagster as dg

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.services.audit.alert_channels import channels
from predtrack_assets.services.audit.alerts import evaluate, load_rules, tell
from predtrack_assets.settings import get_settings

ALERTS = "alert_sensor"


def build_alert_sensor(allowed: Collection[str]) -> dg.SensorDefinition:
    """The sensor, running from the start where `allowed` names it."""

    @dg.sensor(
        name=ALERTS,
        minimum_interval_seconds=60,
        description="Evaluates the alert rules and tells of what is new, goes on or is over: to the"
        " log, or to PREDTRACK_ALERT_URLS.",
        default_status=dg.DefaultSensorStatus.RUNNING
        if ALERTS in allowed
        else dg.DefaultSensorStatus.STOPPED,
    )
    def alert(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SkipReason:
        settings = get_settings()
        rules = load_rules(settings)
        urls = settings.alert_urls.get_secret_value() if settings.alert_urls else ""
        found = evaluate(warehouse, rules)
        told = tell(warehouse, rules, channels(urls, context.log.warning))
        for name in found["unknown"]:
            context.log.error(f"the signal of alert rule {name} could not be read")
        return dg.SkipReason(
            f"{found['opened']} opened, {found['seen']} go on, {found['closed']} closed;"
            f" {told['sent']} messages sent, {told['failed']} failed, {told['held']} held back"
        )

    return alert
