"""The checks of drift: what its rows must be, and which alerts are open."""

import dagster as dg
import numpy as np
import polars as pl

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.checks.engine.adapter import MAX_SAMPLES, Profile, markdown
from predtrack_assets.checks.engine.factory import Suite
from predtrack_assets.checks.engine.profiles import per_day, recent_days, span_of
from predtrack_assets.checks.engine.rules import none, structural
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.accuracy.drift.report import MIN_REFERENCE
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.partitions import window
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy import drift as store
from predtrack_assets.warehouse.database import profiles
from predtrack_assets.warehouse.database.transaction import READER, Transaction


def _profile(transaction: Transaction, days: Days) -> Profile:
    """Metrics by report day, and week ends that have features to measure and no metrics."""
    span = span_of(days)
    ends = last_days_of("W", days)
    # Calendar days in which the least number of sessions is sure to lie.
    reach = 2 * (1 + MIN_REFERENCE) * get_settings().drift_current_sessions
    frame = per_day(
        days,
        transaction.read(store.PROFILE, **span),
        transaction.read(profiles.duplicates(tables.DRIFT_METRICS), **span),
        transaction.read(store.MEASURABLE, days=ends.tolist(), reach=reach),
    )
    week_end = pl.Series(np.isin(days, ends))
    absent = (pl.col("measurable") > 0) & (pl.col("metrics") == 0)
    return Profile(
        frame.with_columns(
            absent.cast(pl.Int64).alias("day_missing"),
            pl.when(week_end).then(0).otherwise(pl.col("metrics")).alias("off_week"),
        )
    )


DRIFT_SUITES = (
    Suite(
        tables.DRIFT_METRICS,
        _profile,
        (
            structural(
                "day_missing",
                "no_missing_days",
                "Every week with features enough to compare ends with a report.",
            ),
            structural("duplicates", "no_duplicate_keys", "No two rows have the same key."),
            structural("non_finite", "finite_numbers", "No number is NaN or infinite."),
            structural(
                "look_ahead",
                "no_look_ahead",
                "Nothing was measured before its day was over, or of days after it.",
            ),
            none("off_week", "only_week_ends", "Reports are of the last trading day of a week."),
            none("overlapping", "windows_apart", "No day is both reference and current."),
            none(
                "deciding_estimates",
                "estimates_decide_nothing",
                "What is estimated before outcomes are known is never called drift.",
            ),
        ),
    ),
)


@dg.asset_check(
    asset=["accuracy", "drift_metrics"],
    description="No feature, prediction or model has an open drift alert as of the run's last day.",
)
def no_open_drift_alerts(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse
) -> dg.AssetCheckResult:
    """The open alerts, critical ones first; each stays until its subject was calm for a while."""
    with warehouse.transaction(READER) as transaction:
        if context.has_partition_key or context.has_partition_key_range:
            days = window(context).days
        else:
            days = recent_days(transaction, tables.DRIFT_METRICS)
        found = transaction.read(store.OPEN_ALERTS, day=days[-1].item())
    return dg.AssetCheckResult(
        passed=found.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "open_alerts": len(found),
            "critical": int((found["severity"] == "critical").sum()),
            "alerts": markdown(found.head(MAX_SAMPLES)),
        },
    )
