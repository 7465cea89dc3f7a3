-- Predictions beside their outcomes, the queue of what is due, and signals.

CREATE FUNCTION forecasts.latest_outcome(
    of_day date, of_symbol text, of_model text, of_kind text, of_horizon smallint, of_unit text, decided timestamptz)
RETURNS SETOF forecasts.outcomes LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT * FROM forecasts.outcomes o
    WHERE (o.trading_day, o.symbol, o.model_id, o.kind, o.horizon, o.horizon_unit, o.as_of)
        = (of_day, of_symbol, of_model, of_kind, of_horizon, of_unit, decided)
    ORDER BY o.knowledge_time DESC LIMIT 1
$$;
COMMENT ON FUNCTION forecasts.latest_outcome IS 'The latest revision of one prediction''s outcome, by key; no row while it is pending.';

-- plpgsql plans with the day that was asked for, which decides between a quarter and the whole ledger.
CREATE FUNCTION forecasts.due_queue(since date DEFAULT '-infinity')
RETURNS TABLE (due_day date, model_id text, kind text, horizon smallint, horizon_unit text, predictions bigint, symbols bigint,
               oldest_decision date, age_days integer, overdue bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT p.due_day, p.model_id, p.kind, p.horizon, p.horizon_unit, count(*), count(DISTINCT p.symbol), min(p.trading_day),
           max(l.exchange_last_bar) - p.due_day,
           count(*) FILTER (WHERE CASE p.horizon_unit
               WHEN 'session' THEN EXISTS (SELECT FROM market.market_data m
                                           WHERE (m.symbol, m.trading_day) = (p.symbol, p.due_day))
               ELSE EXISTS (SELECT FROM market.intraday_bars m
                            WHERE (m.symbol, m.bar_end) = (p.symbol, p.due_at)) END)
    FROM forecasts.predictions p JOIN market.v_last_bars l USING (symbol)
    WHERE p.due_day >= since AND p.due_day <= l.exchange_last_bar
      AND NOT EXISTS (
          SELECT FROM forecasts.outcomes o
          WHERE o.due_day >= since AND o.prediction_id = p.prediction_id)
    GROUP BY p.due_day, p.model_id, p.kind, p.horizon, p.horizon_unit
    ORDER BY p.due_day, p.model_id, p.kind, p.horizon, p.horizon_unit;
END $$;
COMMENT ON FUNCTION forecasts.due_queue IS 'What has fallen due since a day, by the last day on which any symbol of its exchange has a bar, and is neither validated nor expired. Reads all predictions due since then.';

-- domain/recommendations.py in SQL: a test holds the two equal.
CREATE FUNCTION forecasts.recommendation_band() RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 0.5::double precision;
COMMENT ON FUNCTION forecasts.recommendation_band IS 'How far a return must go to be more than a HOLD, in sigma x sqrt(horizon).';

CREATE FUNCTION forecasts.recommendation_cost() RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 0.001::double precision;
COMMENT ON FUNCTION forecasts.recommendation_cost IS 'Of a BUY or SELL, once, as a fraction of the position: 10 basis points.';

CREATE FUNCTION forecasts.normal_quantile(p double precision) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    q      constant float8 := p - 0.5;
    r      float8;
    over   float8[];
    under  float8[];
    top    float8 := 0;
    bottom float8 := 0;
BEGIN
    IF p <= 0 OR p >= 1 THEN
        RETURN CASE p WHEN 0 THEN '-Infinity'::float8 WHEN 1 THEN 'Infinity'::float8 ELSE 'NaN'::float8 END;
    END IF;
    IF abs(q) <= 0.425 THEN
        r := 0.180625 - q * q;
        over := '{2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
                  13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608}';
        under := '{5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
                   5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1}';
    ELSE
        r := sqrt(-ln(least(p, 1 - p)));
        IF r <= 5 THEN
            r := r - 1.6;
            over := '{7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
                      3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734}';
            under := '{1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
                       0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1}';
        ELSE
            r := r - 5;
            over := '{2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
                      0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699,
                      6.6579046435011037772}';
            under := '{2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
                       7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531,
                       0.59983220655588793769, 1}';
        END IF;
    END IF;
    FOR i IN 1..8 LOOP
        top := top * r + over[i];
        bottom := bottom * r + under[i];
    END LOOP;
    RETURN CASE WHEN abs(q) <= 0.425 THEN q ELSE sign(q) END * top / bottom;
