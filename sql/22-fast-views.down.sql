-- Views and functions as they were before.
DROP VIEW forecasts.v_due_queue, forecasts.price_predictions, forecasts.direction_predictions,
    forecasts.time_predictions, forecasts.volatility_predictions, accuracy.v_recommendation_accuracy;
DROP FUNCTION forecasts.due_queue;
DROP VIEW market.v_last_bars;
DROP FUNCTION accuracy.wilson;

CREATE OR REPLACE VIEW accuracy.v_current_performance AS
    SELECT DISTINCT ON (model_id, kind, horizon, score, baseline, period) *
    FROM accuracy.performance_analytics
    ORDER BY model_id, kind, horizon, score, baseline, period, period_end DESC;
COMMENT ON VIEW accuracy.v_current_performance IS 'The latest report of every model, score, baseline and period.';

CREATE OR REPLACE VIEW accuracy.v_current_calibration AS
    SELECT DISTINCT ON (model_id, kind, event, horizon)
           model_id, kind, event, horizon, ece, n AS total_predictions, n_eff, calibration_quality, period_end,
           rms_calibration_error, rms_calibration_upper, miscalibration, discrimination, uncertainty, coverage
    FROM accuracy.calibration_summary
    WHERE period = 'rolling_30d'
    ORDER BY model_id, kind, event, horizon, period_end DESC;

CREATE OR REPLACE VIEW deployment.v_latest_gates AS
    SELECT DISTINCT ON (g.kind, g.scope, g.model_id)
           g.gate_id, g.kind, g.scope, g.horizon, g.model_id, m.role, g.as_of_day, g.gate_status, g.accuracy,
           g.failure_reasons, g.criteria, g.evaluated_at
    FROM deployment.deployment_gates g JOIN models.model_registry m USING (model_id)
    ORDER BY g.kind, g.scope, g.model_id, g.as_of_day DESC;

CREATE OR REPLACE VIEW forecasts.prediction_status AS
    SELECT p.prediction_id, p.model_id, p.kind, p.symbol, p.trading_day, p.horizon, p.due_day,
           coalesce(o.status, 'pending') AS status, NULL::text AS reason
    FROM forecasts.predictions p
    LEFT JOIN forecasts.outcomes_current o USING (trading_day, symbol, model_id, kind, horizon)
    UNION ALL
    SELECT NULL, model_id, kind, symbol, trading_day, horizon, NULL, 'skipped', reason
    FROM forecasts.skipped_predictions s
    WHERE NOT EXISTS (  -- once refused, written since
        SELECT FROM forecasts.predictions p
        WHERE (p.trading_day, p.symbol, p.model_id) = (s.trading_day, s.symbol, s.model_id)
          AND (s.kind = '*' OR (p.kind, p.horizon) = (s.kind, s.horizon)));

CREATE VIEW forecasts.price_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.predicted_price, p.confidence AS confidence_score,
           p.reference_price, p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.actual_price, o.accuracy_pct,
           abs(o.relative_error) AS error_magnitude, o.error_direction, o.log_error,
           o.occurred AS within_5pct, o.within_band, o.knowledge_time AS validated_at
    FROM forecasts.predictions p
    LEFT JOIN forecasts.outcomes_current o USING (trading_day, symbol, model_id, kind, horizon)
    WHERE p.kind = 'price';
COMMENT ON VIEW forecasts.price_predictions IS 'Price predictions beside what came of them.';

CREATE VIEW forecasts.direction_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.confidence AS p_up, p.reference_price,
           p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.occurred AS went_up,
           o.actual_return, o.knowledge_time AS validated_at
    FROM forecasts.predictions p
    LEFT JOIN forecasts.outcomes_current o USING (trading_day, symbol, model_id, kind, horizon)
    WHERE p.kind = 'direction';
COMMENT ON VIEW forecasts.direction_predictions IS 'Direction predictions beside what came of them.';

CREATE VIEW forecasts.time_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.target_price, p.side, p.hit_rule, p.predicted_days,
           p.confidence AS p_hit, p.reference_price, p.as_of AS prediction_date, p.due_day AS deadline, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.occurred AS hit, o.actual_days,
           o.days_error, o.error_category, o.knowledge_time AS validated_at
    FROM forecasts.predictions p
    LEFT JOIN forecasts.outcomes_current o USING (trading_day, symbol, model_id, kind, horizon)
    WHERE p.kind = 'time_to_hit';
COMMENT ON VIEW forecasts.time_predictions IS 'Time-to-hit predictions beside what came of them.';

CREATE VIEW forecasts.volatility_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.predicted_volatility, p.sigma,
           p.reference_price, p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.realised_volatility, o.qlike,
           o.qlike_no_change, o.knowledge_time AS validated_at
    FROM forecasts.predictions p
    LEFT JOIN forecasts.outcomes_current o USING (trading_day, symbol, model_id, kind, horizon)
    WHERE p.kind = 'volatility';
