"""Profiles and rules of the feature stage's tables."""

from __future__ import annotations

import polars as pl

from predtrack_assets.checks.engine.adapter import Profile
from predtrack_assets.checks.engine.profiles import per_day, span_of
from predtrack_assets.checks.engine.rules import none, structural
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database import profiles
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.features import profiles as feature_profiles

FEATURE_SETS = (
    structural("duplicates", "no_duplicate_keys", "No two rows have the same key."),
    none("repeated", "columns_differ", "No two features of a set have the same name."),
)
FEATURE_STORE = (
    structural(
        "day_missing", "no_missing_days", "Every day on which symbols have bars has vectors."
    ),
    structural("duplicates", "no_duplicate_keys", "No two rows have the same key."),
    none("malformed", "vectors_whole", "A vector has one number for each column of its set."),
    structural("look_ahead", "no_look_ahead", "No vector was written before its day was over."),
    none("unregistered", "sets_registered", "Every vector's feature set is registered."),
    none(
        "without_vector", "every_bar_has_a_vector", "Symbols have a vector where they have a bar."
    ),
    none("without_bar", "every_vector_has_a_bar", "Every vector is of a day with a bar."),
)


def feature_sets(transaction: Transaction, _days: Days) -> Profile:
    """One row per version of a feature set."""
    return Profile(transaction.read(feature_profiles.FEATURE_SETS))


def feature_store(transaction: Transaction, days: Days) -> Profile:
    """Vectors beside the bars that were known at the end of their day."""
    span = span_of(days)
    frame = per_day(
        days,
        transaction.read(feature_profiles.FEATURE_STORE, **span),
        transaction.read(profiles.duplicates(tables.FEATURE_STORE), **span),
    )
    nothing = (pl.col("vectors") == 0) & (pl.col("without_vector") > 1)
    return Profile(frame.with_columns(nothing.cast(pl.Int64).alias("day_missing")))
