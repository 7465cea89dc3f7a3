-- What the documents call recommendations, model_predictions and success metrics, as views; and how many predictions
-- were written before the fact.

-- domain/forecasts/recommendations.py in SQL: a test holds the two equal.
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
COMMENT ON FUNCTION forecasts.was_right IS 'Whether a recommendation came right: BUY and SELL after cost beyond the band, HOLD within it, by total log return.';

CREATE FUNCTION forecasts.probability_below(x double precision, quantiles double precision[])
    RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN array_position(quantiles, NULL) IS NOT NULL OR cardinality(quantiles) <> 7 THEN NULL
        WHEN x <= quantiles[1] THEN 0.05
        WHEN x >= quantiles[7] THEN 0.95
        ELSE level[k] + (level[k + 1] - level[k]) * (x - quantiles[k]) / (quantiles[k + 1] - quantiles[k])
    END
    FROM (SELECT '{0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95}'::float8[] AS level,
                 CASE WHEN array_position(quantiles, NULL) IS NULL THEN width_bucket(x, quantiles) END AS k) place
$$;
COMMENT ON FUNCTION forecasts.probability_below IS 'Probability of less than x by the quantiles 5, 10, 25, 50, 75, 90, 95 %: linear between them, 0.05 and 0.95 beyond, where they say no more.';

-- Champions are few: the join begins with them, and the champion of each row is asked for last.
CREATE VIEW forecasts.recommendations AS
    SELECT p.prediction_id AS id, p.symbol, p.trading_day, p.kind, p.horizon, d.scope, p.model_id, d.deployment_id,
           (ARRAY['SELL', 'HOLD', 'BUY'])[advice + 2] AS recommendation,
           CASE advice WHEN 1 THEN 1 - forecasts.probability_below(band + cost, quantiles)
                     WHEN -1 THEN forecasts.probability_below(-band - cost, quantiles)
                     ELSE forecasts.probability_below(band, quantiles) - forecasts.probability_below(-band, quantiles)
           END AS confidence_score,
           p.reference_price AS current_price,
           coalesce(p.predicted_price, CASE WHEN abs(median) < 'Infinity' THEN p.reference_price * exp(median) END) AS target_price,
           median AS median_return, band, cost,
           CASE WHEN p.origin = 'live' AND d.recorded_at < p.knowable_at THEN 'live' ELSE 'replay' END AS origin,
           p.as_of AS prediction_date, p.due_day AS validation_date,
           coalesce(o.status, 'pending') AS validation_status, o.actual_return,
           forecasts.was_right(advice, o.actual_return, p.sigma, p.horizon) AS was_right,
           0 + advice * o.actual_return - abs(advice) * cost AS return_after_cost,  -- 0 and not -0
           o.knowledge_time AS validated_at
    FROM deployment.deployments d
    JOIN forecasts.predictions p
        ON p.model_id = d.model_id AND p.kind = d.kind AND 'h' || p.horizon = split_part(d.scope, ':', 1)
        AND d.valid_from <= p.as_of AND (d.valid_until IS NULL OR p.as_of < d.valid_until)
        AND d.deployment_id IS NOT DISTINCT FROM (  -- `=` would ask it of every prediction
            SELECT c.deployment_id FROM deployment.champion_for(p.kind, p.horizon, p.symbol, p.as_of) c)
    CROSS JOIN LATERAL (
        SELECT forecasts.advised(p.kind, p.q50, p.confidence, p.sigma, p.horizon) AS advice,
               CASE p.kind WHEN 'price' THEN p.q50
                    ELSE forecasts.implied_median(p.confidence, p.sigma, p.horizon) END AS median,
               p.sigma * sqrt(p.horizon::float8) AS spread,
               forecasts.recommendation_band() * p.sigma * sqrt(p.horizon::float8) AS band,
               forecasts.recommendation_cost() AS cost) said
    CROSS JOIN LATERAL (
        SELECT CASE p.kind
            WHEN 'price' THEN ARRAY[p.q05, p.q10, p.q25, p.q50, p.q75, p.q90, p.q95]
            ELSE ARRAY[median - 1.6448536269514722 * spread, median - 1.2815515655446004 * spread,
                       median - 0.6744897501960817 * spread, median, median + 0.6744897501960817 * spread,
                       median + 1.2815515655446004 * spread, median + 1.6448536269514722 * spread]
        END AS quantiles) distribution
    LEFT JOIN LATERAL forecasts.latest_outcome(p.trading_day, p.symbol, p.model_id, p.kind, p.horizon) o ON true;
