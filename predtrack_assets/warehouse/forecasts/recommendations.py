"""What the champions recommended on a decision day."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

LAST_DAY = Query("SELECT max(trading_day) AS day FROM forecasts.prediction_batches")

RECOMMENDATIONS = Query("""
    SELECT r.symbol, r.kind, r.horizon, r.model_id, r.recommendation, r.current_price, r.target_price,
           r.origin, r.validation_date, r.validation_status, r.was_right, r.return_after_cost,
           r.median_return, p.sigma, p.q05, p.q10, p.q25, p.q50, p.q75, p.q90, p.q95
    FROM forecasts.recommendations r
    JOIN forecasts.predictions p ON p.prediction_id = r.id AND p.trading_day = r.trading_day
    WHERE r.trading_day = :day
    ORDER BY r.kind, r.horizon, r.symbol
""")

# Kinds and horizons that have a champion at the end of a decision day, whether or not it predicted.
CHAMPIONS_ON = Query("""
    SELECT DISTINCT d.kind, d.scope, d.model_id
    FROM (SELECT DISTINCT kind, scope FROM deployment.deployments) scopes,
         LATERAL deployment.champion_at(
             scopes.kind, scopes.scope, (:day::date + 1)::timestamp AT TIME ZONE 'UTC') d
    ORDER BY d.kind, d.scope
""")

# What one model would advise, champion or not.
SIGNALS_OF = Query("""
    SELECT symbol, model_type AS kind, horizon, model_id, origin, validation_date, validation_status,
           (CASE predicted_direction WHEN 'LONG' THEN 'BUY' WHEN 'SHORT' THEN 'SELL' ELSE 'HOLD' END)
               AS recommendation,
           prediction_accuracy AS was_right,
           actual_return
    FROM forecasts.model_predictions
    WHERE trading_day = :day AND model_id = :model AND predicted_direction IS NOT NULL
      AND horizon_unit = 'session'
    ORDER BY kind, horizon, symbol
""")
LAST_DAY_OF = Query("""
    SELECT max(trading_day) AS day FROM forecasts.prediction_batches WHERE model_id = :model
""")
