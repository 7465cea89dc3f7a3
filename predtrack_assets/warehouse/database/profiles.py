"""Per-day profiles of the tables: one aggregating statement each, for the asset checks.

Every statement takes a window [first, last] and returns `day` with counts (bigint): how many rows
are there, and how many are not as they must be. An absent day has no row. Exchange sessions are
parameters (equally long arrays), for only the calendar of domain knows them.
"""

from __future__ import annotations

from psycopg import sql

from predtrack_assets.warehouse.queries import Query
from predtrack_assets.warehouse.tables import Table

# -- any table -------------------------------------------------------------------------------


def last_day(table: Table) -> Query:
    """The latest day that the table has a row of, as `day`; NULL when it is empty."""
    template = "SELECT max({day}) AS day FROM {table}"
    return Query(sql.SQL(template).format(**_names(table)).as_string())


def duplicates(table: Table, *extra_key: str) -> Query:
    """day, duplicates: rows beyond the first of each key (with `extra_key`), by day."""
    key = sql.SQL(", ").join(map(sql.Identifier, (*table.key, *extra_key)))
    template = (
        "SELECT day, sum(copies - 1)::bigint AS duplicates FROM"
        " (SELECT {day} AS day, count(*) AS copies FROM {table}"
        " WHERE {day} BETWEEN :first AND :last GROUP BY {day}, {key} HAVING count(*) > 1) repeated"
        " GROUP BY day"
    )
    return Query(sql.SQL(template).format(**_names(table), key=key).as_string())


def _names(table: Table) -> dict[str, sql.Composable]:
    return {"table": sql.Identifier(table.schema, table.name), "day": sql.Identifier(table.day)}


# -- market ----------------------------------------------------------------------------------

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

# -- models ----------------------------------------------------------------------------------

MODEL_REGISTRY = Query("""
    SELECT model_id, count(*) - 1 AS duplicates,
           count(*) FILTER (WHERE trained_through >= (recorded_at AT TIME ZONE 'UTC')::date)
               AS look_ahead,
           count(*) FILTER (WHERE NOT kinds <@ ARRAY['price', 'direction', 'time_to_hit', 'volatility']
                            OR cardinality(kinds) = 0) AS unknown_kinds,
           count(*) FILTER (WHERE description = '' OR hyperparameters = '{}') AS undescribed
    FROM models.model_registry GROUP BY model_id ORDER BY model_id
""")

# -- forecasts -------------------------------------------------------------------------------

PREDICTIONS = Query("""
    WITH sessions AS (
        SELECT * FROM unnest(:exchanges::text[], :days::date[], :closes::timestamptz[], :ordinals::bigint[])
            AS sessions (exchange, day, closes, ordinal)
    )
    SELECT trading_day AS day, count(*) AS predictions, count(DISTINCT p.symbol) AS symbols,
           count(*) FILTER (WHERE as_of <> (trading_day + 1)::timestamp AT TIME ZONE 'UTC'
                            OR due_day <= trading_day OR p.trained_through >= trading_day
                            OR (origin = 'live' AND p.recorded_at >= knowable_at)) AS look_ahead,
           count(*) FILTER (WHERE p.model_name IS NULL) AS unregistered,
           count(*) FILTER (WHERE due_day > trading_day
                            AND due.ordinal - made.ordinal IS DISTINCT FROM horizon) AS wrong_due_day,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
           count(*) FILTER (WHERE finite AND NOT (confidence BETWEEN 0 AND 1
               AND climatology BETWEEN 0 AND 1 AND coalesce(p_within_band, 0) BETWEEN 0 AND 1))
               AS impossible_probability,
           count(*) FILTER (WHERE finite AND (q05 > q10 OR q10 > q25 OR q25 > q50 OR q50 > q75
                            OR q75 > q90 OR q90 > q95)) AS disordered_quantiles,
           count(*) FILTER (WHERE finite AND predicted_price NOT BETWEEN reference_price / 10
                            AND reference_price * 10) AS extreme_prices
    FROM (
        SELECT f.*, m.model_name, coalesce(a.trained_through, m.trained_through) AS trained_through,
               market.is_finite(coalesce(confidence, 0) + coalesce(climatology, 0) + reference_price
                   + sigma + coalesce(predicted_volatility, 0)
                   + coalesce(predicted_price, 0) + coalesce(p_within_band, 0)
                   + coalesce(target_price, 0) + coalesce(predicted_days, 0)
                   + coalesce(q05, 0) + coalesce(q10, 0) + coalesce(q25, 0) + coalesce(q50, 0)
                   + coalesce(q75, 0) + coalesce(q90, 0) + coalesce(q95, 0)) AS finite
        FROM forecasts.predictions f LEFT JOIN models.model_registry m USING (model_id)
        LEFT JOIN models.model_artifacts a USING (artifact_id)
        WHERE trading_day BETWEEN :first AND :last
    ) p
    LEFT JOIN market.symbols s ON s.symbol = p.symbol
    LEFT JOIN sessions made ON made.exchange = s.exchange AND made.day = p.trading_day
    LEFT JOIN sessions due ON due.exchange = s.exchange AND due.day = p.due_day
    GROUP BY trading_day
""")

# Reference prices that no bar of the day, known by its end, has.
REFERENCE_PRICES = Query("""
    SELECT trading_day AS day, count(*) AS unknown_prices
    FROM (SELECT DISTINCT trading_day, symbol, reference_price FROM forecasts.predictions
          WHERE trading_day BETWEEN :first AND :last) p
    WHERE NOT EXISTS (
        SELECT FROM market.market_data b
        WHERE b.symbol = p.symbol AND b.trading_day = p.trading_day AND b.close = p.reference_price
          AND b.knowledge_time <= (b.trading_day + 1)::timestamp AT TIME ZONE 'UTC')
    GROUP BY trading_day
""")

