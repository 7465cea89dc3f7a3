"""Features stage: which features there are, and their values of every symbol and day."""

import dagster as dg
import polars as pl

from predtrack_assets.assets.market import market_conditions, prices
from predtrack_assets.assets.metadata import materialized, rows_of_partitions, rows_of_table
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.partitions import day_asset, window
from predtrack_assets.services.features.feature_days import feature_days
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Written
from predtrack_assets.warehouse.features.store import write_features


@dg.asset(
    key_prefix=["features"],
    group_name="features",
    code_version="1",
    owners=["team:predtrack"],
    kinds={"postgres", "python"},
)
def feature_sets(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Versions of feature sets: their columns, what they may know, and the hash of their code."""
    frame = pl.DataFrame(
        {
            "name": [STANDARD.name],
            "version": [STANDARD.version],
            "feature_set": [STANDARD.id],
            "columns": [list(STANDARD.columns)],
            "lookback": [STANDARD.lookback],
            "as_of": [STANDARD.as_of],
            "code_hash": [STANDARD.code_hash],
        }
    )
    with warehouse.transaction() as transaction:
        written = transaction.append(tables.FEATURE_SETS, frame)
    if written.conflicting:
        context.log.warning(
            f"The code of {STANDARD.id} is not the code it was registered with. If its numbers have"
            " changed, it needs a new version; features.feature_sets keeps the first hash."
        )
    rows = rows_of_table(warehouse, tables.FEATURE_SETS)
    return materialized(written, features=len(STANDARD.columns), **rows)


@day_asset(
    schema="features",
    deps=[prices, market_conditions, feature_sets],
    code_version="2",
)
def feature_store(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Features of every symbol and trading day, from what was known at the day's end."""
    written, asked = Written(), window(context)
    with warehouse.transaction() as transaction:
        for part in feature_days(transaction, asked, get_settings()):
            written += write_features(
                transaction, STANDARD, part.rows, part.symbols, part.first, part.last
            )
            context.log.info(
                f"{part.first} to {part.last}: {part.symbols[0]} to {part.symbols[-1]},"
                f" {written.changed:,} vectors written so far"
            )
    rows = rows_of_partitions(warehouse, tables.FEATURE_STORE, asked)
    return materialized(written, per_day=rows, feature_set=STANDARD.id)
