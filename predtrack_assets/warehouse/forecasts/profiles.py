"""Figures about predictions and outcomes that checks judge."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

# Rows are counted by what tells how they are judged (calendar, model, fit) before those are looked up:
# as many groups as models and horizons of a day, not as many as rows.
PREDICTIONS = Query("""
    WITH sessions AS (
        SELECT exchange || day AS session, ordinal
        FROM unnest(:exchanges::text[], :days::date[], :closes::timestamptz[], :ordinals::bigint[])
            AS sessions (exchange, day, closes, ordinal)
    ), judged AS (
        SELECT trading_day, due_day, horizon, horizon_unit = 'session' AS of_sessions, model_id, artifact_id,
               s.exchange, count(*) AS n,
               count(*) FILTER (WHERE due_at <= as_of
                                OR (horizon_unit = 'session' AND (due_day <= trading_day
                                    OR as_of <> (trading_day + 1)::timestamp AT TIME ZONE 'UTC'))
                                OR (origin = 'live' AND p.recorded_at >= earliest_resolution_time))
                   AS look_ahead,
               count(*) FILTER (WHERE NOT finite) AS non_finite,
               count(*) FILTER (WHERE finite AND NOT (confidence BETWEEN 0 AND 1
                   AND climatology BETWEEN 0 AND 1 AND coalesce(p_within_band, 0) BETWEEN 0 AND 1))
                   AS impossible_probability,
               count(*) FILTER (WHERE finite AND (q05 > q10 OR q10 > q25 OR q25 > q50 OR q50 > q75
                                OR q75 > q90 OR q90 > q95)) AS disordered_quantiles,
               count(*) FILTER (WHERE finite AND predicted_price NOT BETWEEN reference_price / 10
                                AND reference_price * 10) AS extreme_prices
        FROM (
            SELECT *, market.is_finite(coalesce(confidence, 0) + coalesce(climatology, 0) + reference_price
                       + sigma + coalesce(predicted_volatility, 0)
                       + coalesce(predicted_price, 0) + coalesce(p_within_band, 0)
                       + coalesce(target_price, 0) + coalesce(predicted_days, 0)
                       + coalesce(q05, 0) + coalesce(q10, 0) + coalesce(q25, 0) + coalesce(q50, 0)
                       + coalesce(q75, 0) + coalesce(q90, 0) + coalesce(q95, 0)) AS finite
            FROM forecasts.predictions WHERE trading_day BETWEEN :first AND :last
        ) p
        LEFT JOIN market.symbols s USING (symbol)
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    )
    SELECT trading_day AS day, sum(n)::bigint AS predictions,
           sum(CASE WHEN coalesce(a.trained_through, m.trained_through) >= trading_day THEN n
                    ELSE look_ahead END)::bigint AS look_ahead,
           coalesce(sum(n) FILTER (WHERE m.model_id IS NULL), 0)::bigint AS unregistered,
           coalesce(sum(n) FILTER (WHERE of_sessions AND due_day > trading_day
                    AND due.ordinal - made.ordinal IS DISTINCT FROM horizon), 0)::bigint AS wrong_due_day,
           sum(non_finite)::bigint AS non_finite,
           sum(impossible_probability)::bigint AS impossible_probability,
           sum(disordered_quantiles)::bigint AS disordered_quantiles,
           sum(extreme_prices)::bigint AS extreme_prices
    FROM judged p
    LEFT JOIN models.model_registry m USING (model_id)
    LEFT JOIN models.model_artifacts a USING (artifact_id)
    LEFT JOIN sessions made ON made.session = p.exchange || p.trading_day
    LEFT JOIN sessions due ON due.session = p.exchange || p.due_day
    GROUP BY trading_day
""")
# Reference prices that no bar of the day, known by its end, has.
REFERENCE_PRICES = Query("""
    SELECT trading_day AS day, count(*) AS unknown_prices
    FROM (SELECT DISTINCT trading_day, symbol, reference_price FROM forecasts.predictions
          WHERE trading_day BETWEEN :first AND :last AND horizon_unit = 'session') p
    WHERE NOT EXISTS (
        SELECT FROM market.market_data b
        WHERE b.symbol = p.symbol AND b.trading_day = p.trading_day AND b.close = p.reference_price
          AND b.knowledge_time <= (b.trading_day + 1)::timestamp AT TIME ZONE 'UTC')
    GROUP BY trading_day
