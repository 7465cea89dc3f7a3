"""Accuracy stage: how long until targets are touched, beside what was predicted of it."""

import dagster as dg
import polars as pl

from predtrack_assets.assets.accuracy.reports import ENDS, last_of, start_of
from predtrack_assets.assets.forecasts.outcomes import outcomes
from predtrack_assets.assets.metadata import attach, materialized, rows_of_partitions
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.domain.accuracy import survival_report
from predtrack_assets.partitions import day_asset, window
from predtrack_assets.reporting.plots.accuracy import survival_plot
from predtrack_assets.services.audit.record_run import record_run
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy.survival import touch_predictions
from predtrack_assets.warehouse.database.transaction import Written
from predtrack_assets.warehouse.market.epochs import market_epochs

# A week's own predictions have been seen for four sessions at most: no curve of theirs.
PERIODS = {
    "rolling_30d": ENDS["rolling_30d"],
    "monthly": ENDS["monthly"],
    "quarterly": last_of("3M"),
    "yearly": last_of("Y"),
}


@day_asset(schema="accuracy", deps=[outcomes], code_version="1")
def survival_curves(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Kaplan-Meier curves of the time to a touch, with what has not been settled censored.

    Per model, deadline and window of decision days, beside p_hit and first passage.
    """
    written = Written()
    asked = window(context)
    with warehouse.transaction() as transaction:
        for epoch in market_epochs(transaction, asked.days, asked.opens):
            ends = {period: chosen(epoch.days) for period, chosen in PERIODS.items()}
            ends = {period: days for period, days in ends.items() if len(days)}
            if ends:
                first = min(start_of(period, days) for period, days in ends.items())
                predictions, bars = touch_predictions(transaction, first, epoch.last, epoch.as_of)
                frames = [
                    survival_report.survival_curves(predictions, bars, days, period)
                    for period, days in ends.items()
                ]
                written += transaction.replace(
                    tables.SURVIVAL_CURVES, pl.concat(frames), epoch.first, epoch.last
                )
        span = (asked.start, asked.end)
        record_run(
            transaction, "accuracy_report", tables.SURVIVAL_CURVES, span, written, context.run
        )
        if len(asked.days):
            attach(context, survival_plot(transaction, asked.days[-1].item()))
    rows = rows_of_partitions(warehouse, tables.SURVIVAL_CURVES, asked)
    return materialized(written, per_day=rows)
