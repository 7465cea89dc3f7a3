"""The market's condition on the days of a window, from bars known at each epoch."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from predtrack_assets.days import Window
from predtrack_assets.domain.market import conditions
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets.warehouse.market.epochs import (
    Epoch,
    market_epochs,
    read_panel,
    sessions_before,
)


def condition_days(
    transaction: Transaction, asked: Window, settings: Settings
) -> Iterator[tuple[Epoch, pl.DataFrame]]:
    """The market's condition on the days of each epoch of `asked`; reads, never writes.

    A home without the benchmark of the settings is described by the equal-weight index of its stocks.
    """
    symbols = transaction.read(market_queries.SYMBOLS)
    exchange_of = dict(symbols.select("symbol", "exchange").iter_rows())
    exchange = calendar(exchange_of.get(settings.benchmark, settings.exchanges[0]))
    benchmark = settings.benchmark if settings.benchmark in exchange_of else conditions.EQUAL_WEIGHT
    local = symbols.filter(pl.col("exchange") == exchange.name)
    stocks = set(local.filter(pl.col("asset_class") == "stock")["symbol"])
    names = sorted(stocks | ({settings.benchmark, settings.vix} & set(local["symbol"])))
    for epoch in market_epochs(transaction, asked.days, asked.opens):
        first = sessions_before(exchange, epoch.first, conditions.LOOKBACK)
        panel = read_panel(transaction, names, exchange, first, epoch)
        yield (
            epoch,
            conditions.market_conditions(panel, benchmark, settings.vix, stocks, epoch.days),
        )
