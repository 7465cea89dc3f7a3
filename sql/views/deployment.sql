-- Champions, gates and tests as they stand, and what champions recommend.

CREATE FUNCTION deployment.in_force_at(of_kind text, of_scope text, at timestamptz)
RETURNS SETOF deployment.deployments LANGUAGE sql STABLE AS $$
    SELECT * FROM deployment.deployments
    WHERE kind = of_kind AND scope = of_scope AND valid_from <= at
      AND (valid_until IS NULL OR at < valid_until)
    ORDER BY valid_from DESC LIMIT 1
$$;
COMMENT ON FUNCTION deployment.in_force_at IS 'The deployment or retirement in force at a moment: at most one row.';

CREATE FUNCTION deployment.champion_at(of_kind text, of_scope text, at timestamptz)
RETURNS SETOF deployment.deployments LANGUAGE sql STABLE AS $$
    SELECT * FROM deployment.in_force_at(of_kind, of_scope, at) WHERE model_id IS NOT NULL
$$;
COMMENT ON FUNCTION deployment.champion_at IS 'The deployment in force at a moment; no row where there is no champion.';

CREATE FUNCTION deployment.champion_for(of_kind text, of_horizon integer, of_symbol text, at timestamptz)
RETURNS SETOF deployment.deployments LANGUAGE sql STABLE AS $$
    SELECT c.*
    FROM (VALUES (1, 'h' || of_horizon || ':' || of_symbol), (2, 'h' || of_horizon)) turns (turn, scope),
         LATERAL deployment.champion_at(of_kind, turns.scope, at) c
    ORDER BY turn LIMIT 1
$$;
COMMENT ON FUNCTION deployment.champion_for IS 'The deployment in force for a symbol at a moment: its own, else that of all symbols; at most one row.';

CREATE VIEW deployment.v_improvement_events AS
    SELECT e.*, coalesce(n.status, 'pending') AS notification_status
    FROM deployment.improvement_events e
    LEFT JOIN LATERAL (SELECT status FROM deployment.event_notifications n WHERE n.event_id = e.event_id
                       ORDER BY recorded_at DESC LIMIT 1) n ON true;
COMMENT ON VIEW deployment.v_improvement_events IS 'Events with the status of their latest notification.';

CREATE VIEW deployment.v_ab_tests AS
    SELECT DISTINCT ON (test_id) * FROM deployment.ab_tests ORDER BY test_id, as_of_day DESC;
COMMENT ON VIEW deployment.v_ab_tests IS 'The latest state of each A/B test.';

CREATE VIEW deployment.champions AS
    SELECT * FROM (
        SELECT DISTINCT ON (kind, scope) kind, scope, model_id, valid_from, valid_until, gate_id, override_id,
               deployed_by, reason
        FROM deployment.deployments
        WHERE valid_until IS NULL OR now() < valid_until
        ORDER BY kind, scope, valid_from DESC) in_force
    WHERE model_id IS NOT NULL;
COMMENT ON VIEW deployment.champions IS 'The model in force per kind and scope; no row where there is none.';

CREATE VIEW deployment.v_latest_gates AS
    SELECT g.gate_id, g.kind, g.scope, g.horizon, g.model_id, m.role, g.as_of_day, g.gate_status, g.accuracy,
           g.failure_reasons, g.criteria, g.evaluated_at
    FROM (SELECT kind, scope, model_id, max(as_of_day) AS as_of_day
          FROM deployment.deployment_gates GROUP BY kind, scope, model_id) latest
    JOIN deployment.deployment_gates g USING (kind, scope, model_id, as_of_day)
    JOIN models.model_registry m USING (model_id)
    ORDER BY g.kind, g.scope, g.model_id;
COMMENT ON VIEW deployment.v_latest_gates IS 'The latest gate of each model version, kind and scope.';

CREATE VIEW deployment.v_scoreboard AS
    SELECT s.*, m.role, g.gate_day, g.gate_status, g.first_failure,
           EXISTS (SELECT FROM deployment.champion_at(
                       s.kind, 'h' || s.horizon, (s.as_of_day + 1)::timestamp AT TIME ZONE 'UTC') c
                   WHERE c.model_id = s.model_id) AS is_champion
    FROM accuracy.scoreboard s
    JOIN models.model_registry m USING (model_id)
    LEFT JOIN LATERAL (
        SELECT d.as_of_day AS gate_day, d.gate_status, d.failure_reasons[1] AS first_failure
        FROM deployment.deployment_gates d
        WHERE (d.model_id, d.kind, d.horizon) = (s.model_id, s.kind, s.horizon) AND d.symbol IS NULL
          AND d.as_of_day <= s.as_of_day
        ORDER BY d.as_of_day DESC LIMIT 1) g ON true
    WHERE s.as_of_day = (SELECT max(as_of_day) FROM accuracy.scoreboard);
