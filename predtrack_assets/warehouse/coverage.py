"""What has ended of what fell due, counted where the rows are."""

from __future__ import annotations

from predtrack_assets.warehouse.queries import Query

ENDED = Query("""
    SELECT model_id, kind, horizon, due_day, status, count(*) AS n
    FROM (
        SELECT DISTINCT ON (trading_day, symbol, model_id, kind, horizon)
               model_id, kind, horizon, due_day, status
        FROM forecasts.outcomes
        WHERE due_day BETWEEN :first AND :last AND knowledge_time <= :as_of
        ORDER BY trading_day DESC, symbol DESC, model_id DESC, kind DESC, horizon DESC,
                 knowledge_time DESC
    ) latest
    GROUP BY model_id, kind, horizon, due_day, status
""")
