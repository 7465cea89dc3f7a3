"""Profile and rules of accuracy by market regime."""

from __future__ import annotations

import polars as pl

from predtrack_assets.checks.engine.adapter import Profile
from predtrack_assets.checks.engine.profiles import per_day, span_of
from predtrack_assets.checks.engine.rules import none, structural
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy import regime_profiles
from predtrack_assets.warehouse.database import profiles
from predtrack_assets.warehouse.database.transaction import Transaction

ACCURACY_CORRELATION = (
    structural(
        "day_missing",
        "no_missing_days",
        "Every last day of a month with results from known regimes has its report.",
    ),
    structural("duplicates", "no_duplicate_keys", "No two rows have the same key."),
    structural("non_finite", "finite_numbers", "No number is NaN or infinite."),
    structural(
        "look_ahead", "no_look_ahead", "No report was written before its last day was over."
    ),
    none("wrong_period", "period_is_whole", "Periods begin with the month, or 364 days before."),
    none(
        "inconsistent",
        "contrast_follows_from_rates",
        "Difference, statistic and correlation follow from the rates beside them.",
    ),
    none(
        "outside_interval", "rates_in_interval", "Rates lie within their intervals, n_eff below n."
    ),
    none(
        "unfounded_tests",
        "few_dates_untested",
        "Nothing is tested on fewer than ten dates of a regime or of the others.",
    ),
    none(
        "unlike_others",
        "regimes_against_the_rest",
        "Every regime and its rest add up to the same number of calls.",
    ),
)


def accuracy_correlation(transaction: Transaction, days: Days) -> Profile:
    """Reports by market regime, and month ends that have something to report and no report."""
    span = span_of(days)
    ends = last_days_of("M", days)
    frame = per_day(
        days,
        transaction.read(regime_profiles.ACCURACY_CORRELATION, **span),
        transaction.read(profiles.duplicates(tables.ACCURACY_CORRELATION), **span),
        transaction.read(regime_profiles.REPORTABLE, days=ends.tolist()),
    )
    absent = (pl.col("reportable") > 0) & (pl.col("reports") == 0)
    return Profile(frame.with_columns(absent.cast(pl.Int64).alias("day_missing")))
