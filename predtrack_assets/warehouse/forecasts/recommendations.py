"""What the champions recommended on a decision day."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

LAST_DAY = Query("SELECT max(trading_day) AS day FROM forecasts.prediction_batches")

RECOMMENDATIONS = Query("""
    SELECT symbol, kind, horizon, model_id, recommendation, confidence_score, current_price,
           target_price, origin, validation_date, validation_status, was_right, return_after_cost
    FROM forecasts.recommendations WHERE trading_day = :day
    ORDER BY kind, horizon, symbol
""")

# Kinds and horizons that have a champion at the end of a decision day, whether or not it predicted.
CHAMPIONS_ON = Query("""
    SELECT DISTINCT d.kind, d.scope, d.model_id
    FROM (SELECT DISTINCT kind, scope FROM deployment.deployments) scopes,
         LATERAL deployment.champion_at(
             scopes.kind, scopes.scope, (:day::date + 1)::timestamp AT TIME ZONE 'UTC') d
    ORDER BY d.kind, d.scope
""")
