"""The ledger as an asset check: what a run's days committed still verifies."""

import dagster as dg
import polars as pl

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.checks.engine.adapter import MAX_SAMPLES, markdown
from predtrack_assets.checks.engine.profiles import recent_days
from predtrack_assets.days import Window
from predtrack_assets.partitions import window
from predtrack_assets.services.audit.verification import verify_days
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import READER


@dg.asset_check(
    asset=["forecasts", "predictions"],
    description="Every prediction of the run's days is what was committed, and all are committed.",
)
def ledger_verifies(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse
) -> dg.AssetCheckResult:
    """Leaves, trees and links of the days' batches; `predtrack ledger verify` walks them all."""
    with warehouse.transaction(READER) as transaction:
        if context.has_partition_key or context.has_partition_key_range:
            asked = window(context)
        else:
            days = recent_days(transaction, tables.PREDICTIONS)
            asked = Window(days[0].item(), days[-1].item())
        verdict = verify_days(transaction, asked.start, asked.end)
    shown = verdict.findings.head(MAX_SAMPLES).with_columns(
        pl.col("prediction_id").bin.encode("hex")
    )
    return dg.AssetCheckResult(
        passed=verdict.good,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "rows_checked": verdict.rows,
            "rows_good": verdict.rows_good,
            "batches": verdict.batches,
            "findings": markdown(shown),
        },
    )
