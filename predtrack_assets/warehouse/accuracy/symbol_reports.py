"""What the reports on symbols and on market regimes read."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from predtrack_assets.domain.models.kinds import WITH_EVENT
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts.known_outcomes import known_outcomes

_KEY = ["trading_day", "symbol", "model_id", "kind", "horizon"]
_OF_SYMBOLS = ["status", "confidence", "occurred", "relative_error", "actual_return"]

# Read apart and joined outside: on tables just filled, which have no statistics yet, the planner
# would take a nested loop over all rows.
ADVISED = Query("""
    SELECT trading_day, symbol, model_id, kind, horizon, sigma, q50
    FROM forecasts.predictions
    WHERE due_day BETWEEN :first AND :last AND kind IN ('price', 'direction')
      AND horizon_unit = 'session'
""")

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
    known = known_outcomes(transaction, first, last, as_of, _OF_SYMBOLS, WITH_EVENT)
    advice = transaction.read_copied(ADVISED, first=first, last=last)
    text = {
        name: kind for name, kind in known.schema.items() if name in ("symbol", "model_id", "kind")
    }
    advice = advice.with_columns(
        pl.col(name).cast(kind, strict=False) for name, kind in text.items()
    )
    return known.with_columns(error_magnitude=pl.col("relative_error").abs()).join(
        advice, on=_KEY, how="left", maintain_order="left"
    )
