"""Replay: what is stored, recomputed from what was known on its day, and compared bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

import numpy as np
import polars as pl

from predtrack_assets.days import Window
from predtrack_assets.domain.audit.replay_comparison import Parity, compare
from predtrack_assets.domain.forecasts.predict import PREDICTIONS
from predtrack_assets.domain.models.baselines import BASELINES, MODELS
from predtrack_assets.proofs.stages import PREDICTED, REPLAYED, RESOLVED, Stage
from predtrack_assets.services.forecasts.forecast_days import forecast_days
from predtrack_assets.services.models.fits_in_force import procedures, referenced_fits
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import READER, Database, Transaction
from predtrack_assets.warehouse.forecasts import stored_rows

ROWS_AT_ONCE = 400_000
DAYS_AT_ONCE = 125
SHOWN = 20
HANDED_IN = "not a model of ours: its rows were handed in"
UNKNOWN = "this version of the code has no such model"

Progress = Callable[[str], None]


def replay(
    warehouse: Database,
    settings: Settings,
    first: date,
    last: date,
    sample: int | None = None,
    seed: int = 0,
    stages: tuple[Stage, ...] = REPLAYED,
    progress: Progress = lambda _: None,
) -> dict[Stage, Parity]:
    """Parity of every stored row of `stages` that lies in [first, last].

    sample: so many random days instead, each computed alone, from rows with knowledge_time <=
    as_of of just that day. Without it days are computed in runs of up to DAYS_AT_ONCE.
    """
    result = {}
    for stage in stages:
        parity = Parity()
        for asked, done, number in _windows(warehouse, stage, first, last, sample, seed):
            with warehouse.transaction(READER) as transaction:
                parity += _replay(transaction, stage, asked, settings, SHOWN)
            parity.mismatches = parity.mismatches[:SHOWN]
            progress(
                f"{stage.table}: {done} of {number} {'days' if sample else 'runs of days'},"
                f" {parity.equal.total():,} of {parity.compared.total():,} rows equal"
            )
        result[stage] = parity
    return result


def _windows(
    warehouse: Database, stage: Stage, first: date, last: date, sample: int | None, seed: int
) -> Iterator[tuple[Window, int, int]]:
    """Windows that together hold the days with stored rows, or the sampled ones, with a count."""
    stored = warehouse.read(stored_rows.rows_per_day(stage.table), first=first, last=last)
    days = stored["day"].to_list()
    if sample is not None:
        random = np.random.default_rng(seed)
        chosen = np.sort(random.choice(len(days), min(sample, len(days)), replace=False))
        windows = [Window(days[i], days[i]) for i in chosen]
    else:
        run = (stored["rows"].cum_sum() // ROWS_AT_ONCE).to_numpy()
        count = np.arange(len(days)) // DAYS_AT_ONCE
        starts = [
            i for i in range(len(days)) if i == 0 or run[i] > run[i - 1] or count[i] > count[i - 1]
        ]
        ends = [*(i - 1 for i in starts[1:]), len(days) - 1]
        windows = [Window(days[a], days[b]) for a, b in zip(starts, ends, strict=False)]
    for number, asked in enumerate(windows, 1):
        yield asked, number, len(windows)


def _replay(
    transaction: Transaction, stage: Stage, asked: Window, settings: Settings, show: int
) -> Parity:
    """Parity of the stored rows of one window."""
    stored = transaction.read(stored_rows.rows_of(stage.table), first=asked.start, last=asked.end)
    if stage is PREDICTED:
        return _replay_predictions(transaction, stored, asked, show)
    recomputed = stage.compute(transaction, asked, settings)
    whole = None
    if stage is RESOLVED:
        whole = stage.table.day
        recomputed = _without_later(transaction, stored, recomputed, asked)
    return compare(stored, recomputed, stage.table.key, stage.by, show, stage.places, whole)


def _without_later(
    transaction: Transaction, stored: pl.DataFrame, recomputed: pl.DataFrame, asked: Window
) -> pl.DataFrame:
    """Recomputed outcomes but those of predictions that came after their day was resolved.

    Such a prediction waits for a backfill of its day; its outcome is not gone, it never was.
    """
    key = list(tables.OUTCOMES.key)
    new = recomputed.join(stored, on=key, how="anti")
    if new.is_empty():
        return recomputed
    days, models = new["trading_day"], new["model_id"].unique().to_list()
    predicted = transaction.read(
        stored_rows.RECORDED_PREDICTIONS, first=days.min(), last=days.max(), models=models
    )
    until = transaction.read(stored_rows.RESOLVED_UNTIL, first=asked.start, last=asked.end)
    later = (
        new.join(predicted.cast({c: new.schema[c] for c in key}), on=key)
        .join(until, on="resolved_day")
        .filter(pl.col("recorded_at") > pl.col("resolved_at"))
    )
    return recomputed.join(later, on=key, how="anti")


def _replay_predictions(
    transaction: Transaction, stored: pl.DataFrame, asked: Window, show: int
) -> Parity:
    """Parity of stored predictions: each by the model, and the fit, that it names."""
    referenced = (
        stored.filter(pl.col("artifact_id").is_not_null())
        .group_by("artifact_id")
        .agg(first=pl.col("trading_day").min(), last=pl.col("trading_day").max())
    )
    turns, unavailable = referenced_fits(transaction, referenced)
    reason = _reasons(transaction, stored, unavailable)
    apart = stored.with_columns(reason).filter(reason.is_not_null())
    stored = stored.filter(reason.is_null())
    horizons = tuple(stored["horizon"].unique().sort())
    asked_again = forecast_days(transaction, asked, horizons, MODELS, turns=turns)
    parts = list(asked_again) if len(stored) else []
    accepted = [part.accepted for part in parts]
    # A rule of coherence that came later refuses no row that was written before it.
    refused = [part.refused.select(*PREDICTIONS) for part in parts]
    recomputed = pl.concat([pl.DataFrame(schema=PREDICTIONS), *accepted, *refused])
    key = [*tables.PREDICTIONS.key, "artifact_id"]
    # Around a refit both fits are asked for the days between; only stored predictions are compared.
    predicted = recomputed.join(stored.select(key), on=key, how="semi", nulls_equal=True)
    unfitted = pl.concat([pl.DataFrame(schema=PREDICTIONS), *accepted]).filter(
        pl.col("artifact_id").is_null()
    )
    not_predicted = unfitted.join(predicted, on=key, how="anti", nulls_equal=True)
    # On days on which a setting kept baselines from predicting, none of theirs is missing.
    there = stored.select("model_id", "trading_day").unique()
    baselines = pl.col("model_id").is_in(sorted(BASELINES))
    not_predicted = pl.concat(
        [
            not_predicted.filter(~baselines),
            not_predicted.filter(baselines).join(there, on=there.columns, how="semi"),
        ]
    )
    parity = compare(
        stored, pl.concat([predicted, not_predicted]), tables.PREDICTIONS.key, PREDICTED.by, show
    )
    for model, kind, why, rows in apart.group_by("model_id", "kind", "reason").len().iter_rows():
        found = parity.foreign if why in (HANDED_IN, UNKNOWN) else parity.unreplayable
        found[(model, kind), why] += rows
    return parity


def _reasons(
    transaction: Transaction, stored: pl.DataFrame, unavailable: dict[str, str]
) -> pl.Series:
    """Why a stored row cannot be computed again, null where it can."""
    registered = set(transaction.read(stored_rows.REGISTERED)["model_id"])
    unfitted = {model.model_id for model in MODELS}
    fitted = {procedure.model_id for procedure in procedures(transaction)}
    of_model = {
        model: UNKNOWN if model in registered else HANDED_IN
        for model in set(stored["model_id"].unique()) - unfitted - fitted
    }
    nothing = pl.lit(None, pl.String)
    reasons = stored.select(
        pl.coalesce(
            pl.col("model_id").replace_strict(of_model, default=None, return_dtype=pl.String),
            pl.col("artifact_id").replace_strict(unavailable, default=None, return_dtype=pl.String),
            pl.when(pl.col("model_id").is_in(fitted) & pl.col("artifact_id").is_null())
            .then(pl.lit("it names no fit"))
            .otherwise(nothing),
        ).alias("reason")
    )
    return reasons["reason"]
