-- The registry of model versions, their fits, how each fit came about, and what was tried to better them.

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

CREATE TABLE models.model_registry (
    model_id         text PRIMARY KEY
        CONSTRAINT model_id_has_no_bar_and_no_control_character CHECK (model_id !~ '[\x01-\x1f\x7f|]'),
    model_name       text NOT NULL,
    version          integer NOT NULL CHECK (version >= 1),
    role             text NOT NULL CHECK (role IN ('baseline', 'candidate')),
    kinds            text[] NOT NULL,
    description      text NOT NULL,
    hyperparameters  jsonb NOT NULL DEFAULT '{}',
    trained_through  date,
    status           text NOT NULL DEFAULT 'live' CHECK (status IN ('live', 'shadow', 'retired')),
    scope            text CHECK (scope IN ('pooled', 'symbol')),
    feature_set      text,
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model_name, version)
);
COMMENT ON TABLE models.model_registry IS 'Every model version that predicts, baselines among them.';
COMMENT ON COLUMN models.model_registry.model_id IS 'A version of a procedure: gates judge it, and its fits (model_artifacts) take turns.';
COMMENT ON COLUMN models.model_registry.trained_through IS 'Last day of data it was fitted on; NULL: nothing is fitted, parameters are as-of statistics.';
COMMENT ON COLUMN models.model_registry.status IS 'live: predicts and may become champion. shadow: predicts and is scored only. retired: predicts no more.';
COMMENT ON COLUMN models.model_registry.scope IS 'pooled: one fit for all symbols. symbol: one fit per symbol. NULL: nothing is fitted.';
COMMENT ON COLUMN models.model_registry.feature_set IS 'Feature set that its fits read, as name-vVersion.';

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
    triggered_by     text CHECK (triggered_by IN ('sensor', 'schedule', 'backfill', 'manual')),
    reason           text,
    CONSTRAINT finished_when_not_started CHECK ((status = 'started') = (finished_at IS NULL)),
    CONSTRAINT failed_with_a_reason CHECK ((status = 'failed') = (error_log IS NOT NULL))
);
CREATE INDEX training_runs_by_model ON models.training_runs (model_id, scope, trained_through);
CREATE TRIGGER finish_once BEFORE UPDATE ON models.training_runs
    FOR EACH ROW EXECUTE FUNCTION models.finish_once('status', 'error_log', 'finished_at');
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON models.training_runs
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE models.training_runs IS 'One row for each fit that was begun, committed before it ran, so that failures stay on record.';
COMMENT ON COLUMN models.training_runs.first_day IS 'First decision day among the samples; trained_through is the last day of which anything was used.';
COMMENT ON COLUMN models.training_runs.samples IS 'Rows (symbol, decision day) of the training data.';
COMMENT ON COLUMN models.training_runs.input_digest IS 'SHA-256 of data, choices and code version: the same one is not fitted twice.';
COMMENT ON COLUMN models.training_runs.triggered_by IS 'What started the Dagster run. NULL: before this was recorded.';
COMMENT ON COLUMN models.training_runs.reason IS 'Why a fit was wanted, in words.';

CREATE TABLE models.trials (
    training_run_id  text NOT NULL REFERENCES models.training_runs,
    model_id         text NOT NULL REFERENCES models.model_registry,
    kind             text NOT NULL,
    horizon          smallint NOT NULL CHECK (horizon BETWEEN 1 AND 252),
    family           text NOT NULL,
    configuration    jsonb NOT NULL,
    result           jsonb,
    chosen           boolean,
    finished_at      timestamptz,
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (training_run_id, kind, horizon, family),
    CONSTRAINT finished_with_a_result CHECK ((finished_at IS NULL) = (result IS NULL))
);
CREATE TRIGGER finish_once BEFORE UPDATE ON models.trials
    FOR EACH ROW EXECUTE FUNCTION models.finish_once('result', 'chosen', 'finished_at');
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON models.trials
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE models.trials IS 'Every configuration that was evaluated, written before its result was known. Their number is N of the deflated Sharpe ratio.';

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
COMMENT ON TABLE models.model_artifacts IS 'The fits of each model version. A day D is predicted by the newest active one with trained_through < D.';
COMMENT ON COLUMN models.model_artifacts.scope IS '*: all symbols; else the one symbol it was fitted for, which goes before *.';
COMMENT ON COLUMN models.model_artifacts.trained_through IS 'Last trading day of which anything was used, as known at its 24:00 UTC.';
COMMENT ON COLUMN models.model_artifacts.revision IS '1, or more where the same day was fitted again from other data or code.';
COMMENT ON COLUMN models.model_artifacts.sha256 IS 'SHA-256 of the file, checked whenever it is loaded.';
COMMENT ON COLUMN models.model_artifacts.choices IS 'The family per kind and horizon; refits keep it until the next yearly choice.';
COMMENT ON COLUMN models.model_artifacts.chosen_through IS 'trained_through of the fit that made the choices.';

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
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON models.walk_forward_scores
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE models.walk_forward_scores IS 'Walk-forward scores of the families that a fit chose. Every revision of a fit keeps its own. Append-only.';
COMMENT ON COLUMN models.walk_forward_scores.regime IS 'Market regime as known on the decision day, or all.';
COMMENT ON COLUMN models.walk_forward_scores.baseline IS 'no_change on the same rows. simplest: the simplest family, of fits made before that was recorded.';
COMMENT ON COLUMN models.walk_forward_scores.n_eff IS 'What n overlapping, correlated rows are worth.';
COMMENT ON COLUMN models.walk_forward_scores.skill IS '1 - mean_score / mean_score_baseline; skill_low and skill_high bound its 95 % interval on n_eff.';

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
    measured_by      text REFERENCES models.model_artifacts NOT NULL,
    loss             double precision CHECK (market.is_finite(loss)),
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trained_through, artifact_id, measured_by, kind, horizon, feature),
    CONSTRAINT interval_ordered CHECK (low <= high)
);
COMMENT ON TABLE features.feature_importance IS 'Permutation importance out of sample: how much the score worsens when a feature''s values are shuffled.';
COMMENT ON COLUMN features.feature_importance.artifact_id IS 'The fit whose features were shuffled.';
COMMENT ON COLUMN features.feature_importance.importance IS 'Added by the shuffle to the mean loss of the kind: CRPS of the standardised return of a price, Brier of a direction, minus the log likelihood of a touch, QLIKE of a volatility.';
COMMENT ON COLUMN features.feature_importance.measured_by IS 'The fit in whose making that was done, on the days between the two.';
COMMENT ON COLUMN features.feature_importance.loss IS 'That mean loss with the feature as it is, on the same rows; importance / abs(loss) is a share. NULL in rows of before this column.';

