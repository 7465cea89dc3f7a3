"""Outcomes stage: what came of each prediction, on the day it could be known."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
import numpy as np
import polars as pl

from predtrack_assets.assets.forecasts import predictions
from predtrack_assets.domain.calendar import Calendar
from predtrack_assets.domain.outcomes import OUTCOMES, resolve
from predtrack_assets.partitions import Window, day_asset, window
from predtrack_assets.settings import Settings, get_settings
from predtrack_assets.warehouse import queries, tables
from predtrack_assets.warehouse.audit import record_run
from predtrack_assets.warehouse.read_ahead import ahead
from predtrack_assets.warehouse.reference_prices import with_reason
from predtrack_assets.warehouse.snapshots import (
    Epoch,
    market_epochs,
    read_panel,
    sessions_before,
    symbol_groups,
)
from predtrack_assets.warehouse.warehouse import READER, Transaction, Warehouse, Written

ROWS_AT_ONCE = 150_000  # one part is written while the next is read and resolved


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
    return written.as_result()


def outcome_days(
    transaction: Transaction, asked: Window, settings: Settings
) -> Iterator[tuple[Epoch, list[str], pl.DataFrame]]:
    """What became known in the window, some symbols of an epoch at a time: columns of OUTCOMES.

    An epoch that begins with corrections also restates what they touch, changed or not.
    """
    rows_per_symbol = len(asked.days) * 36
    for epoch in market_epochs(transaction, asked.days, asked.opens):
        for exchange, symbols in symbol_groups(transaction, rows_per_symbol, rows=ROWS_AT_ONCE):
            yield epoch, symbols, _resolve_group(transaction, exchange, symbols, epoch, settings)


def _resolve_group(
    transaction: Transaction,
    exchange: Calendar,
    symbols: list[str],
    epoch: Epoch,
    settings: Settings,
) -> pl.DataFrame:
    """Outcomes of some symbols that became known during one epoch."""
    open_ = transaction.read_copied(
        queries.OPEN_PREDICTIONS,
        symbols=symbols,
        due_from=_due_from(exchange, epoch, settings),
        last=epoch.last,
    )
    if open_.is_empty():
        return pl.DataFrame(schema=OUTCOMES)
    earliest: date = open_["trading_day"].to_numpy().min().item()
    panel = read_panel(transaction, symbols, exchange, earliest, epoch)
    if not len(panel.symbols):
        return pl.DataFrame(schema=OUTCOMES)
    return resolve(
        with_reason(transaction, open_, panel),
        panel,
        exchange,
        epoch.days,
        np.datetime64(epoch.opens),
        settings.expire_after,
        restate=epoch.touched is not None,
    )


def _due_from(exchange: Calendar, epoch: Epoch, settings: Settings) -> date:
    """First due day whose outcome can become known in the epoch: by expiry, or by a late bar."""
    expiring = sessions_before(exchange, epoch.first, settings.expire_after + 1)
    expiring -= timedelta(days=1)
    return min(expiring, epoch.touched) if epoch.touched else expiring
