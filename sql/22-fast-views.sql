-- What people and dashboards ask answers in less than 100 ms on years of predictions (docs/benchmarks.md, Views),
-- and says what it can stand for: the queue by the bars there are, pooled rates with their interval, models by name.

CREATE INDEX predictions_by_id ON forecasts.predictions (prediction_id);
CREATE INDEX performance_analytics_newest ON accuracy.performance_analytics
    (period, model_id, kind, horizon, period_end);
CREATE INDEX calibration_summary_newest ON accuracy.calibration_summary
    (model_id, kind, event, horizon, period_end) WHERE period = 'rolling_30d';
COMMENT ON INDEX accuracy.performance_analytics_newest IS 'Walked from cell to cell by v_current_performance; equal keys share an entry, so it is a sixth of the key.';

-- The newest reports ---------------------------------------------------------------------------
-- PostgreSQL has no scan that skips from one newest row to the next: each turn of the recursion is one step.

CREATE OR REPLACE VIEW accuracy.v_current_performance AS
    WITH RECURSIVE newest AS (
        (SELECT period, model_id, kind, horizon, period_end FROM accuracy.performance_analytics
         ORDER BY period DESC, model_id DESC, kind DESC, horizon DESC, period_end DESC LIMIT 1)
        UNION ALL
        SELECT following.* FROM newest n CROSS JOIN LATERAL (
            SELECT p.period, p.model_id, p.kind, p.horizon, p.period_end FROM accuracy.performance_analytics p
            WHERE (p.period, p.model_id, p.kind, p.horizon) < (n.period, n.model_id, n.kind, n.horizon)
            ORDER BY p.period DESC, p.model_id DESC, p.kind DESC, p.horizon DESC, p.period_end DESC LIMIT 1) following
    )
    SELECT a.* FROM newest JOIN accuracy.performance_analytics a USING (period, model_id, kind, horizon, period_end)
    ORDER BY a.model_id, a.kind, a.horizon, a.score, a.baseline, a.period;
COMMENT ON VIEW accuracy.v_current_performance IS 'The newest report of every version, kind, horizon and period: its scores against its baselines.';

CREATE OR REPLACE VIEW accuracy.v_current_calibration AS
    WITH RECURSIVE newest AS (
        (SELECT * FROM accuracy.calibration_summary WHERE period = 'rolling_30d'
         ORDER BY model_id DESC, kind DESC, event DESC, horizon DESC, period_end DESC LIMIT 1)
        UNION ALL
        SELECT following.* FROM newest n CROSS JOIN LATERAL (
            SELECT * FROM accuracy.calibration_summary c
            WHERE c.period = 'rolling_30d'
              AND (c.model_id, c.kind, c.event, c.horizon) < (n.model_id, n.kind, n.event, n.horizon)
            ORDER BY c.model_id DESC, c.kind DESC, c.event DESC, c.horizon DESC, c.period_end DESC LIMIT 1) following
    )
    SELECT model_id, kind, event, horizon, ece, n AS total_predictions, n_eff, calibration_quality, period_end,
           rms_calibration_error, rms_calibration_upper, miscalibration, discrimination, uncertainty, coverage
    FROM newest ORDER BY model_id, kind, event, horizon;

CREATE OR REPLACE VIEW deployment.v_latest_gates AS
    SELECT g.gate_id, g.kind, g.scope, g.horizon, g.model_id, m.role, g.as_of_day, g.gate_status, g.accuracy,
           g.failure_reasons, g.criteria, g.evaluated_at
    FROM (SELECT kind, scope, model_id, max(as_of_day) AS as_of_day
          FROM deployment.deployment_gates GROUP BY kind, scope, model_id) latest
    JOIN deployment.deployment_gates g USING (kind, scope, model_id, as_of_day)
    JOIN models.model_registry m USING (model_id)
    ORDER BY g.kind, g.scope, g.model_id;

-- Predictions beside what came of them ---------------------------------------------------------

CREATE FUNCTION forecasts.latest_outcome(
    of_day date, of_symbol text, of_model text, of_kind text, of_horizon smallint)
RETURNS SETOF forecasts.outcomes LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT * FROM forecasts.outcomes o
    WHERE (o.trading_day, o.symbol, o.model_id, o.kind, o.horizon) = (of_day, of_symbol, of_model, of_kind, of_horizon)
    ORDER BY o.knowledge_time DESC LIMIT 1
$$;
COMMENT ON FUNCTION forecasts.latest_outcome IS 'The latest revision of one prediction''s outcome, by key; no row while it is pending.';

