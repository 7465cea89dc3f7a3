"""Resolve predictions of minutes, day by day, as the bars of minutes were known at each day's end."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from predtrack_assets.domain.forecasts.minute_outcomes import resolve_minutes
from predtrack_assets.domain.forecasts.outcomes import OUTCOMES
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts import queries as forecasts_queries
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets.warehouse.market.epochs import Epoch

BEFORE = timedelta(days=1)  # how far before as_of the last price may lie


def minute_outcomes(
    transaction: Transaction, symbols: list[str], epoch: Epoch, settings: Settings
) -> pl.DataFrame:
    """Outcomes of minutes that became known on the days of an epoch: columns of OUTCOMES."""
    found = [pl.DataFrame(schema=OUTCOMES)]
    there = transaction.read(
        forecasts_queries.HAS_MINUTES, symbols=symbols, last=epoch.last + timedelta(days=1)
    )
    if not there.item():
        return found[0]
    since = datetime.combine(epoch.opens, time(0), UTC)
    for day in epoch.days.tolist():
        until = as_of(day)
        found.append(_of_day(transaction, symbols, since, until, settings.expire_after))
        since = until
    return pl.concat(found)


def _of_day(
    transaction: Transaction,
    symbols: list[str],
    since: datetime,
    until: datetime,
    expire_after: int,
) -> pl.DataFrame:
    first = since.date() - timedelta(days=expire_after + 1)
    new: date | None = transaction.read(
        forecasts_queries.FIRST_OF_NEW_BARS, symbols=symbols, after=since, until=until
    ).item()
    if new is not None:
        first = min(first, new)
    predictions = transaction.read(
        forecasts_queries.OPEN_MINUTES, symbols=symbols, first=first, last=until.date()
    )
    if predictions.is_empty():
        return pl.DataFrame(schema=OUTCOMES)
    earliest: datetime = predictions["as_of"].to_numpy().min().item().replace(tzinfo=UTC)
    bars = transaction.read(
        market_queries.INTRADAY_BARS,
        symbols=predictions["symbol"].unique().to_list(),
        after=earliest - BEFORE,
        until=until,
    )
    return resolve_minutes(predictions, bars, since, until, expire_after)
