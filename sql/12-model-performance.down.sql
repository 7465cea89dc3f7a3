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
        WHERE (p.trading_day, p.symbol, p.model_id, p.kind, p.horizon)
            = (s.trading_day, s.symbol, s.model_id, s.kind, s.horizon));
COMMENT ON COLUMN forecasts.skipped_predictions.kind IS NULL;
COMMENT ON COLUMN forecasts.skipped_predictions.horizon IS NULL;

DROP VIEW features.v_current_importance;
-- One measurement of each fit is kept: the last.
DELETE FROM features.feature_importance i USING features.feature_importance later
WHERE (later.trained_through, later.artifact_id, later.kind, later.horizon, later.feature)
    = (i.trained_through, i.artifact_id, i.kind, i.horizon, i.feature)
  AND (later.recorded_at, later.measured_by) > (i.recorded_at, i.measured_by);
ALTER TABLE features.feature_importance
    DROP CONSTRAINT feature_importance_pkey,
    DROP COLUMN measured_by,
    ADD PRIMARY KEY (trained_through, artifact_id, kind, horizon, feature);
COMMENT ON COLUMN features.feature_importance.artifact_id IS NULL;

DROP VIEW models.v_current_performance;
DROP VIEW models.model_performance;
CREATE TABLE models.model_performance (
    model_id           text NOT NULL REFERENCES models.model_registry,
    evaluation         text NOT NULL CHECK (evaluation IN ('cv', 'holdout', 'live')),
    evaluated_through  date NOT NULL,
    kind               text NOT NULL,
    horizon            smallint NOT NULL CHECK (horizon BETWEEN 1 AND 252),
    metric             text NOT NULL,
    regime             text NOT NULL DEFAULT 'all',
    value              double precision NOT NULL CHECK (market.is_finite(value)),
    baseline           double precision CHECK (market.is_finite(baseline)),
    low                double precision CHECK (market.is_finite(low)),
    high               double precision CHECK (market.is_finite(high)),
    n                  bigint NOT NULL CHECK (n > 0),
    n_eff              double precision CHECK (n_eff > 0 AND n_eff < 'Infinity'),
    recorded_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (evaluated_through, model_id, evaluation, kind, horizon, metric, regime),
    CONSTRAINT interval_ordered CHECK (low <= high)
);
COMMENT ON TABLE models.model_performance IS 'Scores of a model version: cv from walk-forward validation, holdout, live from what it predicted.';
COMMENT ON COLUMN models.model_performance.value IS 'The metric; for skill 1 - score / score of the baseline.';
COMMENT ON COLUMN models.model_performance.low IS 'low and high bound the 95 % interval of value; n_eff is what n overlapping, correlated rows are worth.';
COMMENT ON COLUMN models.model_performance.regime IS 'Market regime on the decision day, or all.';
-- Its key knew no revisions; what follows from predictions is computed again.
INSERT INTO models.model_performance (model_id, evaluation, evaluated_through, kind, horizon, metric, regime, value,
    baseline, low, high, n, n_eff, recorded_at)
SELECT DISTINCT ON (a.trained_through, a.model_id, s.kind, s.horizon, s.score, s.regime)
       a.model_id, 'cv', a.trained_through, s.kind, s.horizon, s.score, s.regime, s.mean_score, s.mean_score_baseline,
       s.mean_score_baseline * (1 - s.skill_high), s.mean_score_baseline * (1 - s.skill_low), s.n, s.n_eff, s.recorded_at
FROM models.walk_forward_scores s JOIN models.model_artifacts a USING (artifact_id)
ORDER BY a.trained_through, a.model_id, s.kind, s.horizon, s.score, s.regime, a.revision DESC;
GRANT SELECT ON models.model_performance TO predtrack_reader, predtrack_writer;
GRANT INSERT, UPDATE, DELETE ON models.model_performance TO predtrack_writer;
GRANT ALL ON models.model_performance TO predtrack_owner;
DROP TABLE models.prediction_scores;
DROP TABLE models.walk_forward_scores;
