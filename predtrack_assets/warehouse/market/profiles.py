"""Figures about the schema market that checks judge."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

UNIVERSE_MEMBERS = Query("""
    WITH spans AS (
        SELECT *, coalesce(start_date, '-infinity') AS first, coalesce(end_date, 'infinity') AS last,
               row_number() OVER (PARTITION BY universe, symbol, start_date) > 1 AS is_copy
        FROM market.universe_members
    ), ordered AS (
        SELECT *, max(last) OVER (PARTITION BY universe, symbol, is_copy ORDER BY first
                                  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS taken_until
        FROM spans
    )
    SELECT universe, count(*) FILTER (WHERE end_date IS NULL) AS members,
           count(*) FILTER (WHERE start_date IS NULL) AS undated,
           count(*) FILTER (WHERE is_copy) AS duplicates,
           count(*) FILTER (WHERE last < first) AS reversed,
           count(*) FILTER (WHERE NOT is_copy AND first <= taken_until) AS overlapping,
           count(*) FILTER (WHERE symbol !~ :pattern) AS malformed
    FROM ordered GROUP BY universe ORDER BY universe
""")
MARKET_DATA = Query("""
    WITH sessions AS (
        SELECT * FROM unnest(:exchanges::text[], :days::date[], :closes::timestamptz[], :ordinals::bigint[])
            AS sessions (exchange, day, closes, ordinal)
    )
    SELECT b.trading_day AS day, count(*) AS revisions,
           count(DISTINCT b.symbol) FILTER (WHERE s.day IS NOT NULL) AS present,
           count(DISTINCT b.symbol) FILTER (WHERE quality = 'suspect') AS suspect,
           count(*) FILTER (WHERE m.symbol IS NULL) AS unregistered,
           count(*) FILTER (WHERE m.symbol IS NOT NULL AND s.day IS NULL) AS off_session,
           count(*) FILTER (WHERE NOT f.finite) AS non_finite,
           count(*) FILTER (WHERE f.finite AND (low > least(open, close) OR high < greatest(open, close)))
               AS disordered,
           count(*) FILTER (WHERE f.finite AND (least(open, high, low, close) <= 0 OR volume < 0))
               AS not_positive,
           count(*) FILTER (WHERE knowledge_time < s.closes OR b.recorded_at < knowledge_time)
               AS look_ahead
    FROM market.market_data b
    CROSS JOIN LATERAL (
        SELECT market.is_finite(open) AND market.is_finite(high) AND market.is_finite(low)
               AND market.is_finite(close) AND market.is_finite(volume) AS finite) f
    LEFT JOIN market.symbols m ON m.symbol = b.symbol
    LEFT JOIN sessions s ON s.exchange = m.exchange AND s.day = b.trading_day
    WHERE b.trading_day BETWEEN :first AND :last
    GROUP BY b.trading_day
""")
QUARANTINE = Query("""
    SELECT trading_day AS day, count(DISTINCT symbol) AS quarantined
    FROM market.quarantine WHERE trading_day BETWEEN :first AND :last
    GROUP BY trading_day
""")
QUARANTINED_SYMBOLS = Query("""
    SELECT symbol, reason, count(*) AS bars, min(trading_day) AS first, max(trading_day) AS last
    FROM market.quarantine WHERE trading_day BETWEEN :first AND :last
    GROUP BY symbol, reason ORDER BY bars DESC, symbol, reason LIMIT 20
""")
# Of each symbol the latest request that touches the window, on the request's last day.
FETCHES = Query("""
    SELECT day, count(*) FILTER (WHERE status = 'failed') AS fetches_failed
    FROM (SELECT DISTINCT ON (symbol) least(last_day, :last) AS day, status
          FROM market.fetch_log WHERE first_day <= :last AND last_day >= :first
          ORDER BY symbol, fetch_id DESC) latest
    GROUP BY day
""")
# Consecutive bars of a symbol that are not of consecutive sessions; those that the window cuts are
# looked up in the index. Revisions of one bar are steps of no length.
STEPS = Query("""
    WITH sessions AS (
        SELECT * FROM unnest(:exchanges::text[], :days::date[], :closes::timestamptz[], :ordinals::bigint[])
            AS sessions (exchange, day, closes, ordinal)
    ), bars AS (
        SELECT symbol, trading_day FROM market.market_data WHERE trading_day BETWEEN :first AND :last
        UNION ALL
        SELECT m.symbol, before.trading_day
        FROM market.symbols m CROSS JOIN LATERAL (
            SELECT trading_day FROM market.market_data b
            WHERE b.symbol = m.symbol AND b.trading_day < :first ORDER BY trading_day DESC LIMIT 1) before
        UNION ALL
        SELECT m.symbol, after.trading_day
        FROM market.symbols m CROSS JOIN LATERAL (
            SELECT trading_day FROM market.market_data b
            WHERE b.symbol = m.symbol AND b.trading_day > :last ORDER BY trading_day LIMIT 1) after
    ), steps AS (
        SELECT symbol, trading_day AS next,
               lag(trading_day) OVER (PARTITION BY symbol ORDER BY trading_day) AS previous
        FROM bars
    )
    SELECT symbol, m.exchange, previous, next
    FROM steps JOIN market.symbols m USING (symbol)
    LEFT JOIN sessions a ON a.exchange = m.exchange AND a.day = previous
    LEFT JOIN sessions b ON b.exchange = m.exchange AND b.day = next
    WHERE next > previous AND b.ordinal - a.ordinal IS DISTINCT FROM 1
    ORDER BY symbol, previous
""")
LAST_BARS = Query("""
    SELECT symbol, exchange, latest.last_bar
    FROM market.symbols m CROSS JOIN LATERAL (
        SELECT trading_day AS last_bar FROM market.market_data b
        WHERE b.symbol = m.symbol ORDER BY trading_day DESC LIMIT 1) latest
""")
CORPORATE_ACTIONS = Query("""
    WITH sessions AS (
        SELECT * FROM unnest(:exchanges::text[], :days::date[], :closes::timestamptz[], :ordinals::bigint[])
            AS sessions (exchange, day, closes, ordinal)
    )
    SELECT a.ex_date AS day, count(*) AS revisions,
           count(*) FILTER (WHERE NOT market.is_finite(value)) AS non_finite,
           count(*) FILTER (WHERE market.is_finite(value) AND value <= 0) AS not_positive,
           count(*) FILTER (WHERE s.day IS NULL) AS off_session,
           count(*) FILTER (WHERE a.kind = 'split' AND market.is_price(value)
                            AND value NOT BETWEEN 0.001 AND 1000) AS extreme_splits,
           count(*) FILTER (WHERE a.kind = 'dividend' AND market.is_price(value) AND EXISTS (
               SELECT FROM market.market_data b
               WHERE b.symbol = a.symbol AND b.trading_day = a.ex_date AND b.close < a.value))
               AS dividends_above_price,
           count(*) FILTER (WHERE a.recorded_at < knowledge_time
                            OR (inferred AND knowledge_time < s.closes)) AS look_ahead
    FROM market.corporate_actions a
    LEFT JOIN market.symbols m ON m.symbol = a.symbol
    LEFT JOIN sessions s ON s.exchange = m.exchange AND s.day = a.ex_date
    WHERE a.ex_date BETWEEN :first AND :last
    GROUP BY a.ex_date
""")
# A day is expected when the benchmark's bar of it was known by its end.
MARKET_CONDITIONS = Query("""
    WITH expected AS (
        SELECT DISTINCT trading_day FROM market.market_data
        WHERE symbol = :benchmark AND trading_day BETWEEN :first AND :last
          AND knowledge_time <= (trading_day + 1)::timestamp AT TIME ZONE 'UTC'
    ), conditions AS (
        SELECT *, market.is_finite(coalesce(daily_return, 0) + coalesce(weekly_return, 0)
            + coalesce(distance_to_ma50, 0) + coalesce(vix_level, 0) + coalesce(market_breadth, 0))
            AS finite
        FROM market.market_conditions WHERE trading_day BETWEEN :first AND :last
    )
    SELECT trading_day AS day,
           count(*) FILTER (WHERE c.market_regime IS NULL) AS missing,
           count(*) FILTER (WHERE recorded_at < (trading_day + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
           count(*) FILTER (WHERE finite AND abs(daily_return) > 0.25) AS extreme_returns,
           count(*) FILTER (WHERE finite AND vix_level NOT BETWEEN 3 AND 150) AS extreme_volatility,
           count(*) FILTER (WHERE (vix_level IS NULL) <> (vix_category IS NULL)
                            OR (vix_level IS NULL) <> (vix_source IS NULL)) AS unexplained_volatility,
           count(*) FILTER (WHERE (symbols_counted = 0) <> (market_breadth IS NULL))
               AS unfounded_breadth
    FROM expected FULL JOIN conditions c USING (trading_day)
    GROUP BY trading_day
""")
