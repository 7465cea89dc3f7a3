"""Forecasts stage: predictions of every model for every symbol, written before the fact."""

from collections import Counter

import dagster as dg
import polars as pl

from predtrack_assets.assets.features import feature_store
from predtrack_assets.assets.market import prices
from predtrack_assets.assets.metadata import materialized, rows_of_partitions
from predtrack_assets.assets.models.registry import model_registry
from predtrack_assets.assets.models.training import pooled_models
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.domain.models.as_of_statistics import MIN_RETURNS
from predtrack_assets.partitions import day_asset, window
from predtrack_assets.services.forecasts.forecast_days import forecast_days, predicting_models
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.forecasts.ledger import seal
from predtrack_assets.warehouse.models.registry import RETIRED


@day_asset(
    schema="forecasts",
    deps=[
        prices,
        feature_store,
        model_registry,
        # A day uses the fits of earlier months, whichever they are: the query that chooses knows.
        # Symbols' own are read too; as a dependency they would be missing wherever nobody asked
        # for one, and the UI would warn of it at each Materialize.
        dg.AssetDep(pooled_models, partition_mapping=dg.AllPartitionMapping()),
    ],
    code_version="3",
)
def predictions(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Predictions of price, direction, touch and volatility by every model in force; append-only."""
    settings = get_settings()
    retired = warehouse.read(RETIRED)["model_id"].to_list()
    models = tuple(m for m in predicting_models(settings) if m.model_id not in retired)
    written, refused_for, committed = Written(), Counter[str](), set[str]()
    asked = window(context)
    with warehouse.transaction() as transaction:
        for part in forecast_days(transaction, asked, settings.horizons, models):
            written += transaction.append(
                tables.PREDICTIONS, _with_origin(transaction, part.accepted)
            )
            refused_for.update(_skip(transaction, part.refused))
            committed.update(part.accepted["model_id"].unique())
            context.log.info(f"{part} of symbols, {written.inserted:,} new predictions")
        sealed = seal(transaction, asked.start, asked.end)
    if not committed:
        skipped = ", ".join(f"{n:,} {reason}" for reason, n in sorted(refused_for.items()))
        context.log.warning(
            f"Nothing was predicted. Skipped: {skipped or 'no symbol has a bar on these days'}."
            f" A symbol is predicted from {MIN_RETURNS} daily returns on: backfill earlier days too."
        )
    if written.conflicting:
        context.log.warning(
            f"{written.conflicting:,} stored predictions differ from what the code now predicts for the same"
            " day. The ledger keeps the first; give a changed model a new version."
        )
    if sealed.left_out:
        context.log.warning(f"Predictions of external writers are not committed: {sealed}")
    return materialized(
        written,
        per_day=rows_of_partitions(warehouse, tables.PREDICTIONS, asked),
        skipped=dict(refused_for),
        models=sorted(committed),
        batches_sealed=sealed.batches,
    )


def _with_origin(transaction: Transaction, frame: pl.DataFrame) -> pl.DataFrame:
    """Live when committed before the outcome could be known, by the database's clock."""
    live = pl.col("earliest_resolution_time") > pl.lit(transaction.now)
    return frame.with_columns(
        pl.when(live).then(pl.lit("live")).otherwise(pl.lit("replay")).alias("origin")
    )


def _skip(transaction: Transaction, refused: pl.DataFrame) -> dict[str, int]:
    """Write refused predictions down with their reason."""
    if refused.is_empty():
        return {}
    payload = pl.struct(pl.exclude("reason").cast(pl.String)).struct.json_encode().alias("payload")
    transaction.append(tables.SKIPPED_PREDICTIONS, refused.with_columns(payload))
    return dict(refused.group_by("reason").len().iter_rows())