COMMENT ON VIEW forecasts.recommendations IS 'BUY, SELL or HOLD of the model that was champion for the symbol at the end of each decision day. Without a champion nothing is recommended, and there is no row.';
COMMENT ON COLUMN forecasts.recommendations.scope IS 'What the model was champion for: h5, or h5:IBM for IBM alone.';
COMMENT ON COLUMN forecasts.recommendations.confidence_score IS 'Probability of being right, of price alone (dividends left out): linear between the stored quantiles, of a direction those of the normal distribution that p_up implies; never below 0.05 or above 0.95.';
COMMENT ON COLUMN forecasts.recommendations.target_price IS 'Median forecast, in the shares of the decision day.';
COMMENT ON COLUMN forecasts.recommendations.band IS 'Log return: half of sigma x sqrt(horizon). BUY and SELL must go beyond band + cost.';
COMMENT ON COLUMN forecasts.recommendations.origin IS 'live: prediction and deployment were both written before the outcome could be known. Otherwise replay.';
COMMENT ON COLUMN forecasts.recommendations.actual_return IS 'Total log return, dividends included.';
COMMENT ON COLUMN forecasts.recommendations.return_after_cost IS 'Log return of the position: of a HOLD 0.';

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
           o.knowledge_time AS validated_at, p.recorded_at AS created_at
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(p.trading_day, p.symbol, p.model_id, p.kind, p.horizon) o ON true
    CROSS JOIN LATERAL (
        SELECT forecasts.advised(p.kind, p.q50, p.confidence, p.sigma, p.horizon) AS advice) said;
COMMENT ON VIEW forecasts.model_predictions IS 'Every prediction of every model as a signal, beside what came of it; champions'' signals are forecasts.recommendations.';
COMMENT ON COLUMN forecasts.model_predictions.horizon IS 'Sessions.';
COMMENT ON COLUMN forecasts.model_predictions.predicted_direction IS 'LONG, SHORT, NEUTRAL where a recommendation would be BUY, SELL, HOLD; NULL of kinds that recommend nothing.';
COMMENT ON COLUMN forecasts.model_predictions.confidence_score IS 'Probability of event.';
COMMENT ON COLUMN forecasts.model_predictions.feature_hash IS 'Digest of the features; they themselves are in features.feature_store by symbol and trading_day.';
COMMENT ON COLUMN forecasts.model_predictions.actual_direction IS 'NEUTRAL: the total return stayed within half of sigma x sqrt(horizon).';
COMMENT ON COLUMN forecasts.model_predictions.prediction_accuracy IS 'Right after cost: a LONG that cost ate up is not.';

-- As before, and what each forecast would recommend.
CREATE OR REPLACE VIEW forecasts.price_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.predicted_price, p.confidence AS confidence_score,
           p.reference_price, p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.actual_price, o.accuracy_pct,
           abs(o.relative_error) AS error_magnitude, o.error_direction, o.log_error,
           o.occurred AS within_5pct, o.within_band, o.knowledge_time AS validated_at, p.trading_day,
           (ARRAY['SELL', 'HOLD', 'BUY'])[forecasts.advised('price', p.q50, NULL, p.sigma, p.horizon) + 2] AS recommendation
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(p.trading_day, p.symbol, p.model_id, p.kind, p.horizon) o ON true
    WHERE p.kind = 'price';
COMMENT ON COLUMN forecasts.price_predictions.recommendation IS 'What the forecast advises, whoever made it; issued are those of champions, forecasts.recommendations.';

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