END $$;
COMMENT ON FUNCTION forecasts.normal_quantile IS 'Quantile of the standard normal distribution (Wichura 1988, AS 241, PPND16).';

CREATE FUNCTION forecasts.implied_median(p_up double precision, sigma double precision, horizon integer)
    RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT forecasts.normal_quantile(p_up) * sigma * sqrt(horizon::float8)
$$;
COMMENT ON FUNCTION forecasts.implied_median IS 'Median log return of a normal distribution of spread sigma x sqrt(horizon) that ends above 0 with probability p_up.';

CREATE FUNCTION forecasts.advised(
    kind text, q50 double precision, p_up double precision, sigma double precision, horizon integer)
    RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE kind
        WHEN 'price' THEN
            (q50 > forecasts.recommendation_band() * sigma * sqrt(horizon::float8) + forecasts.recommendation_cost())::integer
            - (q50 < -(forecasts.recommendation_band() * sigma * sqrt(horizon::float8) + forecasts.recommendation_cost()))::integer
        WHEN 'direction' THEN
            (forecasts.implied_median(p_up, sigma, horizon)
                > forecasts.recommendation_band() * sigma * sqrt(horizon::float8) + forecasts.recommendation_cost())::integer
            - (forecasts.implied_median(p_up, sigma, horizon)
                < -(forecasts.recommendation_band() * sigma * sqrt(horizon::float8) + forecasts.recommendation_cost()))::integer
    END
$$;
COMMENT ON FUNCTION forecasts.advised IS '1 BUY, -1 SELL, 0 HOLD of a prediction, NULL of kinds that recommend nothing: the median return against band x sigma x sqrt(horizon) + cost.';

CREATE FUNCTION forecasts.was_right(
    side integer, total_return double precision, sigma double precision, horizon integer)
    RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE side
        WHEN 0 THEN abs(total_return) <= forecasts.recommendation_band() * sigma * sqrt(horizon::float8)
        ELSE side * total_return - forecasts.recommendation_cost()
             > forecasts.recommendation_band() * sigma * sqrt(horizon::float8)
    END
$$;
COMMENT ON FUNCTION forecasts.was_right IS 'Whether a recommendation was correct: BUY and SELL after cost beyond the band, HOLD within it, by total log return.';

-- A prediction has one due day, so that naming it here changes no row; but readers that ask by it reach its index.
CREATE FUNCTION forecasts.outcomes_as_of(known_at timestamptz) RETURNS SETOF forecasts.outcomes
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT DISTINCT ON (trading_day, symbol, model_id, kind, horizon, horizon_unit, as_of, due_day) *
    FROM forecasts.outcomes
    WHERE knowledge_time <= known_at
    ORDER BY trading_day DESC, symbol DESC, model_id DESC, kind DESC, horizon DESC, horizon_unit DESC, as_of DESC,
             due_day DESC, knowledge_time DESC
$$;
COMMENT ON FUNCTION forecasts.outcomes_as_of IS 'Outcomes as they were known at a moment. Filter by due_day or by the key: both reach the indexes.';

CREATE VIEW forecasts.outcomes_current AS
    SELECT * FROM forecasts.outcomes_as_of('infinity');
COMMENT ON VIEW forecasts.outcomes_current IS 'The latest revision of every outcome.';

