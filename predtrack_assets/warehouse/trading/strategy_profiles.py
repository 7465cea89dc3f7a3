"""Per-day profiles of signals, target weights and performance."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

SIGNALS = Query("""
    SELECT trading_day AS day,
           count(*) FILTER (WHERE recorded_at < (trading_day + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE direction <> 0 AND score IS NULL) AS directionless
    FROM trading.signals WHERE trading_day BETWEEN :first AND :last GROUP BY trading_day
""")
WEIGHTS = Query("""
    WITH sums AS (
        SELECT trading_day, strategy_id, sum(abs(weight)) AS size,
               count(*) FILTER (WHERE sign(weight) <> s.direction) AS against
        FROM trading.target_weights JOIN trading.signals s USING (trading_day, strategy_id, symbol)
        WHERE trading_day BETWEEN :first AND :last GROUP BY trading_day, strategy_id
    )
    SELECT trading_day AS day, count(*) FILTER (WHERE size > 1) AS beyond_equity,
           sum(against)::bigint AS against
    FROM sums GROUP BY trading_day
""")
PERFORMANCE = Query("""
    SELECT coalesce(s.trading_day, p.period_end) AS day,
           count(*) FILTER (WHERE s.equity <> p.equity) AS unlike_state,
           count(*) FILTER (WHERE p.book IS NULL OR s.book IS NULL) AS untold
    FROM (SELECT * FROM trading.portfolio_state JOIN trading.books USING (book)
          WHERE strategy_id IS NOT NULL AND trading_day BETWEEN :first AND :last) s
    FULL JOIN (SELECT * FROM trading.strategy_performance
               WHERE period_type = 'DAY' AND period_end BETWEEN :first AND :last) p
        ON p.book = s.book AND p.period_end = s.trading_day
    GROUP BY 1
""")