CREATE OR REPLACE VIEW forecasts.prediction_status AS
    SELECT p.prediction_id, p.model_id, p.kind, p.symbol, p.trading_day, p.horizon, p.due_day,
           coalesce(o.status, 'pending') AS status, NULL::text AS reason
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(p.trading_day, p.symbol, p.model_id, p.kind, p.horizon) o ON true
    UNION ALL
    SELECT NULL, model_id, kind, symbol, trading_day, horizon, NULL, 'skipped', reason
    FROM forecasts.skipped_predictions s
    WHERE NOT EXISTS (  -- once refused, written since
        SELECT FROM forecasts.predictions p
        WHERE (p.trading_day, p.symbol, p.model_id) = (s.trading_day, s.symbol, s.model_id)
          AND (s.kind = '*' OR (p.kind, p.horizon) = (s.kind, s.horizon)));

CREATE OR REPLACE VIEW forecasts.price_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.predicted_price, p.confidence AS confidence_score,
           p.reference_price, p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.actual_price, o.accuracy_pct,
           abs(o.relative_error) AS error_magnitude, o.error_direction, o.log_error,
           o.occurred AS within_5pct, o.within_band, o.knowledge_time AS validated_at, p.trading_day
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(p.trading_day, p.symbol, p.model_id, p.kind, p.horizon) o ON true
    WHERE p.kind = 'price';

CREATE OR REPLACE VIEW forecasts.direction_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.confidence AS p_up, p.reference_price,
           p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.occurred AS went_up,
           o.actual_return, o.knowledge_time AS validated_at, p.trading_day
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(p.trading_day, p.symbol, p.model_id, p.kind, p.horizon) o ON true
    WHERE p.kind = 'direction';

CREATE OR REPLACE VIEW forecasts.time_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.target_price, p.side, p.hit_rule, p.predicted_days,
           p.confidence AS p_hit, p.reference_price, p.as_of AS prediction_date, p.due_day AS deadline, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.occurred AS hit, o.actual_days,
           o.days_error, o.error_category, o.knowledge_time AS validated_at, p.trading_day
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(p.trading_day, p.symbol, p.model_id, p.kind, p.horizon) o ON true
    WHERE p.kind = 'time_to_hit';

CREATE OR REPLACE VIEW forecasts.volatility_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.predicted_volatility, p.sigma,
           p.reference_price, p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.realised_volatility, o.qlike,
           o.qlike_no_change, o.knowledge_time AS validated_at, p.trading_day
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(p.trading_day, p.symbol, p.model_id, p.kind, p.horizon) o ON true
    WHERE p.kind = 'volatility';

-- What is due: by the bars there are, not by the clock -----------------------------------------

CREATE VIEW market.v_last_bars AS
    SELECT s.symbol, s.exchange, b.trading_day AS last_bar,
           max(b.trading_day) OVER (PARTITION BY s.exchange) AS exchange_last_bar
    FROM market.symbols s LEFT JOIN LATERAL (
        SELECT m.trading_day FROM market.market_data m WHERE m.symbol = s.symbol
        ORDER BY m.trading_day DESC LIMIT 1) b ON true;
COMMENT ON VIEW market.v_last_bars IS 'The last day with a bar, of each symbol and of any symbol of its exchange.';