""")
# Symbols with a bar known by the end of the day and some months of history (:history_days), and
# those of them without a prediction.
PREDICTABLE = Query("""
    WITH since AS (
        SELECT m.symbol, first.bar + :history_days::integer AS day
        FROM market.symbols m CROSS JOIN LATERAL (
            SELECT trading_day AS bar FROM market.market_data b
            WHERE b.symbol = m.symbol ORDER BY trading_day LIMIT 1) first
        WHERE m.asset_class <> 'volatility'
    ), bars AS (
        SELECT DISTINCT b.trading_day, b.symbol
        FROM market.market_data b JOIN since ON since.symbol = b.symbol AND b.trading_day >= since.day
        WHERE b.trading_day BETWEEN :first AND :last
          AND b.knowledge_time <= (b.trading_day + 1)::timestamp AT TIME ZONE 'UTC'
    ), predicted AS (
        SELECT DISTINCT trading_day, symbol FROM forecasts.predictions
        WHERE trading_day BETWEEN :first AND :last AND horizon_unit = 'session'
    )
    SELECT trading_day AS day, count(*) AS predictable,
           count(*) FILTER (WHERE predicted.symbol IS NULL) AS not_predicted
    FROM bars LEFT JOIN predicted USING (trading_day, symbol)
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
           count(*) FILTER (WHERE recorded_at < knowledge_time OR knowledge_time <= as_of
                            OR (horizon_unit = 'session'
                                AND knowledge_time < (resolved_day + 1)::timestamp AT TIME ZONE 'UTC')
                            OR (resolved_day < due_day
                                AND (kind <> 'time_to_hit' OR occurred IS NOT TRUE))) AS look_ahead,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
           count(*) FILTER (WHERE (status = 'validated') <> CASE kind
               WHEN 'volatility' THEN realised_volatility IS NOT NULL AND qlike IS NOT NULL
               ELSE occurred IS NOT NULL AND brier IS NOT NULL END) AS without_result,
           count(*) FILTER (WHERE finite AND abs(brier - (confidence - occurred::int) ^ 2) > 1e-9)
               AS wrong_score
    FROM (
        SELECT *, market.is_finite(coalesce(confidence, 0) + coalesce(actual_price, 0)
            + coalesce(actual_return, 0) + coalesce(relative_error, 0) + coalesce(log_error, 0)
            + coalesce(days_error, 0)
            + coalesce(brier, 0) + coalesce(brier_no_change, 0) + coalesce(brier_climatology, 0)
            + coalesce(crps, 0) + coalesce(crps_no_change, 0)
            + coalesce(realised_volatility, 0) + coalesce(qlike, 0) + coalesce(qlike_no_change, 0))
            AS finite
        FROM forecasts.outcomes
        WHERE resolved_day BETWEEN :first AND :last
          AND (due_day BETWEEN :first AND :until OR resolved_day > due_day)
    ) o
    GROUP BY resolved_day
""")
# Results that are not those of the prices beside them and of the predictions, by the day of OUTCOMES.
# A quotient within 1e-12 of the bound of 5 % may fall on either side of it.
RESULTS = Query("""
    SELECT resolved_day AS day, count(*) AS wrong_results
    FROM forecasts.outcomes o JOIN forecasts.predictions p USING (prediction_id)
    CROSS JOIN LATERAL (SELECT (p.predicted_price - o.actual_price) / o.actual_price AS error) e
    WHERE o.resolved_day BETWEEN :first AND :last
      AND (o.due_day BETWEEN :first AND :until OR o.resolved_day > o.due_day)
      AND p.trading_day < :last
      AND o.status = 'validated' AND o.occurred IS NOT NULL
      AND NOT coalesce(CASE o.kind
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
        SELECT DISTINCT ON (prediction_id) prediction_id, due_day, status
        FROM forecasts.outcomes WHERE due_day BETWEEN :first AND :last
        ORDER BY prediction_id, knowledge_time DESC
    ), predicted AS (
        SELECT prediction_id, due_day, origin
        FROM forecasts.predictions WHERE due_day BETWEEN :first AND :last
    )
    SELECT due_day AS day, count(origin) AS due,
           count(*) FILTER (WHERE status IS NULL) AS unresolved,
           count(*) FILTER (WHERE status = 'expired') AS expired,
           count(*) FILTER (WHERE origin IS NULL) AS not_predicted
    FROM predicted FULL JOIN ended USING (prediction_id, due_day)
    GROUP BY due_day
""")