COMMENT ON VIEW deployment.v_scoreboard IS 'The newest stored scoreboard with each model''s latest gate, and whether it is champion.';

CREATE VIEW deployment.v_retrainings AS
    SELECT e.event_id, f.scope AS symbol, f.model_id, r.triggered_by, e.trigger_reason AS reason,
           e.old_value ->> 'artifact_id' AS old_artifact, f.artifact_id AS new_artifact, f.trained_through,
           e.performance_before, after_.report_day,
           accuracy.symbol_performance(f.scope, after_.report_day) AS performance_after,
           shadow.first_day AS predicts_since, gates.statuses AS latest_gates, champion.kinds AS champion_since,
           e.occurred_at
    FROM deployment.improvement_events e
    JOIN models.model_artifacts f ON f.artifact_id = e.new_value ->> 'artifact_id'
    JOIN models.training_runs r USING (training_run_id)
    LEFT JOIN LATERAL (
        SELECT min(a.period_end) AS report_day FROM accuracy.symbol_accuracy a
        WHERE a.symbol = f.scope AND a.model_id = f.model_id AND a.period = 'rolling_30d'
          AND a.period_start > f.trained_through) after_ ON true
    LEFT JOIN LATERAL (
        SELECT min(p.trading_day) AS first_day FROM forecasts.predictions p
        WHERE p.symbol = f.scope AND p.model_id = f.model_id AND p.trading_day > f.trained_through
          AND p.artifact_id = f.artifact_id) shadow ON true
    LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(g.kind || '/' || g.scope, g.gate_status) AS statuses
        FROM deployment.v_latest_gates g
        WHERE g.model_id = f.model_id AND split_part(g.scope, ':', 2) = f.scope
          AND g.as_of_day > f.trained_through) gates ON true
    LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(c.kind || '/' || c.scope, c.valid_from) AS kinds
        FROM deployment.champions c
        WHERE c.model_id = f.model_id AND split_part(c.scope, ':', 2) = f.scope) champion ON true
    WHERE e.event_type = 'retrain';
COMMENT ON VIEW deployment.v_retrainings IS 'Each fit of a symbol''s own: why, from what to what, before and after, and how far it has come: shadow, gate, champion.';
COMMENT ON COLUMN deployment.v_retrainings.report_day IS 'First 30-day report of which all predictions came after the fit; NULL until there is one. performance_after is of it.';
COMMENT ON COLUMN deployment.v_retrainings.champion_since IS 'Where its version is champion of the symbol now; NULL: in shadow.';

CREATE VIEW deployment.v_degradations AS
    SELECT 'performance_drift' AS signal, d.model_id, d.kind, 'h' || d.horizon AS scope,
           coalesce(a.opened_on, d.since) AS since, d.as_of_day,
           format('%s, %s h%s: %s worse than it showed before, beyond doubt since %s (e-value %s, now called from %s on)',
                  d.model_id, d.kind, d.horizon, d.score, coalesce(a.opened_on, d.since),
                  round(d.e_value::numeric, 1), round(d.critical_value::numeric, 1)) AS message
    FROM accuracy.v_degraded_models d
    LEFT JOIN accuracy.v_open_drift_alerts a ON a.subject = 'performance' AND a.name = d.score
        AND (a.model_id, a.kind, a.horizon) = (d.model_id, d.kind, d.horizon)
    UNION ALL
    SELECT 'failing_champion', c.model_id, c.kind, c.scope, failing.since, g.as_of_day,
           format('%s, %s %s: champion since %s, its gate failed on %s: %s', c.model_id, c.kind, c.scope,
                  (c.valid_from AT TIME ZONE 'UTC')::date, failing.since, array_to_string(g.failure_reasons, '; '))
    FROM deployment.champions c
    JOIN deployment.v_latest_gates g USING (kind, scope, model_id)
    CROSS JOIN LATERAL (
        SELECT min(f.as_of_day) AS since FROM deployment.deployment_gates f
        WHERE (f.kind, f.scope, f.model_id, f.gate_status) = (c.kind, c.scope, c.model_id, 'failed')
          AND f.as_of_day > coalesce((
              SELECT max(b.as_of_day) FROM deployment.deployment_gates b
              WHERE (b.kind, b.scope, b.model_id) = (c.kind, c.scope, c.model_id)
                AND b.gate_status <> 'failed'), '-infinity')) failing
    WHERE g.gate_status = 'failed' AND c.override_id IS NULL;