# Symbols with a bar known by the end of the day and some months of history (:history_days), and
# those of them for which nothing was said.
PREDICTABLE = Query("""
    WITH since AS (
        SELECT m.symbol, first.bar + :history_days::integer AS day
        FROM market.symbols m CROSS JOIN LATERAL (
            SELECT trading_day AS bar FROM market.market_data b
            WHERE b.symbol = m.symbol ORDER BY trading_day LIMIT 1) first
        WHERE m.kind <> 'volatility'
    ), bars AS (
        SELECT DISTINCT b.trading_day, b.symbol
        FROM market.market_data b JOIN since ON since.symbol = b.symbol AND b.trading_day >= since.day
        WHERE b.trading_day BETWEEN :first AND :last
          AND b.knowledge_time <= (b.trading_day + 1)::timestamp AT TIME ZONE 'UTC'
    ), said AS (
        SELECT DISTINCT trading_day, symbol FROM forecasts.predictions
        WHERE trading_day BETWEEN :first AND :last
    )
    SELECT trading_day AS day, count(*) AS predictable,
           count(*) FILTER (WHERE said.symbol IS NULL) AS unsaid
    FROM bars LEFT JOIN said USING (trading_day, symbol)
    GROUP BY trading_day
""")

# Kind * is of symbols that cannot be predicted yet: that is no fault of a day.
SKIPPED_PREDICTIONS = Query("""
    SELECT trading_day AS day, count(*) AS skipped FROM forecasts.skipped_predictions
    WHERE trading_day BETWEEN :first AND :last AND kind <> '*'
    GROUP BY trading_day
""")

# By the day on which they were resolved. Hits are resolved before they fall due (up to :until),
# late prices after; both conditions reach an index.
OUTCOMES = Query("""
    SELECT resolved_day AS day, count(*) AS outcomes,
           count(*) FILTER (WHERE knowledge_time < (resolved_day + 1)::timestamp AT TIME ZONE 'UTC'
                            OR recorded_at < knowledge_time OR resolved_day <= trading_day
                            OR (resolved_day < due_day
                                AND (kind <> 'time_to_hit' OR occurred IS NOT TRUE))) AS look_ahead,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
           count(*) FILTER (WHERE (status = 'validated') <> CASE kind
               WHEN 'volatility' THEN realised_volatility IS NOT NULL AND qlike IS NOT NULL
               ELSE occurred IS NOT NULL AND score IS NOT NULL END) AS without_result,
           count(*) FILTER (WHERE finite AND abs(score - (confidence - occurred::int) ^ 2) > 1e-9)
               AS wrong_score
    FROM (
        SELECT *, market.is_finite(coalesce(confidence, 0) + coalesce(actual_price, 0)
            + coalesce(actual_return, 0) + coalesce(relative_error, 0) + coalesce(log_error, 0)
            + coalesce(days_error, 0)
            + coalesce(score, 0) + coalesce(score_no_change, 0) + coalesce(score_climatology, 0)
            + coalesce(crps, 0) + coalesce(crps_no_change, 0)
            + coalesce(realised_volatility, 0) + coalesce(qlike, 0) + coalesce(qlike_no_change, 0))
            AS finite
        FROM forecasts.outcomes
        WHERE resolved_day BETWEEN :first AND :last
          AND (due_day BETWEEN :first AND :until OR resolved_day > due_day)
    ) o
    GROUP BY resolved_day
""")

# Results that are not those of the prices beside them and of what was said, by the day of OUTCOMES.
# A quotient within 1e-12 of the bound of 5 % may fall on either side of it.
RESULTS = Query("""
    SELECT resolved_day AS day, count(*) AS wrong_results
    FROM forecasts.outcomes o JOIN forecasts.predictions p
        USING (trading_day, symbol, model_id, kind, horizon)
    CROSS JOIN LATERAL (SELECT (p.predicted_price - o.actual_price) / o.actual_price AS error) e
    WHERE o.resolved_day BETWEEN :first AND :last
      AND (o.due_day BETWEEN :first AND :until OR o.resolved_day > o.due_day)
      AND p.trading_day < :last
      AND o.status = 'validated' AND o.occurred IS NOT NULL
      AND NOT coalesce(CASE kind
          WHEN 'price' THEN abs(o.relative_error - error) <= 1e-9
              AND (o.occurred = (abs(error) <= 0.05) OR abs(abs(error) - 0.05) <= 1e-12)
          WHEN 'direction' THEN o.occurred = (o.actual_price > p.reference_price)
          WHEN 'time_to_hit' THEN o.occurred = (o.actual_days IS NOT NULL)
          ELSE true END, false)
    GROUP BY resolved_day
""")

# What became of predictions that fell due, by due day.
FALLEN_DUE = Query("""
    WITH ended AS (
        SELECT DISTINCT ON (trading_day, symbol, model_id, kind, horizon)
               due_day, trading_day, symbol, model_id, kind, horizon, status
        FROM forecasts.outcomes WHERE due_day BETWEEN :first AND :last
        ORDER BY trading_day, symbol, model_id, kind, horizon, knowledge_time DESC
    ), said AS (
        SELECT due_day, trading_day, symbol, model_id, kind, horizon, origin
        FROM forecasts.predictions WHERE due_day BETWEEN :first AND :last
    )
    SELECT due_day AS day, count(origin) AS due,
           count(*) FILTER (WHERE status IS NULL) AS unresolved,
           count(*) FILTER (WHERE status = 'expired') AS expired,
           count(*) FILTER (WHERE origin IS NULL) AS unsaid
    FROM said FULL JOIN ended USING (due_day, trading_day, symbol, model_id, kind, horizon)
    GROUP BY due_day
""")
