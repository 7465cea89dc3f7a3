"""What features were worth to a fit in the time after it: computed when families are chosen anew."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from predtrack_assets import plots
from predtrack_assets.artifacts import load
from predtrack_assets.domain.learners.importance import Importance, permutation_importance
from predtrack_assets.domain.learners.pooled import PooledFit
from predtrack_assets.domain.learners.training_data import TrainingData
from predtrack_assets.warehouse import registry
from predtrack_assets.warehouse.warehouse import Warehouse

MIN_DAYS = 120  # decision days after a fit below which its importances say nothing


def importance_since(
    warehouse: Warehouse, place: Mapping[str, Any], data: TrainingData
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


def importance_plot(rows: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The most important features, each as a share of the loss that it is taken from."""
    used = rows.filter(pl.col("importance") != 0)
    if used.is_empty():
        return plots.nothing("the families in use look at no feature")
    label = pl.format("{} ({} {})", "feature", "kind", "horizon")
    share = used.select(label.alias("name"), *(pl.col(c) / pl.col("loss").abs() for c in _BOUNDS))
    means, lows, highs = (share[c].to_numpy() for c in _BOUNDS)
    what = f"{rows['model_id'][0]}, chosen through {rows['trained_through'][0]}"
    return plots.importance(share["name"].to_list(), means, lows, highs, what)


_BOUNDS = ("importance", "low", "high")