-- plpgsql plans with the day that was asked for, which decides between a quarter and the whole ledger.
CREATE FUNCTION forecasts.due_queue(since date DEFAULT '-infinity')
RETURNS TABLE (due_day date, model_id text, kind text, horizon smallint, predictions bigint, symbols bigint,
               oldest_decision date, age_days integer, overdue bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT p.due_day, p.model_id, p.kind, p.horizon, count(*), count(DISTINCT p.symbol), min(p.trading_day),
           max(l.exchange_last_bar) - p.due_day,
           count(*) FILTER (WHERE EXISTS (SELECT FROM market.market_data m
                                          WHERE (m.symbol, m.trading_day) = (p.symbol, p.due_day)))
    FROM forecasts.predictions p JOIN market.v_last_bars l USING (symbol)
    WHERE p.due_day >= since AND p.due_day <= l.exchange_last_bar
      AND NOT EXISTS (
          SELECT FROM forecasts.outcomes o
          WHERE o.due_day >= since AND o.prediction_id = p.prediction_id)
    GROUP BY p.due_day, p.model_id, p.kind, p.horizon
    ORDER BY p.due_day, p.model_id, p.kind, p.horizon;
END $$;
COMMENT ON FUNCTION forecasts.due_queue IS 'What has fallen due since a day, by the last day on which any symbol of its exchange has a bar, and is neither validated nor expired. Reads all predictions due since then.';

CREATE OR REPLACE VIEW forecasts.v_due_queue AS
    SELECT * FROM forecasts.due_queue((SELECT max(exchange_last_bar) - 91 FROM market.v_last_bars));
COMMENT ON VIEW forecasts.v_due_queue IS 'What fell due in the last quarter that has bars, by them and not by the clock, and is neither validated nor expired. forecasts.due_queue() looks back to the beginning.';
COMMENT ON COLUMN forecasts.v_due_queue.age_days IS 'Calendar days from the due day to the last day on which any symbol of the exchange has a bar.';
COMMENT ON COLUMN forecasts.v_due_queue.overdue IS 'Of the predictions: those whose own bar of the due day is there, so that a run should have validated them. The others wait for the bar, or to expire.';

-- Who can be helped by a fit -------------------------------------------------------------------

CREATE OR REPLACE VIEW accuracy.v_retraining_candidates AS
    SELECT symbol, model_id, kind, event, horizon, accuracy_rate, posterior_mean, total_predictions, n_eff, period_end,
           posterior_low, posterior_high, asked AS threshold, p_below_threshold,
           format('%s of %s calls of %s to %s came true (%s effective rows): shrunk toward all symbols a rate of'
                  ' %s %%, 95 %% interval %s to %s %%; below %s %% with probability %s',
                  accurate_predictions, total_predictions, period_start, period_end,
                  trim_scale(round(n_eff::numeric, 1)), round(100 * posterior_mean::numeric, 1),
                  round(100 * posterior_low::numeric, 1), round(100 * posterior_high::numeric, 1),
                  trim_scale(round(100 * asked::numeric, 2)), trunc(p_below_threshold::numeric, 4)) AS reason
    FROM (SELECT DISTINCT ON (a.symbol, a.model_id, a.kind, a.horizon) a.*, coalesce(a.threshold, 0.5) AS asked
          FROM accuracy.symbol_accuracy a JOIN models.model_registry m USING (model_id)
          WHERE a.period = 'rolling_30d' AND a.needs_retraining AND m.scope IS NOT NULL AND m.status <> 'retired'
            AND a.period_end = (SELECT max(period_end) FROM accuracy.symbol_accuracy WHERE period = 'rolling_30d')
          ORDER BY a.symbol, a.model_id, a.kind, a.horizon, a.p_below_threshold DESC, a.event) latest;
COMMENT ON VIEW accuracy.v_retraining_candidates IS 'Symbols that the latest report (period_end) calls for retraining, of versions that are fitted and not retired; one row per model, kind and horizon, gone once recovered.';

-- Rates of BUY, SELL and HOLD with their interval ----------------------------------------------

-- Rounding must not put a rate outside of its own interval; least() and greatest() would make one of a NULL.
CREATE FUNCTION accuracy.wilson(rate double precision, n_eff double precision)
RETURNS TABLE (low double precision, high double precision) LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1 AS $$
    SELECT CASE WHEN half IS NOT NULL THEN least(greatest(centre - half, 0), rate) END,
           CASE WHEN half IS NOT NULL THEN greatest(least(centre + half, 1), rate) END
    FROM (SELECT CASE WHEN n_eff > 0 THEN n_eff END AS n, 1.959963984540054::float8 ^ 2 AS z2) a,
         LATERAL (SELECT (rate + z2 / (2 * n)) / (1 + z2 / n) AS centre,
                         sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n * n))) / (1 + z2 / n) AS half) b
$$;
COMMENT ON FUNCTION accuracy.wilson IS 'Score interval (Wilson 1927) of a rate, 95 %, on n_eff rows; NULL where n_eff is not positive.';