COMMENT ON VIEW forecasts.volatility_predictions IS 'Volatility predictions beside what came of them.';

CREATE VIEW forecasts.v_due_queue AS
    SELECT p.due_day, p.model_id, p.kind, p.horizon, count(*) AS predictions,
           count(DISTINCT p.symbol) AS symbols, min(p.trading_day) AS oldest_decision,
           (now() AT TIME ZONE 'UTC')::date - p.due_day AS age_days
    FROM forecasts.predictions p
    WHERE p.due_day <= (now() AT TIME ZONE 'UTC')::date
      AND NOT EXISTS (
          SELECT FROM forecasts.outcomes o
          WHERE (o.trading_day, o.symbol, o.model_id, o.kind, o.horizon)
              = (p.trading_day, p.symbol, p.model_id, p.kind, p.horizon))
    GROUP BY p.due_day, p.model_id, p.kind, p.horizon
    ORDER BY p.due_day, p.model_id, p.kind, p.horizon;
COMMENT ON VIEW forecasts.v_due_queue IS 'What has fallen due and is neither validated nor expired, by due day, with its age in calendar days.';

CREATE OR REPLACE VIEW accuracy.v_retraining_candidates AS
    SELECT symbol, model_id, kind, event, horizon, accuracy_rate, posterior_mean, total_predictions, n_eff, period_end,
           posterior_low, posterior_high, asked AS threshold, p_below_threshold,
           format('%s of %s calls of %s to %s came true (%s effective rows): shrunk toward all symbols a rate of'
                  ' %s %%, 95 %% interval %s to %s %%; below %s %% with probability %s',
                  accurate_predictions, total_predictions, period_start, period_end,
                  trim_scale(round(n_eff::numeric, 1)), round(100 * posterior_mean::numeric, 1),
                  round(100 * posterior_low::numeric, 1), round(100 * posterior_high::numeric, 1),
                  trim_scale(round(100 * asked::numeric, 2)), trunc(p_below_threshold::numeric, 4)) AS reason
    FROM (SELECT DISTINCT ON (symbol, model_id, kind, horizon) *, coalesce(threshold, 0.5) AS asked
          FROM accuracy.symbol_accuracy
          WHERE period = 'rolling_30d' AND needs_retraining
            AND period_end = (SELECT max(period_end) FROM accuracy.symbol_accuracy WHERE period = 'rolling_30d')
          ORDER BY symbol, model_id, kind, horizon, p_below_threshold DESC, event) latest;
COMMENT ON VIEW accuracy.v_retraining_candidates IS 'Symbols that the latest report (period_end) calls for retraining; one row per model, kind and horizon, gone once recovered.';

CREATE VIEW accuracy.v_recommendation_accuracy AS
    SELECT model_id, kind, horizon, period, period_start, period_end, count(DISTINCT symbol) AS symbols,
           side, sum(given) AS given, sum(came_right) AS came_right,
           sum(came_right)::double precision / nullif(sum(given), 0) AS accuracy
    FROM accuracy.symbol_accuracy,
         LATERAL (VALUES ('BUY', buy_count, buy_right), ('SELL', sell_count, sell_right),
                         ('HOLD', hold_count, hold_right)) AS r (side, given, came_right)
    WHERE given IS NOT NULL
    GROUP BY model_id, kind, horizon, period, period_start, period_end, side;
COMMENT ON VIEW accuracy.v_recommendation_accuracy IS 'BUY, SELL and HOLD of every model over all its symbols, and how many were right; no rate where none was given.';

CREATE OR REPLACE FUNCTION accuracy.calculate_ece(
    of_model text, of_kind text DEFAULT 'price', of_horizon integer DEFAULT 1, lookback_days integer DEFAULT 30,
    known_at timestamptz DEFAULT now())
RETURNS TABLE (ece double precision, total_predictions bigint, n_eff double precision,
               rms_calibration_error double precision, rms_calibration_upper double precision,
               calibration_quality text)
