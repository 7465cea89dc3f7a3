"""Resolve predictions: what became known in a window of days, some symbols at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import polars as pl

from predtrack_assets.days import Window
from predtrack_assets.domain.forecasts.outcomes import OUTCOMES, resolve
from predtrack_assets.domain.time.calendar import Calendar
from predtrack_assets.services.forecasts.minute_outcome_days import minute_outcomes
from predtrack_assets.services.forecasts.other_hands import Hands
from predtrack_assets.services.forecasts.reference_prices import with_reason
from predtrack_assets.services.forecasts.withdrawals import with_withdrawn
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts import queries as forecasts_queries
from predtrack_assets.warehouse.market.epochs import (
    Epoch,
    market_epochs,
    read_panel,
    sessions_before,
    symbol_groups,
)

ROWS_AT_ONCE = 150_000  # one part is written while the next is read and resolved


def outcome_days(
    transaction: Transaction, asked: Window, settings: Settings
) -> Iterator[tuple[Epoch, list[str], pl.DataFrame]]:
    """What became known in the window, some symbols of an epoch at a time: columns of OUTCOMES.

    An epoch that begins with corrections also restates what they touch, changed or not.
    """
    rows_per_symbol = len(asked.days) * 36
    hands = Hands(transaction)
    for epoch in market_epochs(transaction, asked.days, asked.opens):
        for exchange, symbols in symbol_groups(transaction, rows_per_symbol, rows=ROWS_AT_ONCE):
            sessions = _resolve_group(transaction, exchange, symbols, epoch, settings, hands)
            minutes = minute_outcomes(transaction, symbols, epoch, settings)
            yield epoch, symbols, pl.concat([sessions, minutes]) if len(minutes) else sessions


def _resolve_group(
    transaction: Transaction,
    exchange: Calendar,
    symbols: list[str],
    epoch: Epoch,
    settings: Settings,
    hands: Hands,
) -> pl.DataFrame:
    """Outcomes of some symbols that became known during one epoch."""
    open_ = transaction.read_copied(
        forecasts_queries.OPEN_PREDICTIONS,
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
    judged = hands.with_reason(with_reason(transaction, open_, panel))
    return resolve(
        with_withdrawn(transaction, judged),
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
