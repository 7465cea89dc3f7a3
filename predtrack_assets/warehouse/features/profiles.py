"""Per-day profiles of the feature store: cheap counts for the asset checks, see profiles."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

FEATURE_SETS = Query("""
    SELECT feature_set, count(*) OVER (PARTITION BY name, version) - 1 AS duplicates,
           (cardinality(columns) <> (SELECT count(DISTINCT c) FROM unnest(columns) c))::int AS repeated
    FROM features.feature_sets ORDER BY feature_set
""")

FEATURE_STORE = Query("""
    WITH bars AS (
        SELECT DISTINCT symbol, trading_day
        FROM market.market_data JOIN market.symbols USING (symbol)
        WHERE trading_day BETWEEN :first AND :last AND asset_class <> 'volatility'
          AND knowledge_time <= (trading_day + 1)::timestamp AT TIME ZONE 'UTC'
    ), vectors AS (
        SELECT f.symbol, f.trading_day, f.recorded_at, octet_length(f.vector) AS size, s.columns
        FROM features.feature_store f LEFT JOIN features.feature_sets s USING (feature_set)
        WHERE f.trading_day BETWEEN :first AND :last
    )
    SELECT trading_day AS day, count(v.size) AS vectors,
           count(DISTINCT symbol) FILTER (WHERE v.size IS NULL) AS without_vector,
           count(*) FILTER (WHERE b.bar IS NULL) AS without_bar,
           count(*) FILTER (WHERE v.size IS NOT NULL AND v.columns IS NULL) AS unregistered,
           count(*) FILTER (WHERE v.size <> 8 * cardinality(v.columns)) AS malformed,
           count(*) FILTER (WHERE v.recorded_at < (trading_day + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead
    FROM (SELECT *, 1 AS bar FROM bars) b FULL JOIN vectors v USING (symbol, trading_day)
    GROUP BY trading_day
""")

SESSIONS_WITH_FEATURES = Query("""
    SELECT count(*) FROM generate_series(:first::timestamp, :last::timestamp, '1 day') AS asked (day)
    WHERE EXISTS (SELECT FROM features.feature_store f
                  WHERE f.trading_day = asked.day::date AND f.feature_set = :feature_set)
""")
