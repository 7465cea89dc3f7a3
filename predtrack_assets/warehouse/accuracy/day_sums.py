"""Sums per due day: what they are made of, and the stored ones as they were known at a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl
from psycopg import sql

from predtrack_assets.domain.accuracy.day_sums import (
    KEYS,
    OUTCOME_COLUMNS,
    SCHEMA,
    SUMS,
    UNKNOWN_REGIME,
)
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts import queries as forecasts_queries
from predtrack_assets.warehouse.forecasts.known_outcomes import known_outcomes

REGIMES = Query("SELECT trading_day, market_regime FROM market.market_conditions")
LATEST_DUE_DAY = Query(
    "SELECT max(due_day) AS last FROM accuracy.day_sums WHERE known_day <= :known_by"
)
_PREDICTION = ["model_id", "kind", "horizon", "symbol", "trading_day"]


def due_counts(transaction: Transaction, first: date, last: date) -> pl.DataFrame:
    """How many predictions fell due in [first, last]: KEYS, due_day, trading_day, n."""
    rows = transaction.read(forecasts_queries.DUE_COUNTS, first=first, last=last)
    return _with_regime(transaction, rows)


def outcomes_to_sum(
    transaction: Transaction, first: date, last: date, known_day: date | None = None
) -> pl.DataFrame:
    """Outcomes due in [first, last] as `day_sums` takes them, as known at the end of known_day, or
    each as known at the end of its own due day."""
    known = known_outcomes(
        transaction,
        first,
        last,
        as_of(known_day or last),
        OUTCOME_COLUMNS,
        on_time=known_day is None,
    )
    known = known.with_columns(pl.col("model_id", "kind", "symbol").cast(pl.String))
    live = transaction.read(forecasts_queries.LIVE_PREDICTIONS, first=first, last=last)
    live = live.with_columns(origin=pl.lit("live"))
    rows = known.join(live, on=_PREDICTION, how="left", maintain_order="left")
    return _with_regime(transaction, rows.with_columns(pl.col("origin").fill_null("replay")))


def _with_regime(transaction: Transaction, rows: pl.DataFrame) -> pl.DataFrame:
    regimes = transaction.read(REGIMES)
    rows = rows.join(regimes, on="trading_day", how="left", maintain_order="left")
    return rows.with_columns(pl.col("market_regime").fill_null(UNKNOWN_REGIME))


def read_sums(
    transaction: Transaction,
    first: date,
    last: date,
    known_by: date,
    names: Sequence[str] = SUMS,
    models: Sequence[str] | None = None,
    horizon: int | None = None,
) -> pl.DataFrame:
    """Sums of the due days in [first, last] as known at the end of known_by: KEYS, due_day, names.

    models, horizon: of these only. One row per key and due day, sorted.
    """
    template = """SELECT {columns} FROM accuracy.day_sums
        WHERE due_day BETWEEN :first AND :last AND known_day <= :known_by"""
    if models is not None:
        template += " AND model_id IN ({models})" if models else " AND false"
    if horizon is not None:
        template += " AND horizon = {horizon}"
    wanted = [*KEYS, "due_day", "known_day", *names]
    text = sql.SQL(template).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, wanted)),
        models=sql.SQL(", ").join(map(sql.Literal, models or ())),
        horizon=sql.Literal(horizon),
    )
    query = Query(text.as_string())
    rows = transaction.read_copied(query, first=first, last=last, known_by=known_by)
    key = [*KEYS, "due_day"]
    rows = rows.sort(*key, "known_day", nulls_last=True)
    rows = rows.unique(key, keep="last", maintain_order=True)
    return rows.select(*key, *names).cast({name: SCHEMA[name] for name in (*key, *names)})
