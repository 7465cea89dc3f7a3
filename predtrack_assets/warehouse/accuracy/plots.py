"""What the plots of the accuracy stage show: the latest report as of a day, of one horizon."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

# Of each kind the champion of all symbols, then the fitted versions that began latest.
LEADING = Query("""
    WITH fitted AS (
        SELECT model_id, min(trained_through) AS since FROM models.model_artifacts
        WHERE trained_through <= :last AND status = 'active' GROUP BY model_id
    )
    SELECT kinds.kind, r.model_id
    FROM models.model_registry r
    CROSS JOIN unnest(ARRAY['price', 'direction', 'time_to_hit', 'volatility']) AS kinds (kind)
    LEFT JOIN fitted f USING (model_id)
    LEFT JOIN LATERAL deployment.champion_at(kinds.kind, 'h' || :horizon::text, :as_of) c
        ON c.model_id = r.model_id
    WHERE c.model_id IS NOT NULL OR (f.model_id IS NOT NULL AND r.status <> 'retired')
    ORDER BY kinds.kind, c.model_id IS NULL, f.since DESC, r.version DESC, r.model_id
""")

SYMBOLS = Query("""
    SELECT symbol, model_id, kind, posterior_mean, posterior_low, posterior_high
    FROM accuracy.symbol_accuracy
    WHERE period = 'rolling_30d' AND horizon = :horizon AND period_end = (
        SELECT max(period_end) FROM accuracy.symbol_accuracy
        WHERE period = 'rolling_30d' AND period_end BETWEEN :first AND :last)
    ORDER BY symbol, model_id, kind
""")