CREATE VIEW accuracy.v_success_metrics AS
    WITH since AS (
        SELECT coalesce(max(period_end), '-infinity') AS day FROM accuracy.coverage WHERE period = 'monthly'
    ), candidates AS (
        SELECT model_id FROM models.model_registry WHERE role = 'candidate' AND status <> 'retired'
    ), buckets AS MATERIALIZED (  -- whole months and the days since: every outcome once
        SELECT model_id, kind, horizon, bucket_low, date_trunc('quarter', period_end::timestamp) AS quarter,
               sum(prediction_count) AS n, sum(accurate_count) AS hits,
               sum(prediction_count * expected_accuracy) AS said
        FROM since, accuracy.calibration_metrics JOIN candidates USING (model_id)
        WHERE period = 'monthly' OR period = 'daily' AND period_end > since.day
        GROUP BY model_id, kind, horizon, bucket_low, quarter
    ), calibration AS (
        SELECT model_id, kind, horizon, sum(missed) / sum(n) AS ece, sum(n)::bigint AS n
        FROM (SELECT model_id, kind, horizon, sum(n) AS n, abs(sum(said) - sum(hits)) AS missed
              FROM buckets GROUP BY model_id, kind, horizon, bucket_low) to_date
        GROUP BY model_id, kind, horizon
    ), years AS (  -- quiet quarters come together: from three years on that is seen, and counted
        SELECT model_id, kind, horizon, CASE WHEN count(*) >= 12 THEN accuracy.effective_sample_size(
                   array_agg(hits::bigint ORDER BY quarter), array_agg(n::bigint ORDER BY quarter), 1) END AS n_eff
        FROM (SELECT model_id, kind, horizon, quarter, sum(n) AS n, sum(hits) AS hits
              FROM buckets GROUP BY model_id, kind, horizon, quarter) quarters
        GROUP BY model_id, kind, horizon
    ), sizes AS (
        SELECT model_id, kind, horizon, least(sum(c.n_eff), min(y.n_eff)) AS n_eff
        FROM since, accuracy.calibration_summary c JOIN years y USING (model_id, kind, horizon)
        WHERE period = 'monthly' OR period = 'daily' AND period_end > since.day
        GROUP BY model_id, kind, horizon
    ), due AS (
        SELECT sum(due)::bigint AS n, sum(validated)::float8 / sum(due) AS share
        FROM accuracy.coverage, since
        WHERE period = 'monthly' OR period = 'daily' AND period_end > since.day
    ), last AS (
        SELECT max(trading_day) AS day FROM forecasts.prediction_batches
    ), symbols AS (
        SELECT count(*) AS n, avg(tracked::integer)::float8 AS share, max(day) AS day
        FROM last, LATERAL (
            SELECT b.symbol, EXISTS (SELECT FROM forecasts.predictions p
                                     WHERE p.trading_day = day AND p.symbol = b.symbol) AS tracked
            FROM market.market_data b WHERE b.trading_day = day GROUP BY b.symbol) active
    ), deployed AS (
        SELECT count(*) AS n, count(*) FILTER (WHERE NOT EXISTS (
                   SELECT FROM deployment.deployment_gates g
                   LEFT JOIN deployment.gate_overrides o ON o.override_id = d.override_id
                   WHERE g.gate_id = coalesce(d.gate_id, o.gate_id)
                     AND (g.model_id, g.kind) = (d.model_id, d.kind)
                     AND g.scope IN (d.scope, CASE WHEN d.restores IS NOT NULL THEN split_part(d.scope, ':', 1) END)
                     AND CASE WHEN d.override_id IS NULL THEN g.gate_status = 'passed'
                              ELSE d.valid_until = o.expires_at AND d.valid_from < o.expires_at END)) AS bad
        FROM deployment.deployments d WHERE d.retires IS NULL
    ), events AS MATERIALIZED (
        SELECT event_type, subject, payload, at FROM audit.audit_trail
        WHERE event_type IN ('validation_run', 'deployment_gate', 'deployment', 'rollback', 'manual_override')
    ), weeks AS (
        SELECT (payload ->> 'evaluated_at')::timestamptz AS evaluated_at, week::date AS as_of_day
        FROM events, jsonb_object_keys(payload -> 'digests') week
        WHERE event_type = 'deployment_gate' AND payload ? 'digests'
    ), audited AS (
        SELECT 'predictions, in batches of the ledger' AS subject, count(*) AS n,
               (SELECT coalesce(sum(row_count), 0) FROM forecasts.prediction_batches) AS recorded
        FROM forecasts.predictions
        UNION ALL
        SELECT 'outcomes, by runs on the audit trail', count(*), (
                   SELECT coalesce(sum((payload ->> 'rows_inserted')::bigint), 0) FROM events
                   WHERE event_type = 'validation_run' AND subject = 'forecasts.outcomes')
        FROM forecasts.outcomes
        UNION ALL
        SELECT 'weeks of gates, on the audit trail', count(*), count(*) FILTER (
                   WHERE EXISTS (SELECT FROM weeks w
                                 WHERE (w.evaluated_at, w.as_of_day) = (g.evaluated_at, g.as_of_day))
                      OR EXISTS (SELECT FROM events e  -- of before events said digests
                                 WHERE e.event_type = 'deployment_gate' AND NOT e.payload ? 'digests'
                                   AND g.as_of_day BETWEEN (e.payload ->> 'first')::date AND (e.payload ->> 'last')::date
                                   AND g.evaluated_at <= e.at))
        FROM (SELECT DISTINCT evaluated_at, as_of_day FROM deployment.deployment_gates) g
        UNION ALL
        SELECT 'deployments, on the audit trail', count(*), count(*) FILTER (WHERE EXISTS (
                   SELECT FROM events e
                   WHERE e.event_type IN ('deployment', 'rollback', 'manual_override')
                     AND e.payload ->> 'deployment_id' = d.deployment_id::text))
        FROM deployment.deployments d
        UNION ALL
        SELECT 'overrides, on the audit trail', count(*), count(*) FILTER (WHERE EXISTS (
                   SELECT FROM events e
                   WHERE e.event_type = 'manual_override' AND e.payload ->> 'override_id' = o.override_id::text))
        FROM deployment.gate_overrides o
    ), measured AS (
        SELECT 1 AS place, 'calibration' AS metric,
               concat_ws(' ', m.model_id, c.kind, 'h' || c.horizon) AS subject, '< 0.10' AS target, c.ece AS value,
               coalesce(c.n, 0) AS n, s.n_eff, CASE WHEN s.n_eff >= 100 THEN c.ece < 0.10 END AS holds
        FROM candidates m
        LEFT JOIN (calibration c JOIN sizes s USING (model_id, kind, horizon)) ON c.model_id = m.model_id
        UNION ALL
        SELECT 2, 'symbol_coverage', concat_ws(' ', 'symbols with a bar on', day), '100 %', share, n, NULL,
               CASE WHEN n > 0 THEN share = 1 END
        FROM symbols
        UNION ALL
        SELECT 3, 'validation', 'predictions that fell due', '100 %', share, coalesce(n, 0), NULL, share = 1
        FROM due
        UNION ALL
        SELECT 4, 'bad_deployments', 'deployments without passed gate or valid override', '0', bad, n, NULL,
               CASE WHEN n > 0 THEN bad = 0 END
        FROM deployed
        UNION ALL
        SELECT 5, 'audit_completeness', subject, '100 %',
               CASE WHEN n > 0 THEN least(recorded::float8 / n, 1) END, n, NULL,
               CASE WHEN n > 0 THEN recorded >= n END
        FROM audited
    )
    SELECT metric, subject, target, value, n, n_eff,
           CASE WHEN holds IS NULL THEN 'insufficient' WHEN holds THEN 'holds' ELSE 'not' END AS status
    FROM measured ORDER BY place, subject;
COMMENT ON VIEW accuracy.v_success_metrics IS 'The success metrics of the requirements, from what is stored. Of nothing there is nothing to say: insufficient.';
COMMENT ON COLUMN accuracy.v_success_metrics.metric IS 'calibration: ECE to date per candidate, kind and horizon. symbol_coverage: active symbols that are predicted. validation: of all that fell due, as the reports knew at the end of each month and of each day since. bad_deployments: a count. audit_completeness: rows that a batch or an event records; predtrack ledger verify compares their contents.';
COMMENT ON COLUMN accuracy.v_success_metrics.n_eff IS 'Of a calibration: the sum over its reports, from three years on at most what its quarters are worth together. Below 100 it is insufficient.';

GRANT SELECT ON forecasts.recommendations, forecasts.model_predictions, forecasts.v_origins, accuracy.v_success_metrics
    TO predtrack_reader, predtrack_writer;
GRANT ALL ON forecasts.recommendations, forecasts.model_predictions, forecasts.v_origins, accuracy.v_success_metrics
    TO predtrack_owner;
