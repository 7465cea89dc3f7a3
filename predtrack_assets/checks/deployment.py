"""The checks of gates, A/B tests and deployments."""

from __future__ import annotations

import polars as pl

from predtrack_assets.checks.engine.adapter import Profile
from predtrack_assets.checks.engine.factory import Suite
from predtrack_assets.checks.engine.profiles import ProfileOf, per_day
from predtrack_assets.checks.engine.rules import none, structural
from predtrack_assets.days import last_days_of, window_start
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database import profiles
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.deployment import profiles as gate_profiles
from predtrack_assets.warehouse.tables import Table

DUPLICATES = structural("duplicates", "no_duplicate_keys", "No two rows have the same key.")
NON_FINITE = structural("non_finite", "finite_numbers", "No number is NaN or infinite.")
LOOK_AHEAD = structural(
    "look_ahead", "no_look_ahead", "Nothing was decided before its day was over."
)


def _profile(table: Table, query: Query) -> ProfileOf:
    def profile(transaction: Transaction, days: Days) -> Profile:
        span = {"first": window_start(days[0].item(), get_settings()), "last": days[-1].item()}
        copies = transaction.read(profiles.duplicates(table), **span)
        return Profile(per_day(days, transaction.read(query, **span), copies))

    return profile


def _gates(transaction: Transaction, days: Days) -> Profile:
    """Gates, and week ends that have something to judge and no gate."""
    found = _profile(tables.DEPLOYMENT_GATES, gate_profiles.GATES)(transaction, days).frame
    ends = last_days_of("W", days)
    horizons = list(get_settings().gated_horizons)
    due = transaction.read(gate_profiles.JUDGEABLE, days=ends.tolist(), horizons=horizons)
    frame = found.join(per_day(days, due), on="day", maintain_order="left")
    week_end = pl.col("day").is_in(pl.Series(ends).cast(pl.Date).implode())
    absent = (pl.col("judgeable") > 0) & (pl.col("gates") == 0)
    between = pl.when(week_end).then(0).otherwise(pl.col("gates"))
    return Profile(frame.with_columns(absent.cast(pl.Int64).alias("day_missing"), off_week=between))


GATE_SUITES = (
    Suite(
        tables.DEPLOYMENT_GATES,
        _gates,
        (
            structural(
                "day_missing",
                "no_missing_days",
                "Every week with a result to judge ends with gates.",
            ),
            DUPLICATES,
            NON_FINITE,
            LOOK_AHEAD,
            none("off_week", "only_week_ends", "Gates speak for the last trading day of a week."),
            none(
                "wrongly_passed",
                "passed_means_every_criterion",
                "A gate is passed exactly when its six criteria are, and its coverage.",
            ),
            none(
                "unexplained",
                "failures_explained",
                "Everything that is not passed has its reason.",
            ),
        ),
    ),
    Suite(
        tables.AB_TESTS,
        _profile(tables.AB_TESTS, gate_profiles.AB_TESTS),
        (
            DUPLICATES,
            NON_FINITE,
            LOOK_AHEAD,
            none(
                "misjudged", "status_follows_e_value", "Promoted or rejected exactly from there on."
            ),
            none("same_model", "two_models", "No model is tested against itself."),
        ),
    ),
    Suite(
        tables.DEPLOYMENTS,
        _profile(tables.DEPLOYMENTS, gate_profiles.DEPLOYMENTS),
        (
            DUPLICATES,
            LOOK_AHEAD,
            none(
                "unpermitted",
                "passed_or_overridden",
                "Every champion passed its gate or had an override in force.",
            ),
            none("baselines", "no_baselines", "No baseline is champion."),
        ),
    ),
)
