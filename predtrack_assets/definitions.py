"""The Dagster code location: every asset, check, job, schedule and sensor."""

from __future__ import annotations

from typing import Any

import dagster as dg

from predtrack_assets.assets import deployment, features, market, trading
from predtrack_assets.assets.accuracy import (
    accuracy_correlation,
    day_sums,
    drift_metrics,
    prediction_scores,
    reports,
    scoreboard,
    survival_curves,
)
from predtrack_assets.assets.forecasts import outcomes, predictions
from predtrack_assets.assets.models import registry, training, tuning
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.assets.table_metadata import with_record
from predtrack_assets.automation.jobs import JOBS
from predtrack_assets.automation.progress import progress_logger
from predtrack_assets.automation.schedules import build_schedules
from predtrack_assets.automation.sensors import build_sensors
from predtrack_assets.automation.weekly_report import weekly_report_job
from predtrack_assets.checks.drift import no_open_drift_alerts
from predtrack_assets.checks.ledger import ledger_verifies
from predtrack_assets.checks.suites import CHECKS
from predtrack_assets.proofs.checks import PROOFS
from predtrack_assets.settings import get_settings

_LOADED = dg.load_assets_from_modules(
    [
        market,
        features,
        registry,
        training,
        tuning,
        predictions,
        outcomes,
        day_sums,
        reports,
        scoreboard,
        accuracy_correlation,
        survival_curves,
        prediction_scores,
        drift_metrics,
        deployment,
        trading,
    ]
)
ASSETS = dg.map_asset_specs(
    with_record, [asset for asset in _LOADED if isinstance(asset, dg.AssetsDefinition)]
)


def build_definitions(**overrides: Any) -> dg.Definitions:
    """The definitions; keyword arguments replace those of dg.Definitions, as tests do.

    Raises ValueError when the allow-list of schedules and sensors names one that does not exist.
    """
    settings = get_settings()
    schedules, sensors = build_schedules(settings.schedules), build_sensors(settings.schedules)
    known = {schedule.name for schedule in schedules} | {sensor.name for sensor in sensors}
    unknown = sorted(set(settings.schedules) - known)
    if unknown:
        raise ValueError(
            f"PREDTRACK_SCHEDULES names {', '.join(unknown)}; there are {', '.join(sorted(known))}"
        )
    parts: dict[str, Any] = {
        "assets": ASSETS,
        "asset_checks": [*CHECKS, ledger_verifies, no_open_drift_alerts, *PROOFS],
        "jobs": [*JOBS, weekly_report_job],
        "schedules": schedules,
        "sensors": sensors,
        "resources": {"warehouse": Warehouse()},
        "executor": dg.in_process_executor,
        "loggers": {"console": dg.colored_console_logger, "progress": progress_logger},
    }
    return dg.Definitions(**{**parts, **overrides})


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster dev`, the code server and the command line load."""
    return build_definitions()