LANGUAGE sql STABLE AS $$
    WITH span AS (
        SELECT ((known_at - interval '1 microsecond') AT TIME ZONE 'UTC')::date AS last
    ), known AS (
        SELECT DISTINCT ON (o.trading_day, o.symbol) o.due_day, o.status, o.confidence AS p, o.occurred::integer AS y
        FROM forecasts.outcomes o, span
        WHERE o.model_id = of_model AND o.kind = of_kind AND o.horizon = of_horizon AND o.event IS NOT NULL
          AND o.due_day BETWEEN last - (lookback_days - 1) AND last AND o.knowledge_time <= known_at
        ORDER BY o.trading_day, o.symbol, o.knowledge_time DESC
    ), rows AS MATERIALIZED (
        SELECT due_day, p, y FROM known WHERE status = 'validated'
    ), per_date AS (
        SELECT due_day, sum(y) AS hits, count(*) AS rows FROM rows GROUP BY due_day
    ), sizes AS MATERIALIZED (
        SELECT coalesce(sum(rows), 0)::float8 AS n,
               accuracy.effective_sample_size(array_agg(hits ORDER BY due_day), array_agg(rows ORDER BY due_day),
                                              of_horizon) AS worth
        FROM per_date
    ), bucket_errors AS (
        SELECT abs(sum(p) - sum(y)) AS error FROM rows
        GROUP BY width_bucket(p, ARRAY[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]::float8[])
    ), ordered AS (  -- last_tie: place from 0 of the last row of the same probability
        SELECT p, y, count(*) OVER (ORDER BY p) - 1 AS last_tie FROM rows
    ), buckets AS (  -- of equal mass: a boundary within ties moves before all of them
        SELECT count(*)::float8 AS m, avg(y::float8) AS rate, avg(p) AS said
        FROM ordered, sizes
        GROUP BY (SELECT count(*) FROM generate_series(1, least(greatest(floor(worth / 10), 1), 10)::integer - 1) AS b
                  WHERE b * n::bigint / least(greatest(floor(worth / 10), 1), 10)::bigint <= last_tie)
    ), measured AS (
        SELECT m / n AS weight, m * worth / n AS effective, rate, said FROM buckets, sizes
    ), moments AS (
        SELECT sum(weight * ((rate - said) ^ 2 - rate * (1 - rate) / greatest(effective - 1, 1))) AS squared,
               sum(weight ^ 2 * variance) AS a, sum((weight * variance) ^ 2) AS c, 1.2815515655446004::float8 ^ 2 AS z2
        FROM measured, LATERAL (SELECT (rate * effective + 2) / (effective + 4) AS smooth) s,
             LATERAL (SELECT smooth * (1 - smooth) / effective AS variance) v
    ), bound AS (
        SELECT sqrt(greatest(squared, 0)) AS rms, sqrt(least(centre + sqrt(
                   centre ^ 2 - greatest(squared, 0) ^ 2 + 2 * c * z2), 1)) AS upper
        FROM moments, LATERAL (SELECT greatest(squared, 0) + 2 * a * z2 AS centre) m
        WHERE squared IS NOT NULL
    )
    SELECT (SELECT sum(error) / n FROM bucket_errors), n::bigint, worth, rms, upper,
           CASE WHEN worth >= 100 THEN
               CASE WHEN upper < 0.05 THEN 'good' WHEN upper < 0.10 THEN 'moderate' ELSE 'poor' END
           ELSE 'insufficient_data' END
    FROM sizes LEFT JOIN bound ON true
$$;

CREATE OR REPLACE FUNCTION accuracy.get_symbol_ranking(
    of_model text, of_kind text DEFAULT 'price', of_horizon integer DEFAULT 1, of_period text DEFAULT 'weekly',
    at_most integer DEFAULT 50)
RETURNS TABLE (rank bigint, symbol text, posterior_mean double precision, posterior_low double precision,
               posterior_high double precision, accuracy_rate double precision, total_predictions integer,
               n_eff double precision, needs_retraining boolean)
LANGUAGE sql STABLE AS $$
    SELECT row_number() OVER (ORDER BY a.posterior_mean DESC, a.symbol), a.symbol, a.posterior_mean, a.posterior_low,
           a.posterior_high, a.accuracy_rate, a.total_predictions, a.n_eff, a.needs_retraining
    FROM accuracy.symbol_accuracy a
    WHERE a.model_id = of_model AND a.kind = of_kind AND a.horizon = of_horizon AND a.period = of_period
      AND a.period_end = (SELECT max(b.period_end) FROM accuracy.symbol_accuracy b
                          WHERE b.model_id = of_model AND b.kind = of_kind AND b.horizon = of_horizon
                            AND b.period = of_period)
    ORDER BY 1 LIMIT at_most
$$;
COMMENT ON FUNCTION accuracy.get_symbol_ranking IS 'Symbols of the latest report by posterior mean: one lucky call does not outrank a record.';

DROP FUNCTION models.require_model;
DROP FUNCTION forecasts.latest_outcome;
DROP INDEX forecasts.predictions_by_id, accuracy.performance_analytics_newest, accuracy.calibration_summary_newest;
GRANT SELECT ON forecasts.v_due_queue, forecasts.price_predictions, forecasts.direction_predictions,
    forecasts.time_predictions, forecasts.volatility_predictions, accuracy.v_recommendation_accuracy
    TO predtrack_reader, predtrack_writer;
GRANT ALL ON forecasts.v_due_queue, forecasts.price_predictions, forecasts.direction_predictions,
    forecasts.time_predictions, forecasts.volatility_predictions, accuracy.v_recommendation_accuracy
    TO predtrack_owner;
