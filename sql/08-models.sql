-- The registry of model versions, their fits, and how each fit came about.

ALTER TABLE models.model_registry
    ADD COLUMN status text NOT NULL DEFAULT 'live' CHECK (status IN ('live', 'shadow', 'retired')),
    ADD COLUMN scope text CHECK (scope IN ('pooled', 'symbol')),
    ADD COLUMN feature_set text;
COMMENT ON COLUMN models.model_registry.status IS 'live: predicts and may become champion. shadow: predicts and is scored only. retired: predicts no more.';
COMMENT ON COLUMN models.model_registry.scope IS 'pooled: one fit for all symbols. symbol: one fit per symbol. NULL: nothing is fitted.';
COMMENT ON COLUMN models.model_registry.feature_set IS 'Feature set that its fits read, as name-vVersion.';
COMMENT ON COLUMN models.model_registry.model_id IS 'A version of a procedure: gates judge it, and its fits (model_artifacts) take turns.';

CREATE FUNCTION models.finish_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL
       AND to_jsonb(NEW) - TG_ARGV::text[] = to_jsonb(OLD) - TG_ARGV::text[] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '%.% is written once and finished once: UPDATE refused', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
COMMENT ON FUNCTION models.finish_once IS 'Lets the columns named as arguments be filled in once, together with finished_at.';

CREATE TABLE models.training_runs (
    training_run_id  text PRIMARY KEY,
    model_id         text NOT NULL REFERENCES models.model_registry,
    scope            text NOT NULL,
    trained_through  date NOT NULL,
    first_day        date NOT NULL CHECK (first_day <= trained_through),
    samples          bigint NOT NULL CHECK (samples > 0),
    symbols          text[] NOT NULL,
    feature_set      text NOT NULL,
    parameters       jsonb NOT NULL,
    code_version     text NOT NULL,
    input_digest     text NOT NULL,
    dagster_run_id   text NOT NULL,
    status           text NOT NULL DEFAULT 'started' CHECK (status IN ('started', 'succeeded', 'failed')),
    error_log        text,
    started_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz,
    CONSTRAINT finished_when_not_started CHECK ((status = 'started') = (finished_at IS NULL)),
    CONSTRAINT failed_with_a_reason CHECK ((status = 'failed') = (error_log IS NOT NULL))
);
CREATE INDEX training_runs_by_model ON models.training_runs (model_id, scope, trained_through);
COMMENT ON TABLE models.training_runs IS 'One row for each fit that was begun, committed before it ran, so that failures stay on record.';
COMMENT ON COLUMN models.training_runs.first_day IS 'First decision day among the samples; trained_through is the last day of which anything was used.';
COMMENT ON COLUMN models.training_runs.samples IS 'Rows (symbol, decision day) of the training data.';
COMMENT ON COLUMN models.training_runs.input_digest IS 'SHA-256 of data, choices and code version: the same one is not fitted twice.';

CREATE TRIGGER finish_once BEFORE UPDATE ON models.training_runs
    FOR EACH ROW EXECUTE FUNCTION models.finish_once('status', 'error_log', 'finished_at');
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON models.training_runs
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();

CREATE TABLE models.trials (
    training_run_id  text NOT NULL REFERENCES models.training_runs,
    model_id         text NOT NULL REFERENCES models.model_registry,
    kind             text NOT NULL,
    horizon          smallint NOT NULL CHECK (horizon BETWEEN 1 AND 252),
    family           text NOT NULL,
    configuration    jsonb NOT NULL,
    result           jsonb,
    chosen           boolean,
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz,
    PRIMARY KEY (training_run_id, kind, horizon, family),
    CONSTRAINT finished_with_a_result CHECK ((finished_at IS NULL) = (result IS NULL))
);
COMMENT ON TABLE models.trials IS 'Every configuration that was evaluated, written before its result was known. Their number is N of the deflated Sharpe ratio.';

CREATE TRIGGER finish_once BEFORE UPDATE ON models.trials
    FOR EACH ROW EXECUTE FUNCTION models.finish_once('result', 'chosen', 'finished_at');
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON models.trials
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();