CREATE VIEW forecasts.prediction_status AS
    SELECT p.prediction_id, p.model_id, p.kind, p.symbol, p.trading_day, p.horizon, p.due_day,
           coalesce(o.status, 'pending') AS status, o.reason, p.as_of, p.horizon_unit, p.due_at
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(
        p.trading_day, p.symbol, p.model_id, p.kind, p.horizon, p.horizon_unit, p.as_of) o ON true
    UNION ALL
    SELECT NULL, model_id, kind, symbol, trading_day, horizon, NULL, 'skipped', reason, as_of, horizon_unit, NULL
    FROM forecasts.skipped_predictions s
    WHERE NOT EXISTS (  -- once refused, written since
        SELECT FROM forecasts.predictions p
        WHERE (p.trading_day, p.symbol, p.model_id) = (s.trading_day, s.symbol, s.model_id)
          AND (p.horizon_unit, p.as_of) = (s.horizon_unit, s.as_of)
          AND (s.kind = '*' OR (p.kind, p.horizon) = (s.kind, s.horizon)));
COMMENT ON VIEW forecasts.prediction_status IS 'Every prediction in exactly one of pending, validated, expired, skipped.';

CREATE VIEW forecasts.price_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.predicted_price, p.confidence AS confidence_score,
           p.reference_price, p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.actual_price, o.accuracy_pct,
           abs(o.relative_error) AS error_magnitude, o.error_direction, o.log_error,
           o.occurred AS within_5pct, o.within_band, o.knowledge_time AS validated_at, p.trading_day,
           (ARRAY['SELL', 'HOLD', 'BUY'])[forecasts.advised('price', p.q50, NULL, p.sigma, p.horizon) + 2] AS recommendation,
           p.horizon_unit, p.due_at
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(
        p.trading_day, p.symbol, p.model_id, p.kind, p.horizon, p.horizon_unit, p.as_of) o ON true
    WHERE p.kind = 'price';
COMMENT ON VIEW forecasts.price_predictions IS 'Price predictions beside their outcomes.';
COMMENT ON COLUMN forecasts.price_predictions.recommendation IS 'The signal of the forecast, of any model; issued are those of champions, forecasts.recommendations.';

CREATE VIEW forecasts.direction_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.confidence AS p_up, p.reference_price,
           p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.occurred AS went_up,
           o.actual_return, o.knowledge_time AS validated_at, p.trading_day, p.horizon_unit, p.due_at
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(
        p.trading_day, p.symbol, p.model_id, p.kind, p.horizon, p.horizon_unit, p.as_of) o ON true
    WHERE p.kind = 'direction';
COMMENT ON VIEW forecasts.direction_predictions IS 'Direction predictions beside their outcomes.';

CREATE VIEW forecasts.time_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.target_price, p.side, p.hit_rule, p.predicted_days,
           p.confidence AS p_hit, p.reference_price, p.as_of AS prediction_date, p.due_day AS deadline, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.occurred AS hit, o.actual_days,
           o.days_error, o.error_category, o.knowledge_time AS validated_at, p.trading_day, p.horizon_unit, p.due_at
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(
        p.trading_day, p.symbol, p.model_id, p.kind, p.horizon, p.horizon_unit, p.as_of) o ON true
    WHERE p.kind = 'time_to_hit';
COMMENT ON VIEW forecasts.time_predictions IS 'Time-to-hit predictions beside their outcomes.';

CREATE VIEW forecasts.volatility_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.predicted_volatility, p.sigma,
           p.reference_price, p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.realised_volatility, o.qlike,
           o.qlike_no_change, o.knowledge_time AS validated_at, p.trading_day, p.horizon_unit, p.due_at
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(
        p.trading_day, p.symbol, p.model_id, p.kind, p.horizon, p.horizon_unit, p.as_of) o ON true
    WHERE p.kind = 'volatility';
COMMENT ON VIEW forecasts.volatility_predictions IS 'Volatility predictions beside their outcomes.';

CREATE VIEW forecasts.v_due_queue AS
    SELECT * FROM forecasts.due_queue((SELECT max(exchange_last_bar) - 91 FROM market.v_last_bars));