CREATE OR REPLACE VIEW accuracy.v_recommendation_accuracy AS
    WITH given AS (
        SELECT model_id, kind, horizon, period, period_start, period_end, count(DISTINCT symbol) AS symbols,
               sum(buy_count) AS buys, sum(buy_right) AS buys_right, sum(sell_count) AS sells,
               sum(sell_right) AS sells_right, sum(hold_count) AS holds, sum(hold_right) AS holds_right
        FROM accuracy.symbol_accuracy WHERE buy_count IS NOT NULL
        GROUP BY model_id, kind, horizon, period, period_start, period_end
    )
    SELECT g.model_id, g.kind, g.horizon, g.period, g.period_start, g.period_end, g.symbols, r.side, r.given,
           r.came_right, CASE WHEN worth.n_eff > 0 THEN r.came_right::double precision / r.given END AS accuracy,
           worth.n_eff, bounds.low AS accuracy_low, bounds.high AS accuracy_high
    FROM given g
    LEFT JOIN accuracy.calibration_summary d ON d.kind = 'direction' AND d.event = 'up'
        AND (d.model_id, d.horizon, d.period, d.period_end) = (g.model_id, g.horizon, g.period, g.period_end)
    CROSS JOIN LATERAL (VALUES ('BUY', buys, buys_right), ('SELL', sells, sells_right),
                               ('HOLD', holds, holds_right)) AS r (side, given, came_right)
    CROSS JOIN LATERAL (SELECT r.given * d.n_eff / nullif(d.n, 0) AS n_eff) worth
    CROSS JOIN LATERAL accuracy.wilson(r.came_right::double precision / nullif(r.given, 0), worth.n_eff) bounds;
COMMENT ON VIEW accuracy.v_recommendation_accuracy IS 'BUY, SELL and HOLD of every model over all its symbols, and how many were right; no rate where none was given or its interval cannot be had.';
COMMENT ON COLUMN accuracy.v_recommendation_accuracy.n_eff IS 'given times n_eff / n of the same model''s direction in the same period: symbols that rise and fall together are right and wrong together. The whole share also for few calls a day, which errs to the wide side.';
COMMENT ON COLUMN accuracy.v_recommendation_accuracy.accuracy_low IS 'accuracy_low to accuracy_high: 95 %, Wilson, on n_eff.';

-- A model that nobody knows is an error --------------------------------------------------------

CREATE FUNCTION models.require_model(of_model text) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF of_model IS NULL OR NOT EXISTS (SELECT FROM models.model_registry m WHERE m.model_id = of_model) THEN
        RAISE EXCEPTION 'there is no model %; there are: %', coalesce(of_model, 'NULL'),
            coalesce((SELECT string_agg(m.model_id, ', ' ORDER BY m.model_id) FROM models.model_registry m), 'none yet')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END $$;
COMMENT ON FUNCTION models.require_model IS 'Nothing for a version in the registry; otherwise an error that names those that there are.';

CREATE OR REPLACE FUNCTION accuracy.calculate_ece(
    of_model text, of_kind text DEFAULT 'price', of_horizon integer DEFAULT 1, lookback_days integer DEFAULT 30,
    known_at timestamptz DEFAULT now())
RETURNS TABLE (ece double precision, total_predictions bigint, n_eff double precision,
               rms_calibration_error double precision, rms_calibration_upper double precision,
               calibration_quality text)
LANGUAGE sql STABLE AS $$
    SELECT models.require_model(of_model);
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
    of_model text, of_kind text DEFAULT 'price', of_horizon integer DEFAULT 1, of_period text DEFAULT 'rolling_30d',
    at_most integer DEFAULT 50)
RETURNS TABLE (rank bigint, symbol text, posterior_mean double precision, posterior_low double precision,
               posterior_high double precision, accuracy_rate double precision, total_predictions integer,
               n_eff double precision, needs_retraining boolean)
LANGUAGE sql STABLE AS $$
    SELECT models.require_model(of_model);
    SELECT row_number() OVER (ORDER BY a.posterior_mean DESC, a.symbol), a.symbol, a.posterior_mean, a.posterior_low,
           a.posterior_high, a.accuracy_rate, a.total_predictions, a.n_eff, a.needs_retraining
    FROM accuracy.symbol_accuracy a
    WHERE a.model_id = of_model AND a.kind = of_kind AND a.horizon = of_horizon AND a.period = of_period
      AND a.period_end = (SELECT max(b.period_end) FROM accuracy.symbol_accuracy b
                          WHERE b.model_id = of_model AND b.kind = of_kind AND b.horizon = of_horizon
                            AND b.period = of_period)
    ORDER BY 1 LIMIT at_most
$$;
COMMENT ON FUNCTION accuracy.get_symbol_ranking IS 'Symbols of the latest report by posterior mean: one lucky call does not outrank a record. A week holds too few rows to tell symbols apart; 30 days are the default.';

GRANT SELECT ON market.v_last_bars TO predtrack_reader, predtrack_writer;
GRANT ALL ON market.v_last_bars TO predtrack_owner;