CREATE TABLE models.model_artifacts (
    artifact_id      text PRIMARY KEY,
    model_id         text NOT NULL REFERENCES models.model_registry,
    scope            text NOT NULL,
    trained_through  date NOT NULL,
    revision         integer NOT NULL CHECK (revision >= 1),
    training_run_id  text NOT NULL REFERENCES models.training_runs,
    feature_set      text NOT NULL,
    code_version     text NOT NULL,
    input_digest     text NOT NULL,
    artifact_uri     text NOT NULL,
    sha256           text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes       bigint NOT NULL CHECK (size_bytes > 0),
    choices          jsonb NOT NULL,
    chosen_through   date NOT NULL CHECK (chosen_through <= trained_through),
    metrics          jsonb NOT NULL,
    status           text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'withdrawn')),
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model_id, scope, trained_through, revision),
    UNIQUE (model_id, scope, trained_through, input_digest)
);
COMMENT ON TABLE models.model_artifacts IS 'The fits of each model version. A day D is predicted by the newest active one with trained_through < D.';
COMMENT ON COLUMN models.model_artifacts.scope IS '*: all symbols; else the one symbol it was fitted for, which goes before *.';
COMMENT ON COLUMN models.model_artifacts.trained_through IS 'Last trading day of which anything was used, as known at its 24:00 UTC.';
COMMENT ON COLUMN models.model_artifacts.revision IS '1, or more where the same day was fitted again from other data or code.';
COMMENT ON COLUMN models.model_artifacts.choices IS 'The family per kind and horizon; refits keep it until the next yearly choice.';
COMMENT ON COLUMN models.model_artifacts.chosen_through IS 'trained_through of the fit that made the choices.';
COMMENT ON COLUMN models.model_artifacts.sha256 IS 'SHA-256 of the file, checked whenever it is loaded.';

CREATE VIEW models.pooled_models AS SELECT * FROM models.model_artifacts WHERE scope = '*';
COMMENT ON VIEW models.pooled_models IS 'Fits of all symbols.';
CREATE VIEW models.symbol_models AS SELECT * FROM models.model_artifacts WHERE scope <> '*';
COMMENT ON VIEW models.symbol_models IS 'Fits of one symbol each.';

CREATE FUNCTION models.only_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'status' = to_jsonb(OLD) - 'status' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'of a fit only the status changes: UPDATE refused' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER only_status BEFORE UPDATE ON models.model_artifacts
    FOR EACH ROW EXECUTE FUNCTION models.only_status();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON models.model_artifacts
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();

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

CREATE SCHEMA IF NOT EXISTS features;
CREATE TABLE features.feature_importance (
    model_id         text NOT NULL REFERENCES models.model_registry,
    trained_through  date NOT NULL,
    artifact_id      text NOT NULL REFERENCES models.model_artifacts,
    kind             text NOT NULL,
    horizon          smallint NOT NULL CHECK (horizon BETWEEN 1 AND 252),
    feature          text NOT NULL,
    importance       double precision NOT NULL CHECK (market.is_finite(importance)),
    low              double precision CHECK (market.is_finite(low)),
    high             double precision CHECK (market.is_finite(high)),
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trained_through, artifact_id, kind, horizon, feature),
    CONSTRAINT interval_ordered CHECK (low <= high)
);
COMMENT ON TABLE features.feature_importance IS 'Permutation importance out of sample: how much the score worsens when a feature''s values are shuffled.';

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

ALTER TABLE forecasts.predictions ADD COLUMN artifact_id text;
COMMENT ON COLUMN forecasts.predictions.artifact_id IS 'The fit that said it (models.model_artifacts); NULL for models of which nothing is fitted.';

DO $$
DECLARE
    fresh text;
BEGIN
    FOREACH fresh IN ARRAY ARRAY['models.training_runs', 'models.trials', 'models.model_artifacts',
                                 'models.pooled_models', 'models.symbol_models',
                                 'models.model_performance', 'models.v_model_registry', 'features.feature_importance'] LOOP
        EXECUTE format('GRANT SELECT ON %s TO predtrack_reader, predtrack_writer', fresh);
        EXECUTE format('GRANT INSERT ON %s TO predtrack_writer', fresh);
        EXECUTE format('GRANT ALL ON %s TO predtrack_owner', fresh);
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA features TO predtrack_reader, predtrack_writer;
GRANT ALL ON SCHEMA features TO predtrack_owner;
GRANT UPDATE (status, error_log, finished_at) ON models.training_runs TO predtrack_writer;
GRANT UPDATE (result, chosen, finished_at) ON models.trials TO predtrack_writer;
GRANT UPDATE (status) ON models.model_artifacts, models.model_registry TO predtrack_writer;
GRANT UPDATE, DELETE ON models.model_performance TO predtrack_writer;
