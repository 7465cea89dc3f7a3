"""Statements about predictions and outcomes."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

LATE_DUE_DAYS = Query("""
    SELECT DISTINCT resolved_day AS known_day, due_day, kind, horizon FROM forecasts.outcomes
    WHERE horizon_unit = 'session' AND resolved_day > due_day AND resolved_day BETWEEN :first AND :last
    ORDER BY known_day, due_day
""")
LATE_OUTCOMES = Query("""
    SELECT DISTINCT resolved_day FROM forecasts.outcomes
    WHERE resolved_day > due_day AND resolved_day BETWEEN :first AND :last
""")
OPEN_PREDICTIONS = Query("""
    SELECT model_id, kind, event, symbol, trading_day, as_of, horizon, horizon_unit, due_day, due_at,
           confidence, climatology, reference_price, sigma, predicted_price, q05, q10, q25, q50, q75, q90,
           q95, target_price, side, hit_rule, predicted_days, predicted_volatility
    FROM forecasts.predictions
    WHERE symbol = ANY(:symbols) AND due_day >= :due_from AND trading_day < :last
      AND horizon_unit = 'session' AND model_id IN (SELECT model_id FROM models.model_registry)
""")
_MINUTES = """
    FROM forecasts.predictions
    WHERE horizon_unit = 'minute' AND symbol = ANY(:symbols) AND due_day BETWEEN :first AND :last
      AND model_id IN (SELECT model_id FROM models.model_registry)
"""
OPEN_MINUTES = Query(f"""
    SELECT model_id, kind, event, symbol, trading_day, as_of, horizon, horizon_unit, due_day, due_at,
           confidence, climatology, reference_price, sigma, predicted_price, q05, q10, q25, q50, q75, q90,
           q95, target_price, side, hit_rule, predicted_days, predicted_volatility {_MINUTES}
""")
HAS_MINUTES = Query("""
    SELECT EXISTS (SELECT FROM forecasts.predictions
                   WHERE horizon_unit = 'minute' AND symbol = ANY(:symbols) AND due_day <= :last)
""")
# First due day of a bar of minutes which became known in (after, until].
FIRST_OF_NEW_BARS = Query("""
    SELECT min(bar_end AT TIME ZONE 'UTC')::date AS day FROM market.intraday_bars
    WHERE symbol = ANY(:symbols) AND knowledge_time > :after AND knowledge_time <= :until
""")
OUTCOMES_AS_OF = Query("""
    SELECT DISTINCT ON (trading_day, symbol, model_id, kind, horizon)
           model_id, kind, event, horizon, symbol, trading_day, due_day, resolved_day, status,
           confidence, occurred, brier, brier_no_change, brier_climatology, crps, crps_no_change,
           qlike, qlike_no_change, relative_error, abs(relative_error) AS error_magnitude
    FROM forecasts.outcomes
    WHERE due_day BETWEEN :first AND :last AND knowledge_time <= :as_of AND horizon_unit = 'session'
    ORDER BY trading_day DESC, symbol DESC, model_id DESC, kind DESC, horizon DESC, knowledge_time DESC
""")
DUE_COUNTS = Query("""
    SELECT model_id, kind, event, horizon, due_day, trading_day, origin, count(*) AS n
    FROM forecasts.predictions
    WHERE due_day BETWEEN :first AND :last AND horizon_unit = 'session'
    GROUP BY model_id, kind, event, horizon, due_day, trading_day, origin
""")
LIVE_PREDICTIONS = Query("""
    SELECT model_id, kind, horizon, symbol, trading_day
    FROM forecasts.predictions
    WHERE due_day BETWEEN :first AND :last AND horizon_unit = 'session'
      AND origin = 'live'
""")
STATUS_COUNTS = Query("""
    SELECT status, count(*) AS rows FROM forecasts.prediction_status GROUP BY status ORDER BY status
""")
