"""The checks of what tuning found."""

from __future__ import annotations

from predtrack_assets.checks.engine.adapter import Profile
from predtrack_assets.checks.engine.factory import Suite
from predtrack_assets.checks.engine.profiles import per_day
from predtrack_assets.checks.engine.rules import none, structural
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.warehouse.database import profiles
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.models import optimization


def _results(transaction: Transaction, days: Days) -> Profile:
    """Results per week, and those that lie on another day than the last of a week."""
    span = {"first": days[0].item(), "last": days[-1].item()}
    found = transaction.read(optimization.PROFILE, **span)
    copies = transaction.read(profiles.duplicates(optimization.RESULTS), **span)
    ends = last_days_of("W", days).tolist()
    frame = per_day(days, found, copies)
    between = frame["results"] * ~frame["day"].is_in(ends)
    return Profile(frame.with_columns(between.alias("off_week")))


TUNING_SUITES = (
    Suite(
        optimization.RESULTS,
        _results,
        (
            structural("duplicates", "no_duplicate_keys", "No task has two results."),
            structural(
                "look_ahead",
                "no_look_ahead",
                "Nothing was found before its day was over.",
            ),
            none("off_week", "only_week_ends", "Tuning is as of the last trading day of a week."),
            none(
                "unfounded",
                "from_successful_attempts",
                "Every result comes from an attempt that succeeded, as of its task's day.",
            ),
            none(
                "silent",
                "accepted_has_an_event",
                "Everything that was accepted left an improvement event.",
            ),
        ),
    ),
)
