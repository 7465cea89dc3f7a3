"""Loading dated index membership."""

from __future__ import annotations

import polars as pl

from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.market import queries as market_queries


def replace_universe(warehouse: Database, name: str, membership: pl.DataFrame, source: str) -> int:
    """Make `membership` (symbol, start_date, end_date) the members of universe `name`; rows stored."""
    rows = membership.with_columns(universe=pl.lit(name), source=pl.lit(source))
    with warehouse.transaction() as transaction:
        transaction.read(market_queries.FORGET_UNIVERSE, universe=name)
        return transaction.append(tables.UNIVERSE_MEMBERS, rows).inserted
