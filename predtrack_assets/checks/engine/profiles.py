"""Profiles: at most one row per trading day of a window, whatever the size of the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.checks.engine.adapter import Profile, markdown
from predtrack_assets.days import Window, last_days_of, window_start
from predtrack_assets.domain.market.bars import SYMBOL_PATTERN
from predtrack_assets.domain.market.gaps import ended_per_day, missing_per_day
from predtrack_assets.domain.models.kinds import WITH_EVENT
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.time.calendar import FIRST_DAY, LAST_DAY
from predtrack_assets.services.market.gaps import exchange_sessions, gap_report
from predtrack_assets.settings import get_settings
from predtrack_assets.stores.artifacts import ArtifactError, load
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy import profiles as accuracy_profiles
from predtrack_assets.warehouse.database import profiles
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts import profiles as forecasts_profiles
from predtrack_assets.warehouse.market import profiles as market_profiles
from predtrack_assets.warehouse.models import profiles as models_profiles
from predtrack_assets.warehouse.models import registry
from predtrack_assets.warehouse.tables import Table

ProfileOf = Callable[[Transaction, Days], Profile]

RECENT = 30  # trading days
SHOWN_GAPS = SHOWN_FILES = 20
HISTORY_DAYS = 120  # calendar days of bars after which a symbol is sure to be predicted
EXPIRY_SLACK = 5  # trading days: exchanges differ in their holidays


def recent_days(transaction: Transaction, table: Table) -> Days:
    """The latest 30 trading days up to the table's last day, or up to today when it is empty."""
    last = transaction.read(profiles.last_day(table)).item() or transaction.now.date()
    return Window(FIRST_DAY, last).days[-RECENT:]


def universe_members(transaction: Transaction, _days: Days) -> Profile:
    """One row per universe."""
    return Profile(transaction.read(market_profiles.UNIVERSE_MEMBERS, pattern=SYMBOL_PATTERN))


def model_registry(transaction: Transaction, _days: Days) -> Profile:
    """One row per model version."""
    return Profile(transaction.read(models_profiles.MODEL_REGISTRY))


def pooled_models(transaction: Transaction, _days: Days) -> Profile:
    """One row on the fits of all symbols."""
    return _fits(transaction, pooled=True)


def symbol_models(transaction: Transaction, _days: Days) -> Profile:
    """One row on the fits of one symbol each."""
    return _fits(transaction, pooled=False)


def _fits(transaction: Transaction, *, pooled: bool) -> Profile:
    """Counts of fits, and how many of those in force have no file or another one."""
    damaged = []
    for fit in transaction.read(registry.NEWEST_FILES, pooled=pooled).iter_rows():
        try:
            load(*fit)
        except ArtifactError as error:
            damaged.append(str(error))
    frame = transaction.read(registry.FIT_PROFILE, pooled=pooled)
    frame = frame.with_columns(pl.lit(len(damaged), pl.Int64).alias("damaged"))
    return Profile(frame, {"files_as_stored": {"damaged": damaged[:SHOWN_FILES]}})


def market_data(transaction: Transaction, days: Days) -> Profile:
    """Bars, what was refused of them, and the sessions without any."""
    span = span_of(days)
    gaps = gap_report(transaction, **span)
    frame = per_day(
        days,
        transaction.read(market_profiles.MARKET_DATA, **span, **_sessions(transaction, **span)),
        transaction.read(profiles.duplicates(tables.MARKET_DATA, "knowledge_time"), **span),
        transaction.read(market_profiles.QUARANTINE, **span),
        transaction.read(market_profiles.FETCHES, **span),
        missing_per_day(gaps),
        ended_per_day(transaction.read(market_profiles.LAST_BARS), **span),
    )
    present, missing, refused = (pl.col(c) for c in ("present", "missing", "quarantined"))
    # One symbol's hole is its own; a day that nobody has is a hole in the history.
    nobody = (present == 0) & (missing > 1) & (refused == 0)
    frame = frame.with_columns(
        nobody.cast(pl.Int64).alias("day_missing"),
        _share_but_one(pl.col("suspect"), present).alias("suspect_share"),
        _share_but_one(refused, present + refused).alias("quarantined_share"),
        _share_but_one(pl.col("ended"), present + pl.col("ended")).alias("ended_share"),
    )
    return Profile(
        frame,
        {
            "no_gaps": {
                "sessions_missing": int(gaps["sessions"].sum()),
                "symbols_with_gaps": gaps["symbol"].n_unique(),
                "longest_gaps": markdown(gaps.head(SHOWN_GAPS)),
            },
            "few_quarantined": {
                "quarantined": markdown(
                    transaction.read(market_profiles.QUARANTINED_SYMBOLS, **span)
                )
            },
        },
    )


def corporate_actions(transaction: Transaction, days: Days) -> Profile:
    """Splits and dividends by ex-date."""
    span = span_of(days)
    actions = transaction.read(
        market_profiles.CORPORATE_ACTIONS, **span, **_sessions(transaction, **span)
    )
    copies = profiles.duplicates(tables.CORPORATE_ACTIONS, "knowledge_time")
    return Profile(per_day(days, actions, transaction.read(copies, **span)))


