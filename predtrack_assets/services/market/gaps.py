"""The gap report: which sessions of which symbols have no bar, from what is stored."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from predtrack_assets.domain.market.gaps import find_gaps
from predtrack_assets.domain.time.calendar import FIRST_DAY, calendar
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market import profiles as market_profiles
from predtrack_assets.warehouse.market import queries as market_queries


def gap_report(transaction: Transaction, first: date, last: date) -> pl.DataFrame:
    """Gaps within [first, last], longest first: symbol, exchange, first_missing, last_missing, sessions.

    Days are sessions of the symbol's exchange, between its first and its last stored bar. Raises
    ValueError for a day outside the calendar snapshot.
    """
    sessions = exchange_sessions(transaction, first, last).to_dict(as_series=False)
    return find_gaps(
        transaction.read(market_profiles.STEPS, first=first, last=last, **sessions), first, last
    )


def exchange_sessions(transaction: Transaction, first: date, last: date) -> pl.DataFrame:
    """Sessions in [first, last] of every exchange that a registered symbol is on.

    Columns: exchange, day (date), closes (datetime, UTC), ordinal (int64, position in the
    exchange's calendar), in the plural, as statements take them for parameters.
    """
    names = transaction.read(market_queries.SYMBOLS)["exchange"].unique().sort().to_list()
    return pl.concat([_no_sessions(), *(_sessions(name, first, last) for name in names)])


def _sessions(exchange: str, first: date, last: date) -> pl.DataFrame:
    market = calendar(exchange)
    days = market.between(first, last)
    return pl.DataFrame(
        {
            "exchanges": pl.repeat(exchange, len(days), dtype=pl.String, eager=True),
            "days": pl.Series(days).cast(pl.Date),
            "closes": pl.Series(market.closes_utc(days)).dt.replace_time_zone("UTC"),
            "ordinals": pl.Series(np.searchsorted(market.sessions, days)).cast(pl.Int64),
        }
    )


def _no_sessions() -> pl.DataFrame:
    return _sessions("XNYS", FIRST_DAY, FIRST_DAY).clear()
