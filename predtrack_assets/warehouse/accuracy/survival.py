"""What the survival curves are made of: touch predictions of a window, their outcomes, bars seen."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market import queries as market_queries

_KEY = ["model_id", "horizon", "symbol", "trading_day"]

PREDICTIONS = Query("""
    SELECT model_id, horizon, symbol, trading_day, due_day, confidence, reference_price, sigma, target_price
    FROM forecasts.predictions
    WHERE kind = 'time_to_hit' AND trading_day BETWEEN :first AND :last
      AND horizon_unit = 'session'
""")

OUTCOMES = Query("""
    SELECT DISTINCT ON (trading_day, symbol, model_id, horizon)
           model_id, horizon, symbol, trading_day, status, resolved_day, occurred, actual_days
    FROM forecasts.outcomes
    WHERE kind = 'time_to_hit' AND trading_day BETWEEN :first AND :last AND knowledge_time <= :as_of
      AND horizon_unit = 'session'
    ORDER BY trading_day DESC, symbol DESC, model_id DESC, horizon DESC, knowledge_time DESC
""")

BARS = Query("""
    SELECT DISTINCT symbol, trading_day FROM market.market_data
    WHERE trading_day BETWEEN :first AND :last AND knowledge_time <= :as_of
""")

CURVES = Query("""
    SELECT model_id, period_start, period_end, session, n, survival, survival_low, survival_high,
           predicted_survival, baseline_survival
    FROM accuracy.survival_curves
    WHERE horizon = :horizon AND (period, period_end) = (
        SELECT period, period_end FROM accuracy.survival_curves
        WHERE horizon = :horizon AND period_end BETWEEN :first AND :last
        ORDER BY n DESC, period_end DESC, period LIMIT 1)
    ORDER BY model_id, session
""")


def touch_predictions(
    transaction: Transaction, first: date, last: date, as_of: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Predictions made in [first, last] and bars of those days, as `survival.survival_curves` takes
    them, known at `as_of`."""
    span = {"first": first, "last": last}
    # Joined here, as tables just filled have no statistics for the planner to choose a join by.
    predictions = (
        transaction.read(PREDICTIONS, **span)
        .join(transaction.read(market_queries.SYMBOLS).select("symbol", "exchange"), on="symbol")
        .join(transaction.read(OUTCOMES, **span, as_of=as_of), on=_KEY, how="left")
    )
    return predictions, transaction.read(BARS, **span, as_of=as_of)
