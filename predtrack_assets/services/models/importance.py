"""What features were worth to a fit in the time after it: computed when families are chosen again."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.models.learners.importance import Importance, permutation_importance
from predtrack_assets.domain.models.learners.pooled import PooledFit
from predtrack_assets.domain.models.learners.training_data import TrainingData
from predtrack_assets.stores.artifacts import load
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.models import registry

MIN_DAYS = 120  # decision days after a fit below which its importances say nothing


def importance_since(
    warehouse: Database, place: Mapping[str, Any], data: TrainingData
) -> pl.DataFrame:
    """Importances to the fit that made the choices in force before, on the days since it.

    place: model_id, scope and trained_through of the fit being made. Rows of
    features.feature_importance; empty where there is no such fit, or too little has come since.
    """
    before = warehouse.read(registry.CHOICES_BEFORE, **place)
    if before.is_empty():
        return pl.DataFrame()
    chosen_through: date = before["chosen_through"][0]
    known = warehouse.read(registry.FITTED_AT, **{**place, "trained_through": chosen_through})
    later = data.take(data.day > np.datetime64(chosen_through))
    if known.is_empty() or len(np.unique(later.day)) < MIN_DAYS:
        return pl.DataFrame()
    row = known.row(-1, named=True)
    fit = PooledFit.from_bytes(load(row["artifact_id"], row["artifact_uri"], row["sha256"]))
    if later.columns != fit.columns or not {h for _, h in later.labels} >= set(fit.horizons):
        return pl.DataFrame()
    return _rows(permutation_importance(fit, later)).with_columns(
        pl.lit(place["model_id"]).alias("model_id"),
        pl.lit(row["artifact_id"]).alias("artifact_id"),
        pl.lit(chosen_through).alias("trained_through"),
    )


def _rows(found: list[Importance]) -> pl.DataFrame:
    names = ("kind", "horizon", "feature", "importance", "low", "high", "loss")
    return pl.DataFrame({name: [getattr(one, name) for one in found] for name in names})