COMMENT ON VIEW deployment.v_degradations IS 'What has become worse and goes on: models by their e-process, champions by their own gate (unless people overrode it).';

-- Champions are few: the join begins with them, and the champion of each row is asked for last.
CREATE VIEW forecasts.recommendations AS
    SELECT p.prediction_id AS id, p.symbol, p.trading_day, p.kind, p.horizon, d.scope, p.model_id, d.deployment_id,
           (ARRAY['SELL', 'HOLD', 'BUY'])[advice + 2] AS recommendation,
           p.reference_price AS current_price,
           coalesce(p.predicted_price, CASE WHEN abs(median) < 'Infinity' THEN p.reference_price * exp(median) END) AS target_price,
           median AS median_return, band, cost,
           CASE WHEN p.origin = 'live' AND d.recorded_at < p.earliest_resolution_time THEN 'live' ELSE 'replay' END AS origin,
           p.as_of AS prediction_date, p.due_day AS validation_date,
           coalesce(o.status, 'pending') AS validation_status, o.actual_return,
           forecasts.was_right(advice, o.actual_return, p.sigma, p.horizon) AS was_right,
           0 + advice * o.actual_return - abs(advice) * cost AS return_after_cost,  -- 0 and not -0
           o.knowledge_time AS validated_at
    FROM deployment.deployments d
    JOIN forecasts.predictions p
        ON p.model_id = d.model_id AND p.kind = d.kind AND p.horizon_unit = 'session' AND 'h' || p.horizon = split_part(d.scope, ':', 1)
        AND d.valid_from <= p.as_of AND (d.valid_until IS NULL OR p.as_of < d.valid_until)
        AND d.deployment_id IS NOT DISTINCT FROM (  -- `=` would ask it of every prediction
            SELECT c.deployment_id FROM deployment.champion_for(p.kind, p.horizon, p.symbol, p.as_of) c)
    CROSS JOIN LATERAL (
        SELECT forecasts.advised(p.kind, p.q50, p.confidence, p.sigma, p.horizon) AS advice,
               CASE p.kind WHEN 'price' THEN p.q50
                    ELSE forecasts.implied_median(p.confidence, p.sigma, p.horizon) END AS median,
               forecasts.recommendation_band() * p.sigma * sqrt(p.horizon::float8) AS band,
               forecasts.recommendation_cost() AS cost) limits
    LEFT JOIN LATERAL forecasts.latest_outcome(
        p.trading_day, p.symbol, p.model_id, p.kind, p.horizon, p.horizon_unit, p.as_of) o ON true;
COMMENT ON VIEW forecasts.recommendations IS 'BUY, SELL or HOLD of the model that was champion for the symbol at the end of each decision day. Without a champion nothing is recommended, and there is no row.';
COMMENT ON COLUMN forecasts.recommendations.scope IS 'What the model was champion for: h5, or h5:IBM for IBM alone.';
COMMENT ON COLUMN forecasts.recommendations.target_price IS 'Median forecast, in the shares of the decision day.';
COMMENT ON COLUMN forecasts.recommendations.band IS 'Log return: half of sigma x sqrt(horizon). BUY and SELL must go beyond band + cost.';
COMMENT ON COLUMN forecasts.recommendations.origin IS 'live: prediction and deployment were both written before the outcome could be known. Otherwise replay.';
COMMENT ON COLUMN forecasts.recommendations.actual_return IS 'Total log return, dividends included.';
COMMENT ON COLUMN forecasts.recommendations.return_after_cost IS 'Log return of the position: of a HOLD 0.';

GRANT SELECT ON ALL TABLES IN SCHEMA deployment, forecasts TO predtrack_reader, predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA deployment, forecasts TO predtrack_owner;
