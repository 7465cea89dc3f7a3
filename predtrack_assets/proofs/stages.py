"""The tables whose rows of a day follow from what was known at its end, and what computes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from predtrack_assets.days import Window
from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.domain.forecasts.outcomes import OUTCOMES
from predtrack_assets.domain.forecasts.predict import PREDICTIONS
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.services.features import feature_days
from predtrack_assets.services.forecasts import forecast_days, outcome_days
from predtrack_assets.services.market import condition_days
from predtrack_assets.services.models import fitting
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Database, Transaction
from predtrack_assets.warehouse.forecasts import stored_rows
from predtrack_assets.warehouse.market.epochs import market_epochs
from predtrack_assets.warehouse.tables import Table

Compute = Callable[[Transaction, Window, Settings], pl.DataFrame]


@dataclass(frozen=True)
class Stage:
    """A table that is proven. compute: the rows of a window of days, as its asset writes them,
    from what is stored of the stages before. by: the columns that parity is counted by.

    stored: whether these rows are kept, so that they can be replayed. asset: schema and table of the
    asset that the proof is of. places: names of the numbers of a vector, where there is one."""

    table: Table
    compute: Compute
    by: tuple[str, ...]
    asset: tuple[str, str]
    stored: bool = True
    places: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Key and values: what is compared."""
        return [*self.table.key, *self.table.values]


def _conditions(transaction: Transaction, asked: Window, settings: Settings) -> pl.DataFrame:
    parts = [frame for _, frame in condition_days.condition_days(transaction, asked, settings)]
    return pl.concat(parts)


def _features(transaction: Transaction, asked: Window, settings: Settings) -> pl.DataFrame:
    return pl.concat(part.frame for part in feature_days.feature_days(transaction, asked, settings))


def _training_data(transaction: Transaction, asked: Window, settings: Settings) -> pl.DataFrame:
    """What fits through the first and the last of the days would learn from, as digests."""
    rows = []
    for epoch in market_epochs(transaction, asked.days[[0, -1]], asked.opens):
        everything = fitting.epoch_data(transaction, settings, epoch, None)
        for cutoff in epoch.days:
            data = everything.known_by(cutoff)
            rows.append((cutoff.item(), len(data.day), fitting.data_digest(data)))
    return pl.DataFrame(rows, schema=_TRAINING_ROWS, orient="row")


def _predictions(transaction: Transaction, asked: Window, settings: Settings) -> pl.DataFrame:
    models = forecast_days.predicting_models(settings)
    parts = forecast_days.forecast_days(transaction, asked, settings.horizons, models, retired=True)
    return pl.concat([pl.DataFrame(schema=PREDICTIONS), *(part.accepted for part in parts)])


def _outcomes(transaction: Transaction, asked: Window, settings: Settings) -> pl.DataFrame:
    """What became known on the days, of the predictions as they are stored."""
    parts = [pl.DataFrame(schema=OUTCOMES)]
    key = list(RESOLVED.table.key)
    for epoch, symbols, frame in outcome_days.outcome_days(transaction, asked, settings):
        if epoch.touched:  # a restatement is stored only where it says something else
            stored = transaction.read(
                stored_rows.rows_of(RESOLVED.table), first=epoch.first, last=epoch.last
            ).filter(pl.col("symbol").is_in(symbols))
            frame = frame.join(stored.select(key), on=key, how="semi")
        parts.append(frame)
    return pl.concat(parts)


_TRAINING_ROWS = {"trained_through": pl.Date, "samples": pl.Int64, "digest": pl.String}
TRAINING_DATA = Table(
    "models", "training_data", ("trained_through",), ("samples", "digest"), day="trained_through"
)

CONDITIONS = Stage(
    tables.MARKET_CONDITIONS, _conditions, ("benchmark",), ("market", "market_conditions")
)
FEATURES = Stage(
    tables.FEATURE_STORE,
    _features,
    ("feature_set",),
    ("features", "feature_store"),
    places=STANDARD.columns,
)
TRAINED = Stage(
    TRAINING_DATA, _training_data, ("trained_through",), ("models", "pooled_models"), stored=False
)
PREDICTED = Stage(
    tables.PREDICTIONS, _predictions, ("model_id", "kind"), ("forecasts", "predictions")
)

STAGES = (CONDITIONS, FEATURES, TRAINED, PREDICTED)
"""In the order of the graph: each may read what those before it have stored."""

RESOLVED = Stage(
    replace(
        tables.OUTCOMES,
        key=(*tables.OUTCOMES.key, "knowledge_time"),
        values=(*tables.OUTCOMES.values, "resolved_day"),
        extra=(),
        day="resolved_day",
    ),
    _outcomes,
    ("model_id", "kind"),
    ("forecasts", "outcomes"),
)
"""Every revision on the day that it became known. Replayed only: outcomes are about the future."""
REPLAYED = (*(stage for stage in STAGES if stage.stored), RESOLVED)


def decision_days(warehouse: Database, first: date, last: date) -> Days:
    """The days in [first, last] with stored predictions, datetime64[D]."""
    stored = warehouse.read(stored_rows.rows_per_day(PREDICTED.table), first=first, last=last)
    return stored["day"].to_numpy().astype("datetime64[D]")
