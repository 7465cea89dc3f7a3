"""Profiles and rules of the scoreboard and of the daily P&L that its money comes from."""

from __future__ import annotations

from predtrack_assets.checks.engine.adapter import Profile
from predtrack_assets.checks.engine.profiles import per_day, reports, span_of
from predtrack_assets.checks.engine.rules import Rule, none, structural
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy import scoreboard as queries
from predtrack_assets.warehouse.database import profiles
from predtrack_assets.warehouse.database.transaction import Transaction

_DUPLICATES = structural("duplicates", "no_duplicate_keys", "No two rows have the same key.")
_FINITE = structural("non_finite", "finite_numbers", "No number is NaN or infinite.")

STRATEGY_PNL: tuple[Rule, ...] = (
    _DUPLICATES,
    _FINITE,
    structural("look_ahead", "no_look_ahead", "No P&L was written before its day was over."),
    none(
        "overexposed",
        "exposure_follows_from_signals",
        "Net is no more than gross exposure, and that no more than the capital deployed.",
    ),
    none("idle_profit", "no_profit_in_no_change", "no_change, which only holds, earns nothing."),
)
SCOREBOARD: tuple[Rule, ...] = (
    structural(
        "day_missing", "no_missing_days", "Every last day of a week with results has a scoreboard."
    ),
    _DUPLICATES,
    _FINITE,
    structural("look_ahead", "no_look_ahead", "No scoreboard was written before its day was over."),
    none(
        "outside_interval", "skill_in_interval", "Skills lie within their intervals, n_eff below n."
    ),
    none(
        "skilful_no_change", "no_skill_in_no_change", "The skill of no_change against itself is 0."
    ),
    none(
        "inconsistent",
        "ratios_in_interval",
        "Sharpe ratios lie within their intervals; what never bought or sold has none.",
    ),
)


def strategy_pnl(transaction: Transaction, days: Days) -> Profile:
    """Rows of each day that were known on it."""
    span = span_of(days)
    return Profile(
        per_day(
            days,
            transaction.read(queries.PNL_PROFILE, **span),
            transaction.read(profiles.duplicates(tables.STRATEGY_PNL), **span),
        )
    )


def week_ends(days: Days) -> Days:
    """Last trading days of a week."""
    return last_days_of("W", days)


scoreboard = reports(tables.SCOREBOARD, queries.SCOREBOARD_PROFILE, week_ends, tuple(KINDS))
