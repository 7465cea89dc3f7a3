-- Versions with their newest fit, their scores, and the state of optimization tasks.

CREATE FUNCTION models.require_model(of_model text) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF of_model IS NULL OR NOT EXISTS (SELECT FROM models.model_registry m WHERE m.model_id = of_model) THEN
        RAISE EXCEPTION 'there is no model %; there are: %', coalesce(of_model, 'NULL'),
            coalesce((SELECT string_agg(m.model_id, ', ' ORDER BY m.model_id) FROM models.model_registry m), 'none yet')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END $$;
COMMENT ON FUNCTION models.require_model IS 'Nothing for a version in the registry; otherwise an error that names those that there are.';

CREATE VIEW models.pooled_models AS SELECT * FROM models.model_artifacts WHERE scope = '*';
COMMENT ON VIEW models.pooled_models IS 'Fits of all symbols.';

CREATE VIEW models.symbol_models AS SELECT * FROM models.model_artifacts WHERE scope <> '*';
COMMENT ON VIEW models.symbol_models IS 'Fits of one symbol each.';

CREATE VIEW models.v_model_registry AS
    SELECT r.model_id, r.model_name, r.version, r.role, r.kinds, r.status, r.scope, r.feature_set,
           r.hyperparameters, r.description, a.artifact_id, a.trained_through, a.metrics, a.choices,
           a.artifact_uri, a.sha256, a.recorded_at AS fitted_at,
           (SELECT count(*) FROM models.model_artifacts f WHERE f.model_id = r.model_id) AS fits
    FROM models.model_registry r
    LEFT JOIN LATERAL (
        SELECT * FROM models.model_artifacts f
        WHERE f.model_id = r.model_id AND f.status = 'active'
        ORDER BY f.trained_through DESC, f.revision DESC LIMIT 1) a ON true;
COMMENT ON VIEW models.v_model_registry IS 'Every model version with its newest fit.';

CREATE VIEW models.model_performance AS
    SELECT a.model_id, 'cv' AS evaluation, a.trained_through AS evaluated_through, s.artifact_id, a.revision,
           s.kind, s.horizon, s.regime, s.score, s.baseline, s.n, s.n_eff, s.mean_score, s.mean_score_baseline,
           s.skill, s.skill_low, s.skill_high, s.recorded_at
    FROM models.walk_forward_scores s JOIN models.model_artifacts a USING (artifact_id)
    UNION ALL
    SELECT model_id, evaluation, evaluated_through, NULL, NULL, kind, horizon, regime, score, baseline, n, n_eff,
           mean_score, mean_score_baseline, skill, skill_low, skill_high, recorded_at
    FROM models.prediction_scores;
COMMENT ON VIEW models.model_performance IS 'Scores of model versions by market regime: cv from walk-forward validation of each fit, holdout and live from what was predicted.';

CREATE VIEW models.v_current_performance AS
    SELECT model_id, evaluation, evaluated_through, artifact_id, revision, kind, horizon, regime, score, baseline,
           n, n_eff, mean_score, mean_score_baseline, skill, skill_low, skill_high, recorded_at
    FROM (SELECT *, rank() OVER (PARTITION BY model_id, evaluation
                                 ORDER BY evaluated_through DESC, revision DESC) AS place
          FROM models.model_performance
          WHERE artifact_id IS NULL
             OR artifact_id IN (SELECT artifact_id FROM models.model_artifacts WHERE status = 'active')) ranked
    WHERE place = 1;
COMMENT ON VIEW models.v_current_performance IS 'The newest scores of each version and evaluation; cv of the newest revision of the newest fit in use that chose families.';

CREATE VIEW models.v_optimization_tasks AS
    SELECT t.*, a.attempts, a.failures, a.started_at, a.last_error, r.accepted, r.conclusion,
           CASE WHEN a.done THEN 'done'
                WHEN a.running THEN 'running'
                WHEN a.failures >= t.max_attempts THEN 'given_up'
                WHEN a.failures > 0 THEN 'failed'
                ELSE 'pending' END AS status,
           CASE WHEN NOT a.done AND NOT a.running AND a.failures BETWEEN 1 AND t.max_attempts - 1
                THEN a.last_failure + t.backoff * (2 ^ (a.failures - 1)) END AS not_before
    FROM models.optimization_tasks t
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS attempts, max(started_at) AS started_at,
               count(*) FILTER (WHERE failed)::integer AS failures,
               max(coalesce(finished_at, lease_until)) FILTER (WHERE failed) AS last_failure,
               (array_agg(coalesce(error_log, 'interrupted: its lease ran out') ORDER BY attempt DESC)
                   FILTER (WHERE failed))[1] AS last_error,
               coalesce(bool_or(outcome = 'succeeded'), false) AS done,
               coalesce(bool_or(finished_at IS NULL AND NOT failed), false) AS running
        FROM (SELECT *, coalesce(outcome = 'failed', lease_until <= clock_timestamp()) AS failed
              FROM models.optimization_attempts o WHERE o.task_id = t.task_id) each) a
    LEFT JOIN models.optimization_results r USING (task_id);
COMMENT ON VIEW models.v_optimization_tasks IS 'Tasks with their state: pending, running, done, failed (tried again from not_before on), given_up.';

GRANT SELECT ON ALL TABLES IN SCHEMA models TO predtrack_reader, predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA models TO predtrack_owner;
