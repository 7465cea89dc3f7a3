-- "Current" is the latest revision; "as of" is the latest revision known by then.
-- Sorting backward lets both walk the primary key without a sort.

CREATE FUNCTION market.market_data_as_of(as_of timestamptz) RETURNS SETOF market.market_data
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT DISTINCT ON (symbol, trading_day) *
    FROM market.market_data
    WHERE knowledge_time <= as_of
    ORDER BY symbol DESC, trading_day DESC, knowledge_time DESC
$$;
COMMENT ON FUNCTION market.market_data_as_of IS 'Bars as they were known at a moment. Filter by symbol or trading_day: both reach the indexes.';

CREATE VIEW market.market_data_current AS
    SELECT DISTINCT ON (symbol, trading_day) *
    FROM market.market_data
    ORDER BY symbol DESC, trading_day DESC, knowledge_time DESC;
COMMENT ON VIEW market.market_data_current IS 'The latest revision of every bar.';

CREATE FUNCTION market.corporate_actions_as_of(as_of timestamptz) RETURNS SETOF market.corporate_actions
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT * FROM (
        SELECT DISTINCT ON (symbol, ex_date, kind) *
        FROM market.corporate_actions
        WHERE knowledge_time <= as_of
        ORDER BY symbol DESC, ex_date DESC, kind DESC, knowledge_time DESC
    ) latest
    WHERE value IS NOT NULL
$$;
COMMENT ON FUNCTION market.corporate_actions_as_of IS 'Splits and dividends known at a moment, withdrawn ones left out.';

CREATE VIEW market.corporate_actions_current AS
    SELECT * FROM market.corporate_actions_as_of('infinity');

CREATE FUNCTION market.adjusted_bars_as_of(as_of timestamptz, of_symbol text)
RETURNS TABLE (symbol text, trading_day date, open double precision, high double precision,
               low double precision, close double precision, volume double precision)
    LANGUAGE sql STABLE AS $$
    WITH bars AS (
        SELECT b.* FROM market.market_data_as_of(as_of) b WHERE b.symbol = of_symbol
    ), factors AS (
        SELECT b.trading_day, coalesce(exp(sum(ln(a.value))), 1) AS split_factor
        FROM bars b
        LEFT JOIN market.corporate_actions_as_of(as_of) a
            ON a.symbol = b.symbol AND a.kind = 'split' AND a.ex_date > b.trading_day
            AND a.ex_date <= (as_of AT TIME ZONE 'UTC')::date
        GROUP BY b.trading_day
    )
    SELECT b.symbol, b.trading_day, b.open / split_factor, b.high / split_factor, b.low / split_factor,
           b.close / split_factor, b.volume * split_factor
    FROM bars b JOIN factors USING (trading_day)
    ORDER BY b.trading_day
$$;
COMMENT ON FUNCTION market.adjusted_bars_as_of IS 'One symbol''s history in the share basis of a moment: splits known by then are applied.';

CREATE VIEW market.v_current_market AS
    SELECT * FROM market.market_conditions ORDER BY trading_day DESC LIMIT 1;

CREATE VIEW forecasts.outcomes_current AS
    SELECT DISTINCT ON (trading_day, symbol, model_id, kind, horizon) *
    FROM forecasts.outcomes
    ORDER BY trading_day DESC, symbol DESC, model_id DESC, kind DESC, horizon DESC, knowledge_time DESC;
COMMENT ON VIEW forecasts.outcomes_current IS 'The latest revision of every outcome.';

CREATE VIEW forecasts.prediction_status AS
    SELECT p.prediction_id, p.model_id, p.kind, p.symbol, p.trading_day, p.horizon, p.due_day,
           coalesce(o.status, 'pending') AS status, NULL::text AS reason
    FROM forecasts.predictions p
    LEFT JOIN forecasts.outcomes_current o USING (trading_day, symbol, model_id, kind, horizon)
    UNION ALL
    SELECT NULL, model_id, kind, symbol, trading_day, horizon, NULL, 'skipped', reason
    FROM forecasts.skipped_predictions s
    WHERE NOT EXISTS (  -- once refused, written since
        SELECT FROM forecasts.predictions p
        WHERE (p.trading_day, p.symbol, p.model_id, p.kind, p.horizon)
            = (s.trading_day, s.symbol, s.model_id, s.kind, s.horizon));
COMMENT ON VIEW forecasts.prediction_status IS 'Every prediction in exactly one of pending, validated, expired, skipped.';

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

CREATE VIEW accuracy.v_current_calibration AS
    SELECT DISTINCT ON (model_id, kind, event, horizon)
           model_id, kind, event, horizon, ece, n AS total_predictions, n_eff, calibration_quality, period_end
    FROM accuracy.calibration_summary
    WHERE period = 'rolling_30d'
    ORDER BY model_id, kind, event, horizon, period_end DESC;
COMMENT ON VIEW accuracy.v_current_calibration IS 'The latest rolling calibration of every model.';

CREATE VIEW accuracy.v_retraining_candidates AS
    SELECT symbol, model_id, kind, event, horizon, accuracy_rate, posterior_mean, total_predictions, n_eff, period_end
    FROM (SELECT DISTINCT ON (symbol, model_id, kind, event, horizon) *
          FROM accuracy.symbol_accuracy
          WHERE period = 'rolling_30d'
          ORDER BY symbol, model_id, kind, event, horizon, period_end DESC) latest
    WHERE needs_retraining;
COMMENT ON VIEW accuracy.v_retraining_candidates IS 'Symbols whose latest accuracy calls for retraining; one row each, gone once recovered.';

CREATE VIEW deployment.champions AS
    SELECT DISTINCT ON (kind, scope) kind, scope, model_id, valid_from, gate_id
    FROM deployment.deployments
    ORDER BY kind, scope, valid_from DESC, deployment_id DESC;
COMMENT ON VIEW deployment.champions IS 'The model in force per kind and scope; empty until one has passed a gate.';
