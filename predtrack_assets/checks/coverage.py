"""Profiles and rules of coverage and of survival curves: what is due, pending and censored."""

from __future__ import annotations

import polars as pl

from predtrack_assets.checks.engine.adapter import Profile
from predtrack_assets.checks.engine.profiles import (
    every_day,
    per_day,
    period_ends,
    reports,
    span_of,
)
from predtrack_assets.checks.engine.rules import Rule, at_most, none
from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy import profiles as accuracy_profiles
from predtrack_assets.warehouse.database import profiles
from predtrack_assets.warehouse.database.transaction import Transaction

MAX_LACKING = 0.05

COVERAGE: tuple[Rule, ...] = (
    none(
        "inconsistent",
        "coverage_follows_from_counts",
        "All that is due is validated, expired or pending; coverage follows from the counts.",
    ),
    none(
        "unlike_summary",
        "agrees_with_summary",
        "Counts are those of calibration_summary for the same kind, horizon and period.",
    ),
    at_most(
        MAX_LACKING,
        "lacking_share",
        "coverage_holds",
        "At least 95 % of what fell due in 30 days has been validated.",
    ),
)
SURVIVAL_CURVES: tuple[Rule, ...] = (
    none(
        "inconsistent",
        "at_risk_follows_from_counts",
        "At risk is what neither was hit nor censored in the sessions before.",
    ),
    none("rising", "survival_never_rises", "Curves do not rise from one session to the next."),
    none(
        "outside_interval",
        "survival_in_interval",
        "Survival lies within its interval, n_eff below n.",
    ),
)


def coverage(transaction: Transaction, days: Days) -> Profile:
    """What of the last 30 days lacks a result, and reports that do not add up."""
    report = reports(tables.COVERAGE, accuracy_profiles.COVERAGE, every_day, tuple(KINDS))
    frame = report(transaction, days).frame
    share = pl.col("lacking_30d") / pl.max_horizontal("due_30d", 1)
    return Profile(frame.with_columns(lacking_share=share))


def survival_curves(transaction: Transaction, days: Days) -> Profile:
    """Curves of the ends of weeks and months on which a touch was predicted."""
    ends = period_ends(days).tolist()
    frame = per_day(
        days,
        transaction.read(accuracy_profiles.SURVIVAL_CURVES, **span_of(days)),
        transaction.read(profiles.duplicates(tables.SURVIVAL_CURVES), **span_of(days)),
        transaction.read(accuracy_profiles.TOUCH_PREDICTED, days=ends),
    )
    absent = (pl.col("reportable") > 0) & (pl.col("reports") == 0)
    return Profile(frame.with_columns(absent.cast(pl.Int64).alias("day_missing")))
