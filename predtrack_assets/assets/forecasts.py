"""Forecasts stage: what every model says of every symbol, written down before the fact."""

from collections import Counter

import dagster as dg
import polars as pl

from predtrack_assets.assets.market import prices
from predtrack_assets.assets.models import model_registry
from predtrack_assets.domain.forecasts import predict, refuse_incoherent
from predtrack_assets.domain.history import lookback
from predtrack_assets.domain.models import MODELS
from predtrack_assets.partitions import day_asset, window
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.snapshots import (
    market_epochs,
    read_panel,
    sessions_before,
    symbol_groups,
)
from predtrack_assets.warehouse.warehouse import Transaction, Warehouse, Written

KINDS = 3


@day_asset(
    schema="forecasts",
    deps=[prices, model_registry],
    code_version="1",
)
def predictions(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Price, direction and time-to-hit predictions of every model; append-only."""
    settings = get_settings()
    models = tuple(m for m in MODELS if settings.predict_baselines or m.role != "baseline")
    reach = lookback(max(settings.horizons))
    asked = window(context)
    rows_per_symbol = len(asked.days) * len(models) * KINDS * len(settings.horizons)
    written, refused_for = Written(), Counter[str]()
    with warehouse.transaction() as transaction:
        for epoch in market_epochs(transaction, asked.days, asked.opens):
            groups = symbol_groups(transaction, rows_per_symbol, without=("volatility",))
            for number, (exchange, symbols) in enumerate(groups, 1):
                first = sessions_before(exchange, epoch.first, reach)
                panel = read_panel(transaction, symbols, exchange, first, epoch)
                frame = predict(panel, exchange, epoch.days, settings.horizons, models)
                accepted, refused = refuse_incoherent(frame)
                written += transaction.append(
                    tables.PREDICTIONS, _with_origin(transaction, accepted)
                )
                refused_for.update(_skip(transaction, refused))
                context.log.info(
                    f"{epoch.first} to {epoch.last}: {number} of {len(groups)} groups of symbols,"
                    f" {written.inserted:,} new predictions"
                )
    if written.conflicting:
        context.log.warning(
            f"{written.conflicting:,} stored predictions differ from what the code now says of the same"
            " day. The ledger keeps what was said; give a changed model a new version."
        )
    return written.as_result(skipped=dict(refused_for), models=[m.model_id for m in models])


def _with_origin(transaction: Transaction, frame: pl.DataFrame) -> pl.DataFrame:
    """Live when committed before the outcome could be known, by the database's clock."""
    live = pl.col("knowable_at") > pl.lit(transaction.now)
    return frame.with_columns(
        pl.when(live).then(pl.lit("live")).otherwise(pl.lit("replay")).alias("origin")
    )


def _skip(transaction: Transaction, refused: pl.DataFrame) -> dict[str, int]:
    """Write refused predictions down with their reason."""
    if refused.is_empty():
        return {}
    said = pl.struct(pl.exclude("reason").cast(pl.String)).struct.json_encode().alias("payload")
    transaction.append(tables.SKIPPED_PREDICTIONS, refused.with_columns(said))
    return dict(refused.group_by("reason").len().iter_rows())
