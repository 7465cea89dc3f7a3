"""How many predictions were written before the fact, and how many after it."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

# forecasts.v_origins, up to a decision day.
ORIGINS = Query("""
    SELECT model_id, kind, coalesce(sum(row_count) FILTER (WHERE origin = 'live'), 0)::bigint AS live,
           coalesce(sum(row_count) FILTER (WHERE origin = 'replay'), 0)::bigint AS replay
    FROM forecasts.prediction_batches WHERE trading_day <= :last
    GROUP BY model_id, kind ORDER BY model_id, kind
""")