def market_conditions(transaction: Transaction, days: Days) -> Profile:
    """The market's condition, and days of the benchmark without one."""
    span = span_of(days)
    benchmark = get_settings().benchmark
    conditions = transaction.read(market_profiles.MARKET_CONDITIONS, **span, benchmark=benchmark)
    copies = transaction.read(profiles.duplicates(tables.MARKET_CONDITIONS), **span)
    return Profile(per_day(days, conditions, copies))


def predictions(transaction: Transaction, days: Days) -> Profile:
    """Predictions, those refused, and symbols without a prediction."""
    span = span_of(days)
    sessions = _sessions(transaction, span["first"], _after_longest_horizon(days))
    frame = per_day(
        days,
        transaction.read(forecasts_profiles.PREDICTIONS, **span, **sessions),
        transaction.read(profiles.duplicates(tables.PREDICTIONS), **span),
        transaction.read(forecasts_profiles.REFERENCE_PRICES, **span),
        transaction.read(forecasts_profiles.PREDICTABLE, **span, history_days=HISTORY_DAYS),
        transaction.read(forecasts_profiles.SKIPPED_PREDICTIONS, **span),
    )
    predicted, not_predicted, skipped = (
        pl.col(c) for c in ("predictions", "not_predicted", "skipped")
    )
    nothing = (predicted == 0) & (skipped == 0) & (not_predicted > 1)
    return Profile(
        frame.with_columns(
            nothing.cast(pl.Int64).alias("day_missing"),
            _share(skipped, predicted + skipped).alias("skipped_share"),
        )
    )


def outcomes(transaction: Transaction, days: Days) -> Profile:
    """Outcomes by the day they were resolved, beside the fate of what fell due some days before.

    That is expire_after and a few more trading days, when all of it must have ended.
    """
    span = span_of(days)
    everything = Window(FIRST_DAY, span["last"]).days
    wait = get_settings().expire_after + EXPIRY_SLACK
    due_days = everything[np.maximum(np.searchsorted(everything, days) - wait, 0)]
    fate = per_day(due_days, transaction.read(forecasts_profiles.FALLEN_DUE, **span_of(due_days)))
    copies = profiles.duplicates(tables.OUTCOMES, "knowledge_time")
    until = _after_longest_horizon(days)
    frame = per_day(
        days,
        transaction.read(forecasts_profiles.OUTCOMES, **span, until=until),
        transaction.read(forecasts_profiles.RESULTS, **span, until=until),
        transaction.read(copies, **span),
        fate.with_columns(pl.Series("day", days).cast(pl.Date)),
    )
    return Profile(
        frame.with_columns(_share(pl.col("expired"), pl.col("due")).alias("expired_share"))
    )


def every_day(days: Days) -> Days:
    return days


def period_ends(days: Days) -> Days:
    """Last trading days of a week or a month."""
    return np.union1d(last_days_of("W", days), last_days_of("M", days))


def reports(
    table: Table,
    query: Query,
    report_days: Callable[[Days], Days],
    kinds: Sequence[str] = WITH_EVENT,
) -> ProfileOf:
    """Profile of an accuracy table, which must have a report where there is something to report."""

    def profile(transaction: Transaction, days: Days) -> Profile:
        span = span_of(days)
        due = transaction.read(
            accuracy_profiles.REPORTABLE, days=report_days(days).tolist(), kinds=list(kinds)
        )
        frame = per_day(
            days,
            transaction.read(query, **span),
            transaction.read(profiles.duplicates(table), **span),
            due,
        )
        absent = (pl.col("reportable") > 0) & (pl.col("reports") == 0)
        return Profile(frame.with_columns(absent.cast(pl.Int64).alias("day_missing")))

    return profile


def per_day(days: Days, *counts: pl.DataFrame) -> pl.DataFrame:
    """day and the columns of all frames, summed; one row for each of `days`, sorted datetime64[D].

    counts: day and numbers. A day in between counts with the trading day that follows it.
    """
    frame = pl.DataFrame({"day": pl.Series(days).cast(pl.Date)})
    for part in counts:
        position = np.searchsorted(days, part["day"].to_numpy().astype("datetime64[D]"))
        trading_day = frame["day"].gather(np.minimum(position, len(days) - 1))
        summed = part.with_columns(trading_day.alias("day")).group_by("day").sum()
        frame = frame.join(summed, on="day", how="left", maintain_order="left")
    return frame.fill_null(0)


def span_of(days: Days) -> dict[str, date]:
    """First and last calendar day that the trading days account for."""
    return {"first": window_start(days[0].item(), get_settings()), "last": days[-1].item()}


def _sessions(transaction: Transaction, first: date, last: date) -> dict[str, Any]:
    """Parameters of a statement that needs the sessions of every exchange: equally long lists."""
    return exchange_sessions(transaction, first, last).to_dict(as_series=False)


def _after_longest_horizon(days: Days) -> date:
    """A day on or after the due day of everything that was predicted until the last of `days`."""
    reach = timedelta(days=2 * max(get_settings().horizons) + 14)
    return min(days[-1].item() + reach, LAST_DAY)


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return part / pl.max_horizontal(whole, 1)


def _share_but_one(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """A share that one case does not raise, so that few symbols do not alarm by being few."""
    return _share(pl.max_horizontal(part - 1, 0), whole)
