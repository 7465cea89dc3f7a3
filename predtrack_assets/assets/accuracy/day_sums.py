"""Accuracy stage: sums of the outcomes of each due day, which reports of any period add up."""

import dagster as dg

from predtrack_assets.assets.forecasts.outcomes import outcomes
from predtrack_assets.assets.market import market_conditions
from predtrack_assets.assets.metadata import attach, materialized, rows_of_partitions
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.partitions import day_asset, window
from predtrack_assets.reporting.plots.accuracy import sums_plots
from predtrack_assets.services.accuracy.day_sums import figures_of_window, store_sums
from predtrack_assets.services.audit.record_run import record_run
from predtrack_assets.warehouse import tables


@day_asset(schema="accuracy", deps=[outcomes, market_conditions], code_version="1")
def day_sums(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Counts, rates, buckets, losses and errors of each due day and cell, added up."""
    asked = window(context)
    with warehouse.transaction() as transaction:
        written = store_sums(transaction, asked)
        span = (asked.start, asked.end)
        record_run(transaction, "accuracy_report", tables.DAY_SUMS, span, written, context.run)
        attach(context, sums_plots(transaction, asked.end))
        figures = figures_of_window(transaction, asked)
    rows = rows_of_partitions(warehouse, tables.DAY_SUMS, asked)
    return materialized(written, per_day=rows.join(figures, on="day", how="left"))
