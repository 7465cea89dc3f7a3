"""Profile and rules of the scores of model versions by market regime."""

from __future__ import annotations

from predtrack_assets.checks.engine.profiles import reports
from predtrack_assets.checks.engine.rules import none, structural
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.models.kinds import PROPER_SCORES
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.models.scores import PREDICTION_SCORES as PROFILE

PREDICTION_SCORES = (
    structural(
        "day_missing", "no_missing_days", "Every last day of a month with results has scores."
    ),
    structural("duplicates", "no_duplicate_keys", "No two rows have the same key."),
    structural("non_finite", "finite_numbers", "No number is NaN or infinite."),
    structural("look_ahead", "no_look_ahead", "No score was written before its last day was over."),
    none(
        "inconsistent",
        "skill_follows_from_scores",
        "Skill follows from the mean scores beside it, and lies in its interval; n_eff below n.",
    ),
    none(
        "unlike_all",
        "regimes_sum_to_all",
        "The regimes of a version, kind and horizon add up to no more rows than all days have.",
    ),
    none("baselines", "no_baselines", "Baselines are not scored beside themselves."),
)


def month_ends(days: Days) -> Days:
    """Last trading days of a month."""
    return last_days_of("M", days)


prediction_scores = reports(tables.PREDICTION_SCORES, PROFILE, month_ends, tuple(PROPER_SCORES))
