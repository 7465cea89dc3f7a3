-- Optimization tasks, their attempts and what came of them; tests of treatments that were rolled back.

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
COMMENT ON TABLE models.optimization_tasks IS 'What is to be optimized, once per week and key. Append-only; the state is in v_optimization_tasks.';
COMMENT ON COLUMN models.optimization_tasks.as_of_day IS 'Last trading day of the week: nothing known after its 24:00 UTC may be used. first_day: the oldest day that may.';
COMMENT ON COLUMN models.optimization_tasks.configuration IS 'What the search is given: number of configurations, seed.';
COMMENT ON COLUMN models.optimization_tasks.backoff IS 'Wait after the first failure, doubled by each one more.';

CREATE TABLE models.optimization_attempts (
    task_id          text NOT NULL REFERENCES models.optimization_tasks,
    attempt          smallint NOT NULL CHECK (attempt >= 1),
    dagster_run_id   text NOT NULL,
    started_at       timestamptz NOT NULL DEFAULT now(),
    lease_until      timestamptz NOT NULL CHECK (lease_until > started_at),
    finished_at      timestamptz,
    outcome          text CHECK (outcome IN ('succeeded', 'failed')),
    error_log        text,
    PRIMARY KEY (task_id, attempt),
    CONSTRAINT finished_with_an_outcome CHECK ((finished_at IS NULL) = (outcome IS NULL)),
    CONSTRAINT failed_with_a_reason CHECK ((outcome IS NOT DISTINCT FROM 'failed') = (error_log IS NOT NULL))
);
COMMENT ON TABLE models.optimization_attempts IS 'Each attempt at a task: committed before it works, finished once.';
COMMENT ON COLUMN models.optimization_attempts.lease_until IS 'An attempt unfinished by then has failed, whatever became of its run.';
COMMENT ON COLUMN models.optimization_attempts.dagster_run_id IS 'The run that owns the attempt: when it has ended, the attempt has.';

CREATE TRIGGER finish_once BEFORE UPDATE ON models.optimization_attempts
    FOR EACH ROW EXECUTE FUNCTION models.finish_once('outcome', 'error_log', 'finished_at');
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON models.optimization_attempts
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();

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
COMMENT ON TABLE models.optimization_results IS 'What a task found. accepted: proposed, which changes no live model. Append-only.';
COMMENT ON COLUMN models.optimization_results.new_value IS 'The best that was found, accepted or not.';
COMMENT ON COLUMN models.optimization_results.performance_after IS 'On days that the search had not seen, as performance_before.';
COMMENT ON COLUMN models.optimization_results.configurations IS 'Trials recorded in models.trials for it.';

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

-- A rolled back treatment: the test that it was promoted by ends as rollback.
CREATE FUNCTION deployment.roll_back_test() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_model text;
BEGIN
    SELECT d.model_id INTO left_model FROM deployment.deployments d
    WHERE d.kind = NEW.kind AND d.scope = NEW.scope AND d.valid_from < NEW.valid_from
      AND (d.valid_until IS NULL OR NEW.valid_from < d.valid_until)
    ORDER BY d.valid_from DESC LIMIT 1;
    INSERT INTO deployment.ab_tests (as_of_day, kind, scope, control, treatment, start_day, success_metric,
        status, decided_day, n, mean_difference, e_value, e_against, conclusion)
    SELECT greatest(NEW.valid_day, t.as_of_day + 1), t.kind, t.scope, t.control, t.treatment, t.start_day,
           t.success_metric, 'rollback', t.decided_day, t.n, t.mean_difference, t.e_value, t.e_against,
           t.treatment || ' was rolled back: ' || NEW.reason
    FROM (SELECT DISTINCT ON (test_id) * FROM deployment.ab_tests
          WHERE kind = NEW.kind AND scope = NEW.scope AND treatment = left_model
          ORDER BY test_id, as_of_day DESC) t
    WHERE t.status = 'promoted'
    ORDER BY t.start_day DESC LIMIT 1;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION deployment.roll_back_test IS 'Ends the latest test that promoted the model left as rollback; one that came by override has none.';
CREATE TRIGGER roll_back_test AFTER INSERT ON deployment.deployments
    FOR EACH ROW WHEN (NEW.restores IS NOT NULL) EXECUTE FUNCTION deployment.roll_back_test();

DO $$
DECLARE
    fresh text;
BEGIN
    FOREACH fresh IN ARRAY ARRAY['optimization_tasks', 'optimization_results'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON models.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite()', fresh);
    END LOOP;
    FOREACH fresh IN ARRAY ARRAY['optimization_tasks', 'optimization_attempts', 'optimization_results'] LOOP
        EXECUTE format('GRANT SELECT ON models.%I TO predtrack_reader, predtrack_writer', fresh);
        EXECUTE format('GRANT INSERT ON models.%I TO predtrack_writer', fresh);
        EXECUTE format('GRANT ALL ON models.%I TO predtrack_owner', fresh);
    END LOOP;
END $$;
GRANT UPDATE (outcome, error_log, finished_at) ON models.optimization_attempts TO predtrack_writer;
GRANT SELECT ON models.v_optimization_tasks TO predtrack_reader, predtrack_writer;
GRANT ALL ON models.v_optimization_tasks TO predtrack_owner;
