"""Accuracy stage: what following each model earned, and the scoreboard, whose page is the answer."""

import dagster as dg

from predtrack_assets.assets.accuracy.day_sums import day_sums
from predtrack_assets.assets.forecasts.predictions import predictions
from predtrack_assets.assets.metadata import attach, materialized, rows_of_partitions
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.partitions import day_asset, window
from predtrack_assets.reporting.scoreboard import metadata_of
from predtrack_assets.services.accuracy.scoreboard import store_scoreboards
from predtrack_assets.services.accuracy.strategy_pnl import store_pnl
from predtrack_assets.services.audit.record_run import record_run
from predtrack_assets.warehouse import tables

PRICES = [dg.AssetKey(["market", "market_data"]), dg.AssetKey(["market", "corporate_actions"])]


@day_asset(schema="accuracy", deps=[predictions, *PRICES], code_version="1")
def strategy_pnl(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Daily profit and loss of following every model's BUY and SELL on paper, after cost."""
    asked = window(context)
    with warehouse.transaction() as transaction:
        written = store_pnl(transaction, asked)
        span = (asked.start, asked.end)
        record_run(transaction, "accuracy_report", tables.STRATEGY_PNL, span, written, context.run)
    rows = rows_of_partitions(warehouse, tables.STRATEGY_PNL, asked)
    return materialized(written, per_day=rows)


@day_asset(schema="accuracy", deps=[day_sums, strategy_pnl], code_version="1")
def scoreboard(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """The answer: skill beside each baseline, calibration, and what following each model earned.

    Over the whole record, at the end of each week.
    """
    asked = window(context)
    with warehouse.transaction() as transaction:
        written = store_scoreboards(transaction, asked)
        span = (asked.start, asked.end)
        record_run(transaction, "accuracy_report", tables.SCOREBOARD, span, written, context.run)
        attach(context, metadata_of(transaction, asked.end))
    rows = rows_of_partitions(warehouse, tables.SCOREBOARD, asked)
    return materialized(written, per_day=rows)
