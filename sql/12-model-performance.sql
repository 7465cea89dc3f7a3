-- Scores by market regime: of each fit's walk-forward validation, and of what a version has predicted.

CREATE TABLE models.walk_forward_scores (
    artifact_id          text NOT NULL REFERENCES models.model_artifacts,
    kind                 text NOT NULL,
    horizon              smallint NOT NULL CHECK (horizon BETWEEN 1 AND 252),
    regime               text NOT NULL,
    score                text NOT NULL,
    baseline             text NOT NULL,
    family               text NOT NULL,
    n                    bigint NOT NULL CHECK (n > 0),
    n_eff                double precision CHECK (n_eff > 0 AND n_eff < 'Infinity'),
    mean_score           double precision NOT NULL CHECK (market.is_finite(mean_score)),
    mean_score_baseline  double precision NOT NULL CHECK (market.is_finite(mean_score_baseline)),
    skill                double precision CHECK (market.is_finite(skill)),
    skill_low            double precision CHECK (market.is_finite(skill_low)),
    skill_high           double precision CHECK (market.is_finite(skill_high)),
    recorded_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (artifact_id, kind, horizon, regime),
    CONSTRAINT interval_ordered CHECK (skill_low <= skill_high)
);
COMMENT ON TABLE models.walk_forward_scores IS 'Walk-forward scores of the families that a fit chose. Every revision of a fit keeps its own. Append-only.';
COMMENT ON COLUMN models.walk_forward_scores.regime IS 'Market regime as known on the decision day, or all.';
COMMENT ON COLUMN models.walk_forward_scores.baseline IS 'no_change on the same rows. simplest: the simplest family, of fits made before that was recorded.';
COMMENT ON COLUMN models.walk_forward_scores.skill IS '1 - mean_score / mean_score_baseline; skill_low and skill_high bound its 95 % interval on n_eff.';
COMMENT ON COLUMN models.walk_forward_scores.n_eff IS 'What n overlapping, correlated rows are worth.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON models.walk_forward_scores
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();

CREATE TABLE models.prediction_scores (
    evaluated_through    date NOT NULL,
    model_id             text NOT NULL REFERENCES models.model_registry,
    evaluation           text NOT NULL CHECK (evaluation IN ('holdout', 'live')),
    kind                 text NOT NULL,
    horizon              smallint NOT NULL CHECK (horizon BETWEEN 1 AND 252),
    regime               text NOT NULL,
    score                text NOT NULL CHECK (score IN ('brier', 'crps', 'qlike')),
    baseline             text NOT NULL CHECK (baseline = 'no_change'),
    n                    bigint NOT NULL CHECK (n > 0),
    n_eff                double precision NOT NULL CHECK (n_eff > 0 AND n_eff < 'Infinity'),
    mean_score           double precision NOT NULL CHECK (mean_score >= 0 AND mean_score < 'Infinity'),
    mean_score_baseline  double precision NOT NULL CHECK (mean_score_baseline >= 0 AND mean_score_baseline < 'Infinity'),
    skill                double precision CHECK (market.is_finite(skill)),
    skill_low            double precision CHECK (market.is_finite(skill_low)),
    skill_high           double precision CHECK (market.is_finite(skill_high)),
    recorded_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (evaluated_through, model_id, evaluation, kind, horizon, regime),
    CONSTRAINT interval_ordered CHECK (skill_low <= skill_high),
    CONSTRAINT interval_whole CHECK ((skill_low IS NULL) = (skill_high IS NULL))
);
COMMENT ON TABLE models.prediction_scores IS 'Scores of what each version predicted and fell due in the year up to evaluated_through, at the ends of months; derived.';
COMMENT ON COLUMN models.prediction_scores.evaluation IS 'live: written down before the outcome could be known. holdout: computed afterwards from what was known before (origin replay).';
COMMENT ON COLUMN models.prediction_scores.regime IS 'Market regime as known on the decision day, or all.';
COMMENT ON COLUMN models.prediction_scores.skill IS '1 - mean_score / mean_score_baseline; skill_low and skill_high bound its 95 % interval on n_eff, NULL below two horizons of days.';

-- Each fit still has the scores of its choice; so also second revisions, whose rows were lost.
INSERT INTO models.walk_forward_scores (artifact_id, kind, horizon, regime, score, baseline, family, n, n_eff,
    mean_score, mean_score_baseline, skill, skill_low, skill_high, recorded_at)
SELECT a.artifact_id, s.kind, s.horizon, 'all', s.metric, 'simplest', s.family, s.n, s.n_eff, s.score,
       s.score / (1 - s.skill), s.skill, nullif(s.skill_low, s.skill_high), nullif(s.skill_high, s.skill_low),
       a.recorded_at
FROM models.model_artifacts a,
     jsonb_to_recordset(coalesce(a.choices -> 'scores', '[]')) AS s (
         kind text, horizon smallint, family text, metric text, chosen boolean, n bigint, n_eff double precision,
         score double precision, skill double precision, skill_low double precision, skill_high double precision)
WHERE a.chosen_through = a.trained_through AND s.chosen AND s.score IS NOT NULL AND s.skill < 1;

DROP TABLE models.model_performance;
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

-- An importance is what one fit measured of an earlier one: a second revision measures anew.
ALTER TABLE features.feature_importance ADD COLUMN measured_by text REFERENCES models.model_artifacts;
UPDATE features.feature_importance i
SET measured_by = coalesce((SELECT a.artifact_id FROM models.model_artifacts a  -- written in one transaction
                            WHERE a.model_id = i.model_id AND a.recorded_at = i.recorded_at
                            ORDER BY a.artifact_id LIMIT 1), i.artifact_id);
ALTER TABLE features.feature_importance
    ALTER COLUMN measured_by SET NOT NULL,
    DROP CONSTRAINT feature_importance_pkey,
    ADD PRIMARY KEY (trained_through, artifact_id, measured_by, kind, horizon, feature);
COMMENT ON COLUMN features.feature_importance.artifact_id IS 'The fit whose features were shuffled.';
COMMENT ON COLUMN features.feature_importance.measured_by IS 'The fit in whose making that was done, on the days between the two.';

CREATE VIEW features.v_current_importance AS
    SELECT i.* FROM features.feature_importance i JOIN (
        SELECT DISTINCT ON (a.model_id) a.model_id, a.artifact_id
        FROM models.model_artifacts a
        WHERE a.status = 'active'
          AND EXISTS (SELECT FROM features.feature_importance m WHERE m.measured_by = a.artifact_id)
        ORDER BY a.model_id, a.trained_through DESC, a.revision DESC
    ) newest ON newest.artifact_id = i.measured_by;
COMMENT ON VIEW features.v_current_importance IS 'What the newest fit in use that measured importances found, per version.';

COMMENT ON COLUMN forecasts.skipped_predictions.kind IS '*: of all kinds and horizons (horizon 0), as where a symbol has too little history.';
COMMENT ON COLUMN forecasts.skipped_predictions.horizon IS 'Sessions; 0 where kind is *.';
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

GRANT SELECT ON models.walk_forward_scores, models.prediction_scores, models.model_performance,
    models.v_current_performance, features.v_current_importance TO predtrack_reader, predtrack_writer;
GRANT INSERT ON models.walk_forward_scores, models.prediction_scores TO predtrack_writer;
GRANT UPDATE, DELETE ON models.prediction_scores TO predtrack_writer;
GRANT ALL ON models.walk_forward_scores, models.prediction_scores, models.model_performance,
    models.v_current_performance, features.v_current_importance TO predtrack_owner;
