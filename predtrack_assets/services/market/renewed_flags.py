"""Flags of stored bars, judged again where a batch came before them or between them.

A bar is judged by those before it, so days that are loaded out of order would else end otherwise
than in order. Prices are facts and have revisions; flags follow from them and are set again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from predtrack_assets.domain.market.actions import ACTIONS, LOOKBACK
from predtrack_assets.domain.market.bars import empty_previous, flagged
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market import queries as market_queries

_KEY = ["symbol", "trading_day"]


def renew_flags(
    transaction: Transaction,
    bars: pl.DataFrame,
    classes: pl.DataFrame,
    first: date,
    last: date,
    max_jump: float,
) -> int:
    """Make the flags of `bars` (ACCEPTED, just stored) and of what follows them in the database
    those of the bars that are stored now; returns how many changed.

    classes: symbol, asset_class. first, last: the window of the batch.
    """
    if bars.is_empty():
        return 0
    symbols = bars["symbol"].unique().sort().to_list()
    until = last + LOOKBACK
    near = transaction.read(
        market_queries.NEIGHBOURS, symbols=symbols, first=first, last=last, until=until
    )
    batch = bars.group_by("symbol").agg(pl.len().cast(pl.Int64).alias("brought"))
    others = near.join(batch, on="symbol").filter(pl.col("days") != pl.col("brought"))
    judged = bars.select(*_KEY, "flag")
    if len(others):
        until = max([until, *others["first_traded"].drop_nulls()])
        again = _judged(transaction, others["symbol"].to_list(), classes, first, until, max_jump)
        judged = pl.concat([judged.join(again, on=_KEY, how="anti"), again])
    stored = transaction.read(
        market_queries.CURRENT_FLAGS, symbols=symbols, first=first, last=until
    )
    was = judged.join(stored, on=_KEY, how="left", suffix="_stored")
    return transaction.judge(
        was.filter(pl.col("flag").ne_missing(pl.col("flag_stored"))).select(*_KEY, "flag")
    )


def _judged(
    transaction: Transaction,
    symbols: Sequence[str],
    classes: pl.DataFrame,
    first: date,
    last: date,
    max_jump: float,
) -> pl.DataFrame:
    """symbol, trading_day, flag of the current bars of [first, last], beside those before them."""
    since = first - LOOKBACK
    window = {"symbols": list(symbols), "last": last}
    bars = transaction.read(market_queries.CURRENT_BARS, first=since, **window)
    actions = transaction.read(
        market_queries.ACTIONS_AS_OF, first=since, as_of=transaction.now, **window
    )
    traded = transaction.read(market_queries.TRADED, symbols=list(symbols), before=first)["symbol"]
    found = flagged(
        bars.join(classes, on="symbol", how="left"),
        empty_previous(),
        traded.to_list(),
        actions.with_columns(inferred=pl.lit(False)).cast(ACTIONS),
        max_jump,
    )
    return found.filter(pl.col("trading_day") >= first).select(*_KEY, "flag")
