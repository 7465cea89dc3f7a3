"""The scoreboard: stored at the ends of weeks, computed for any other day, the same for all callers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from predtrack_assets.days import Window, last_days_of
from predtrack_assets.domain.accuracy import scoreboard as domain
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.trading import strategy_performance as money
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy import scoreboard as queries
from predtrack_assets.warehouse.database.transaction import Transaction, Written

KEY = ["as_of_day", "model_id", "kind", "horizon"]
ORDER = ["kind", "horizon", "model_id"]


@dataclass(frozen=True)
class Scoreboard:
    """The answer at the end of a day.

    rows: one per model, kind and horizon, in the columns of accuracy.scoreboard, and role,
    is_champion, gate_day, gate_status and first_failure of the latest gate until then (null where
    the cell is not gated). champions: kind, scope, model_id, valid_from, valid_until in force.
    """

    day: date
    rows: pl.DataFrame
    champions: pl.DataFrame


def scoreboard_as_of(
    transaction: Transaction,
    day: date | None = None,
    models: Collection[str] | None = None,
    horizon: int | None = None,
    since: date | None = None,
) -> Scoreboard | None:
    """The scoreboard at the end of a day, by default the last with outcomes; None before any.

    Read where it is stored (ends of weeks) and no sum is newer, else computed from the sums.
    models, horizon: of these only; since: of what fell due from then on.
    """
    known_by = day or date.max
    last = transaction.read(queries.LAST_DAY, known_by=known_by).item()
    if last is None:
        return None
    day = day or last
    if since is None and transaction.read(queries.IS_FRESH, day=day).item():
        rows = transaction.read(queries.ROWS, day=day).drop("recorded_at")
    else:
        rows = boards(transaction, np.array([day], "datetime64[D]"), since)
    rows = rows.cast({"horizon": pl.Int64})
    if models is not None:
        rows = rows.filter(pl.col("model_id").is_in(list(models)))
    if horizon is not None:
        rows = rows.filter(pl.col("horizon") == horizon)
    champions = transaction.read(queries.CHAMPIONS, day=day)
    return Scoreboard(day, _decided(transaction, rows, champions, day), champions)


def store_scoreboards(transaction: Transaction, asked: Window) -> Written:
    """Make the stored scoreboards of the weeks that end in a window what was known at their ends."""
    report_days = last_days_of("W", asked.days)
    if not len(report_days):
        return Written()
    frame = boards(transaction, report_days)
    return transaction.replace(tables.SCOREBOARD, frame, asked.opens, asked.end)


def boards(transaction: Transaction, report_days: Days, since: date | None = None) -> pl.DataFrame:
    """The scoreboards of sorted report days, each from what was known at its end.

    since: of what fell due, and was earned, from then on.
    """
    last = report_days[-1].item()
    sums = queries.read_sum_revisions(transaction, last, since)
    pnl = queries.read_pnl_revisions(transaction, last, since)
    risk_free = get_settings().risk_free_rate
    frames = []
    for known in _between_revisions(report_days, sums, pnl):
        day = known[-1].item()
        skills = domain.scoreboard(queries.sums_known(sums, day), known)
        earned = money.strategy_performance(queries.pnl_known(pnl, day), known, risk_free)
        frames.append(skills.join(earned, on=KEY, how="left", maintain_order="left"))
    return pl.concat(frames)


def equity_curves(
    transaction: Transaction, day: date, since: date | None = None
) -> dict[tuple[str, str, int], money.Equity]:
    """Daily returns of following each model, kind and horizon, as known at the end of a day."""
    pnl = queries.pnl_known(queries.read_pnl_revisions(transaction, day, since), day)
    return {
        (str(key[0]), str(key[1]), int(key[2])): money.equity(part)
        for key, part in pnl.group_by(money.CELL, maintain_order=True)
    }


def _between_revisions(report_days: Days, *revisions: pl.DataFrame) -> list[Days]:
    """Report days in runs within which nothing became known late: one reading serves a run."""
    late = np.unique(
        np.concatenate(
            [
                rows.filter(pl.col("known_day") > pl.col(day))["known_day"].to_numpy()
                for rows, day in zip(revisions, ("due_day", "trading_day"), strict=True)
            ]
        ).astype("datetime64[D]")
    )
    run = np.searchsorted(late, report_days, side="right")
    return np.split(report_days, np.flatnonzero(np.diff(run)) + 1)


def _decided(
    transaction: Transaction, rows: pl.DataFrame, champions: pl.DataFrame, day: date
) -> pl.DataFrame:
    """The rows with each model's role, its latest gate, and whether it is champion."""
    gates = transaction.read(queries.GATES, day=day).cast({"horizon": pl.Int64})
    roles = transaction.read(queries.ROLES)
    crowned = champions.select("kind", "scope", "model_id", is_champion=pl.lit(True))
    return (
        rows.with_columns(scope=pl.format("h{}", "horizon"))
        .join(roles, on="model_id", how="left")
        .join(gates, on=ORDER, how="left")
        .join(crowned, on=["kind", "scope", "model_id"], how="left")
        .with_columns(pl.col("is_champion").fill_null(False))
        .drop("scope")
        .sort(ORDER)
    )