COMMENT ON VIEW forecasts.v_due_queue IS 'What fell due in the last quarter that has bars, by them and not by the clock, and is neither validated nor expired. forecasts.due_queue() looks back to the beginning.';
COMMENT ON COLUMN forecasts.v_due_queue.age_days IS 'Calendar days from the due day to the last day on which any symbol of the exchange has a bar.';
COMMENT ON COLUMN forecasts.v_due_queue.overdue IS 'Of the predictions: those whose own bar of the due day is there, so that a run should have validated them. The others wait for the bar, or to expire.';

CREATE VIEW forecasts.model_predictions AS
    SELECT p.prediction_id, p.model_id, p.kind AS model_type, p.symbol, p.trading_day, p.as_of AS predicted_at,
           p.horizon, (ARRAY['SHORT', 'NEUTRAL', 'LONG'])[advice + 2] AS predicted_direction,
           p.event, p.confidence AS confidence_score, p.predicted_volatility, p.feature_digest AS feature_hash, p.origin,
           p.due_day AS validation_date, coalesce(o.status, 'pending') AS validation_status,
           CASE WHEN advice IS NULL OR o.actual_return IS NULL THEN NULL
                WHEN abs(o.actual_return) <= forecasts.recommendation_band() * p.sigma * sqrt(p.horizon::float8) THEN 'NEUTRAL'
                WHEN o.actual_return > 0 THEN 'LONG' ELSE 'SHORT' END AS actual_direction,
           o.actual_return, o.realised_volatility,
           forecasts.was_right(advice, o.actual_return, p.sigma, p.horizon) AS prediction_accuracy,
           o.knowledge_time AS validated_at, p.recorded_at AS created_at, p.horizon_unit, p.due_at
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(
        p.trading_day, p.symbol, p.model_id, p.kind, p.horizon, p.horizon_unit, p.as_of) o ON true
    CROSS JOIN LATERAL (
        SELECT forecasts.advised(p.kind, p.q50, p.confidence, p.sigma, p.horizon) AS advice) signals;
COMMENT ON VIEW forecasts.model_predictions IS 'Every prediction of every model as a signal, beside its outcome; champions'' signals are forecasts.recommendations.';
COMMENT ON COLUMN forecasts.model_predictions.horizon IS 'Sessions or minutes, as horizon_unit tells.';
COMMENT ON COLUMN forecasts.model_predictions.predicted_direction IS 'LONG, SHORT, NEUTRAL where a recommendation would be BUY, SELL, HOLD; NULL of kinds that recommend nothing.';
COMMENT ON COLUMN forecasts.model_predictions.confidence_score IS 'Probability of event.';
COMMENT ON COLUMN forecasts.model_predictions.feature_hash IS 'Digest of the features; they themselves are in features.feature_store by symbol and trading_day.';
COMMENT ON COLUMN forecasts.model_predictions.actual_direction IS 'NEUTRAL: the total return stayed within half of sigma x sqrt(horizon).';
COMMENT ON COLUMN forecasts.model_predictions.prediction_accuracy IS 'Right after cost: a LONG that cost ate up is not.';

CREATE VIEW forecasts.v_origins AS
    SELECT model_id, kind,
           coalesce(sum(row_count) FILTER (WHERE origin = 'live'), 0)::bigint AS live,
           coalesce(sum(row_count) FILTER (WHERE origin = 'replay'), 0)::bigint AS replay,
           min(trading_day) AS first_day, max(trading_day) AS last_day,
           min(trading_day) FILTER (WHERE origin = 'live') AS first_live_day,
           max(trading_day) FILTER (WHERE origin = 'live') AS last_live_day
    FROM forecasts.prediction_batches
    GROUP BY model_id, kind;
COMMENT ON VIEW forecasts.v_origins IS 'Predictions sealed before their outcome could be known (live) and after (replay), from the ledger''s batches. A batch holds every horizon of its model and kind.';

GRANT SELECT ON ALL TABLES IN SCHEMA forecasts TO predtrack_reader, predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA forecasts TO predtrack_owner;
