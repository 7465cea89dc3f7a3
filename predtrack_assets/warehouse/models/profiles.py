"""Figures about the schema models that checks judge."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

MODEL_REGISTRY = Query("""
    SELECT model_id, count(*) - 1 AS duplicates,
           count(*) FILTER (WHERE trained_through >= (recorded_at AT TIME ZONE 'UTC')::date)
               AS look_ahead,
           count(*) FILTER (WHERE NOT kinds <@ ARRAY['price', 'direction', 'time_to_hit', 'volatility']
                            OR cardinality(kinds) = 0) AS unknown_kinds,
           count(*) FILTER (WHERE description = '' OR hyperparameters = '{}') AS undescribed
    FROM models.model_registry GROUP BY model_id ORDER BY model_id
""")
