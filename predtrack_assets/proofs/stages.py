"""The tables whose rows of a day follow from what was known at its end, and what computes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import polars as pl

from predtrack_assets.assets import feature_days, forecasting, market
from predtrack_assets.domain.calendar import Days
from predtrack_assets.domain.forecasts import PREDICTIONS
from predtrack_assets.partitions import Window
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse import stored_rows, tables
from predtrack_assets.warehouse.tables import Table
from predtrack_assets.warehouse.warehouse import Transaction, Warehouse

Compute = Callable[[Transaction, Window, Settings], pl.DataFrame]


@dataclass(frozen=True)
class Stage:
    """A table that is proven. compute: the rows of a window of days, as its asset writes them,
    from what is stored of the stages before. by: the columns that parity is counted by."""

    table: Table
    compute: Compute
    by: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """Key and values: what is compared."""
        return [*self.table.key, *self.table.values]


def _conditions(transaction: Transaction, asked: Window, settings: Settings) -> pl.DataFrame:
    parts = [frame for _, frame in market.condition_days(transaction, asked, settings)]
    return pl.concat(parts)


def _features(transaction: Transaction, asked: Window, settings: Settings) -> pl.DataFrame:
    return pl.concat(part.frame for part in feature_days.feature_days(transaction, asked, settings))


def _predictions(transaction: Transaction, asked: Window, settings: Settings) -> pl.DataFrame:
    models = forecasting.predicting_models(settings)
    parts = forecasting.forecast_days(transaction, asked, settings.horizons, models, retired=True)
    return pl.concat([pl.DataFrame(schema=PREDICTIONS), *(part.accepted for part in parts)])


CONDITIONS = Stage(tables.MARKET_CONDITIONS, _conditions, ("benchmark",))
FEATURES = Stage(tables.FEATURE_STORE, _features, ("feature_set",))
PREDICTED = Stage(tables.PREDICTIONS, _predictions, ("model_id", "kind"))

STAGES = (CONDITIONS, FEATURES, PREDICTED)
"""In the order of the graph: each may read what those before it have stored."""


def decision_days(warehouse: Warehouse, first: date, last: date) -> Days:
    """The days in [first, last] with stored predictions, datetime64[D]."""
    stored = warehouse.read(stored_rows.rows_per_day(PREDICTED.table), first=first, last=last)
    return stored["day"].to_numpy().astype("datetime64[D]")
