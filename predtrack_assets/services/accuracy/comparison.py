"""Which model is better: two on the same predictions, and each on each symbol."""

from __future__ import annotations

from datetime import date

import polars as pl

from predtrack_assets.domain.accuracy.comparison import skill_difference
from predtrack_assets.domain.accuracy.symbol_skill import symbol_skill
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.warehouse.accuracy import comparison as queries
from predtrack_assets.warehouse.accuracy.scoreboard import LAST_DAY
from predtrack_assets.warehouse.database.transaction import Transaction

FIRST = date(1900, 1, 1)


def compare(
    transaction: Transaction,
    model: str,
    other: str,
    since: date | None = None,
    day: date | None = None,
) -> pl.DataFrame:
    """Paired difference of the skills of two models by kind and horizon, as known at the end of a
    day (the last with outcomes); of predictions due from `since` on. Empty without common ones."""
    last = last_day(transaction, day)
    if last is None:
        return skill_difference(pl.DataFrame(schema={"kind": pl.String, "horizon": pl.Int64}))
    span = {"first": since or FIRST, "last": last, "as_of": as_of(last)}
    return skill_difference(transaction.read(queries.PAIRED_DAYS, one=model, other=other, **span))


def skills_by_symbol(
    transaction: Transaction,
    since: date | None = None,
    day: date | None = None,
    horizon: int | None = None,
) -> pl.DataFrame:
    """Skill of each model on each symbol over the record, shrunken, as known at the end of a day.

    horizon: of this one alone. Reads all outcomes: seconds.
    """
    last = last_day(transaction, day)
    span = {"first": since or FIRST, "last": last or FIRST, "as_of": as_of(last or FIRST)}
    return symbol_skill(transaction.read(queries.SYMBOL_MONTHS, **span, horizon=horizon))


def last_day(transaction: Transaction, day: date | None = None) -> date | None:
    """The day asked for, or the last one with outcomes; None before any."""
    return day or transaction.read(LAST_DAY, known_by=date.max).item()
