"""Profiles and rules of sums per due day and of survival curves: what is due, pending and censored."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from predtrack_assets.checks.engine.adapter import Profile
from predtrack_assets.checks.engine.profiles import (
    every_day,
    per_day,
    period_ends,
    reports,
    span_of,
)
from predtrack_assets.checks.engine.rules import Rule, at_most, none, structural
from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy import profiles as accuracy_profiles
from predtrack_assets.warehouse.accuracy.day_sums import read_sums
from predtrack_assets.warehouse.database import profiles
from predtrack_assets.warehouse.database.transaction import Transaction

MAX_LACKING = 0.05
MONTH = timedelta(days=30)

DAY_SUMS: tuple[Rule, ...] = (
    structural(
        "day_missing", "no_missing_days", "Every day on which anything was validated has sums."
    ),
    structural("duplicates", "no_duplicate_keys", "No two rows have the same key."),
    structural("non_finite", "finite_numbers", "No number is NaN or infinite."),
    structural("look_ahead", "no_look_ahead", "No sums were written before their day was over."),
    none(
        "miscounted",
        "coverage_follows_from_counts",
        "No more is validated or expired than fell due, and what is validated is scored.",
    ),
    none(
        "unlike_buckets", "buckets_add_up", "The buckets add up to all rows, hits and confidence."
    ),
    none(
        "skilful_baselines",
        "no_skill_in_baselines",
        "The losses of no_change and of drift are those of the baselines of these names.",
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


def day_sums(transaction: Transaction, days: Days) -> Profile:
    """Sums that do not add up, days without any, and what of the last 30 days lacks a result."""
    report = reports(tables.DAY_SUMS, accuracy_profiles.DAY_SUMS, every_day, tuple(KINDS))
    frame = report(transaction, days).frame
    first, last = span_of(days)["first"] - MONTH, days[-1].item()
    sums = read_sums(transaction, first, last, last, ["due", "validated"])
    per_date = sums.group_by("due_day").agg(pl.col("due", "validated").sum()).sort("due_day")
    at = per_date["due_day"].to_numpy().astype("datetime64[D]")
    due, lacking = (
        np.append(0, np.cumsum(values.to_numpy()))
        for values in (per_date["due"], per_date["due"] - per_date["validated"])
    )
    begin, end = (np.searchsorted(at, day, side="right") for day in (days - 30, days))
    share = (lacking[end] - lacking[begin]) / np.maximum(due[end] - due[begin], 1)
    return Profile(frame.with_columns(pl.Series("lacking_share", share)))


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