CREATE TABLE models.optimization_tasks (
    task_id        text PRIMARY KEY,
    task_type      text NOT NULL CHECK (task_type IN ('hyperparameter', 'feature_selection', 'strategy_weights')),
    model_id       text NOT NULL REFERENCES models.model_registry,
    kind           text,
    horizon        smallint CHECK (horizon BETWEEN 1 AND 252),
    first_day      date NOT NULL,
    as_of_day      date NOT NULL CHECK (as_of_day >= first_day),
    configuration  jsonb NOT NULL,
    max_attempts   smallint NOT NULL CHECK (max_attempts BETWEEN 1 AND 20),
    backoff        interval NOT NULL DEFAULT '1 hour' CHECK (backoff > interval '0'),
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT both_or_neither CHECK ((kind IS NULL) = (horizon IS NULL)),
    CONSTRAINT features_are_of_all_kinds CHECK ((task_type = 'feature_selection') = (kind IS NULL))
);
CREATE INDEX optimization_tasks_by_day ON models.optimization_tasks (as_of_day);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON models.optimization_tasks
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE models.optimization_tasks IS 'What is to be optimized, once per week and key. Append-only; the state is in v_optimization_tasks.';
COMMENT ON COLUMN models.optimization_tasks.as_of_day IS 'Last trading day of the week: nothing known after its 24:00 UTC may be used. first_day: the oldest day that may.';
COMMENT ON COLUMN models.optimization_tasks.configuration IS 'What the search is given: number of configurations, seed.';
COMMENT ON COLUMN models.optimization_tasks.backoff IS 'Wait after the first failure, doubled by each one more.';

CREATE TABLE models.optimization_attempts (
    task_id         text NOT NULL REFERENCES models.optimization_tasks,
    attempt         smallint NOT NULL CHECK (attempt >= 1),
    dagster_run_id  text NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT now(),
    lease_until     timestamptz NOT NULL CHECK (lease_until > started_at),
    finished_at     timestamptz,
    outcome         text CHECK (outcome IN ('succeeded', 'failed')),
    error_log       text,
    PRIMARY KEY (task_id, attempt),
    CONSTRAINT finished_with_an_outcome CHECK ((finished_at IS NULL) = (outcome IS NULL)),
    CONSTRAINT failed_with_a_reason CHECK ((outcome IS NOT DISTINCT FROM 'failed') = (error_log IS NOT NULL))
);
CREATE TRIGGER finish_once BEFORE UPDATE ON models.optimization_attempts
    FOR EACH ROW EXECUTE FUNCTION models.finish_once('outcome', 'error_log', 'finished_at');
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON models.optimization_attempts
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE models.optimization_attempts IS 'Each attempt at a task: committed before it works, finished once.';
COMMENT ON COLUMN models.optimization_attempts.dagster_run_id IS 'The run that owns the attempt: when it has ended, the attempt has.';
COMMENT ON COLUMN models.optimization_attempts.lease_until IS 'An attempt unfinished by then has failed, whatever became of its run.';

CREATE TABLE models.optimization_results (
    task_id             text PRIMARY KEY REFERENCES models.optimization_tasks,
    as_of_day           date NOT NULL,
    accepted            boolean NOT NULL,
    old_value           jsonb NOT NULL,
    new_value           jsonb,
    performance_before  jsonb,
    performance_after   jsonb,
    configurations      integer NOT NULL CHECK (configurations >= 0),
    conclusion          text NOT NULL CHECK (length(trim(conclusion)) > 0),
    recorded_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accepted_has_a_value CHECK (NOT accepted OR new_value IS NOT NULL)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON models.optimization_results
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE models.optimization_results IS 'What a task found. accepted: proposed, which changes no live model. Append-only.';
COMMENT ON COLUMN models.optimization_results.new_value IS 'The best that was found, accepted or not.';
COMMENT ON COLUMN models.optimization_results.performance_after IS 'On days that the search had not seen, as performance_before.';
COMMENT ON COLUMN models.optimization_results.configurations IS 'Trials recorded in models.trials for it.';

GRANT SELECT ON ALL TABLES IN SCHEMA models, features TO predtrack_reader, predtrack_writer;
GRANT INSERT ON ALL TABLES IN SCHEMA models, features TO predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA models, features TO predtrack_owner;
GRANT UPDATE (status, error_log, finished_at) ON models.training_runs TO predtrack_writer;
GRANT UPDATE (result, chosen, finished_at) ON models.trials TO predtrack_writer;
GRANT UPDATE (outcome, error_log, finished_at) ON models.optimization_attempts TO predtrack_writer;
GRANT UPDATE (status) ON models.model_artifacts, models.model_registry TO predtrack_writer;
GRANT UPDATE, DELETE ON models.prediction_scores TO predtrack_writer;
