"""What the reports on symbols and on market regimes read."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from predtrack_assets.warehouse.queries import Query
from predtrack_assets.warehouse.warehouse import Transaction

_KEY = ["trading_day", "symbol", "model_id", "kind", "horizon"]

OUTCOMES = Query("""
    SELECT DISTINCT ON (trading_day, symbol, model_id, kind, horizon)
           trading_day, symbol, model_id, kind, horizon, event, due_day, status, confidence,
           occurred, abs(relative_error) AS error_magnitude, actual_return
    FROM forecasts.outcomes
    WHERE due_day BETWEEN :first AND :last AND event IS NOT NULL AND knowledge_time <= :as_of
    ORDER BY trading_day DESC, symbol DESC, model_id DESC, kind DESC, horizon DESC, knowledge_time DESC
""")

# Read apart and joined outside: on tables just filled, which have no statistics yet, the planner
# would take a nested loop over all rows.
ADVISED = Query("""
    SELECT trading_day, symbol, model_id, kind, horizon, sigma, q50
    FROM forecasts.predictions
    WHERE due_day BETWEEN :first AND :last AND kind IN ('price', 'direction')
""")

CALLS = Query("""
    SELECT DISTINCT ON (trading_day, symbol, model_id, kind, horizon)
           trading_day, model_id, kind, event, horizon, due_day, status, confidence, occurred
    FROM forecasts.outcomes
    WHERE due_day BETWEEN :first AND :last AND event IS NOT NULL AND knowledge_time <= :as_of
    ORDER BY trading_day DESC, symbol DESC, model_id DESC, kind DESC, horizon DESC, knowledge_time DESC
""")

REGIMES = Query("SELECT trading_day, market_regime FROM market.market_conditions")

BY_REGIME = Query("""
    SELECT model_id, kind, market_regime, dates, accuracy_rate, accuracy_low, accuracy_high,
           CASE conclusion WHEN 'better' THEN ' ▲' WHEN 'worse' THEN ' ▼' ELSE '' END AS mark,
           array_position(ARRAY['bull', 'bear', 'sideways', 'volatile'], market_regime) AS place
    FROM accuracy.accuracy_correlation
    WHERE period = 'rolling_365d' AND horizon = :horizon AND period_end = (
        SELECT max(period_end) FROM accuracy.accuracy_correlation
        WHERE period = 'rolling_365d' AND period_end BETWEEN :last::date - 40 AND :last)
""")


def outcomes_with_advice(
    transaction: Transaction, first: date, last: date, as_of: datetime
) -> pl.DataFrame:
    """Outcomes due in [first, last] as known at `as_of`, beside what their predictions advise by."""
    known = transaction.read(OUTCOMES, first=first, last=last, as_of=as_of)
    advice = transaction.read(ADVISED, first=first, last=last)
    return known.join(advice, on=_KEY, how="left")


def calls_in_regimes(
    transaction: Transaction, first: date, last: date, as_of: datetime
) -> pl.DataFrame:
    """Outcomes due in [first, last] as known at `as_of`, with the market's regime on decision day."""
    calls = transaction.read(CALLS, first=first, last=last, as_of=as_of)
    return calls.join(transaction.read(REGIMES), on="trading_day")
