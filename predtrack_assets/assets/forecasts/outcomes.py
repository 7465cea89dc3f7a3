"""Outcomes stage: results of predictions, on the day they could be known."""

import dagster as dg

from predtrack_assets.assets.forecasts.predictions import predictions
from predtrack_assets.assets.metadata import materialized, rows_of_partitions
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.partitions import day_asset, window
from predtrack_assets.services.audit.record_run import record_run
from predtrack_assets.services.forecasts.outcome_days import outcome_days
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.read_ahead import ahead
from predtrack_assets.warehouse.database.transaction import READER, Written


@day_asset(schema="forecasts", deps=[predictions], code_version="2")
def outcomes(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Results, errors and scores of predictions, validated or expired; append-only revisions."""
    settings = get_settings()
    asked = window(context)
    written = Written()
    with warehouse.transaction(READER) as source, warehouse.transaction() as transaction:
        for epoch, symbols, resolved in ahead(outcome_days(source, asked, settings)):
            written += transaction.revise(tables.OUTCOMES, resolved)
            context.log.info(
                f"{epoch.first} to {epoch.last}: {symbols[0]} to {symbols[-1]},"
                f" {written.inserted:,} new outcomes"
            )
        days = (asked.start, asked.end)
        record_run(transaction, "validation_run", tables.OUTCOMES, days, written, context.run)
    if written.conflicting:
        context.log.warning(
            f"{written.conflicting:,} stored outcomes differ from what the prices known then say"
        )
    rows = rows_of_partitions(warehouse, tables.OUTCOMES, asked)
    return materialized(written, per_day=rows)
