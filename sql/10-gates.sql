-- Gates, overrides, deployments, A/B tests and what changed for the better: all append-only.
-- The rules that must hold whoever writes stand here, as constraints and triggers.

CREATE TABLE deployment.deployment_gates (
    gate_id                uuid NOT NULL PRIMARY KEY GENERATED ALWAYS AS
        (md5(model_id || '|' || kind || '|' || horizon::text || '|'
             || (as_of_day - DATE '1970-01-01')::text)::uuid) STORED,
    model_id               text NOT NULL REFERENCES models.model_registry,
    kind                   text NOT NULL CHECK (kind IN ('price', 'direction')),
    horizon                smallint NOT NULL CHECK (horizon BETWEEN 1 AND 252),
    scope                  text NOT NULL GENERATED ALWAYS AS ('h' || horizon::text) STORED,
    as_of_day              date NOT NULL,
    gate_status            text NOT NULL CHECK (gate_status IN ('passed', 'failed', 'insufficient_evidence')),
    accuracy               double precision CHECK (market.is_probability(accuracy)),
    skill                  double precision CHECK (market.is_finite(skill)),
    market_outperformance  double precision CHECK (market.is_finite(market_outperformance)),
    sharpe_ratio           double precision CHECK (market.is_finite(sharpe_ratio)),
    max_drawdown           double precision CHECK (market.is_probability(max_drawdown)),
    calibration_error      double precision CHECK (market.is_probability(calibration_error)),
    psr                    double precision CHECK (market.is_probability(psr)),
    deflated_sharpe        double precision CHECK (market.is_probability(deflated_sharpe)),
    trial_count            integer NOT NULL CHECK (trial_count >= 1),
    criteria               jsonb NOT NULL,
    thresholds             jsonb NOT NULL,
    failure_reasons        text[] NOT NULL,
    evaluated_at           timestamptz NOT NULL DEFAULT now(),
    UNIQUE (as_of_day, model_id, kind, horizon),
    CONSTRAINT passed_needs_every_criterion CHECK (
        (gate_status = 'passed') = (cardinality(failure_reasons) = 0)
        AND (gate_status <> 'passed' OR (
            accuracy IS NOT NULL AND skill IS NOT NULL AND market_outperformance IS NOT NULL
            AND sharpe_ratio IS NOT NULL AND max_drawdown IS NOT NULL AND calibration_error IS NOT NULL
            AND NOT jsonb_path_exists(criteria, '$.*.status ? (@ <> "passed")'))))
);
CREATE INDEX deployment_gates_by_model ON deployment.deployment_gates (model_id, kind, horizon, as_of_day DESC);
COMMENT ON TABLE deployment.deployment_gates IS 'Each weekly decision on a model version, from its own record known by as_of_day. Append-only.';
COMMENT ON COLUMN deployment.deployment_gates.as_of_day IS 'Last trading day of a week: nothing known after its 24:00 UTC was used.';
COMMENT ON COLUMN deployment.deployment_gates.accuracy IS 'price: rate of within_5pct; direction: rate at which the likelier side came true.';
COMMENT ON COLUMN deployment.deployment_gates.skill IS 'Mean CRPS (price, of the log return) or Brier score (direction) of no_change minus the model''s.';
COMMENT ON COLUMN deployment.deployment_gates.market_outperformance IS 'Log growth a year, after cost, above the harder of two benchmarks: the index, the same symbols held.';
COMMENT ON COLUMN deployment.deployment_gates.max_drawdown IS 'Positive fraction, over the last 252 sessions.';
COMMENT ON COLUMN deployment.deployment_gates.calibration_error IS 'Debiased RMS calibration error.';
COMMENT ON COLUMN deployment.deployment_gates.criteria IS 'Per criterion: value, bound (one-sided 95 %), threshold, n, n_eff, status.';
COMMENT ON COLUMN deployment.deployment_gates.thresholds IS 'Settings in force at the evaluation.';

CREATE TABLE deployment.gate_overrides (
    override_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gate_id       uuid NOT NULL REFERENCES deployment.deployment_gates,
    reason        text NOT NULL CHECK (length(trim(reason)) >= 10),
    requested_by  text NOT NULL CHECK (length(trim(requested_by)) > 0),
    approved_by   text NOT NULL CHECK (length(trim(approved_by)) > 0),
    expires_at    timestamptz NOT NULL CHECK (isfinite(expires_at)),
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT two_people CHECK (lower(trim(requested_by)) <> lower(trim(approved_by)))
);
COMMENT ON TABLE deployment.gate_overrides IS 'A gate that was not passed, deployed all the same until expires_at, on two people''s word. Append-only.';

CREATE FUNCTION deployment.guard_override() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM deployment.deployment_gates g
               WHERE g.gate_id = NEW.gate_id AND g.gate_status = 'passed') THEN
        RAISE EXCEPTION 'gate % has passed: there is nothing to override', NEW.gate_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION 'an override must expire in the future, not at %', NEW.expires_at
            USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.recorded_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER guard_override BEFORE INSERT ON deployment.gate_overrides
    FOR EACH ROW EXECUTE FUNCTION deployment.guard_override();

CREATE TABLE deployment.improvement_events (
    event_id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_type          text NOT NULL CHECK (event_type IN (
        'model_deployed', 'rollback', 'params_optimized', 'strategy_disabled', 'threshold_change', 'retrain')),
    occurred_at         timestamptz NOT NULL,
    component_type      text NOT NULL CHECK (component_type IN ('model', 'strategy', 'risk_params', 'feature', 'gate')),
    component_id        text NOT NULL,
    old_value           jsonb,
    new_value           jsonb,
    trigger_reason      text NOT NULL,
    performance_before  jsonb,
    performance_after   jsonb,
    automated           boolean NOT NULL,
    approved_by         text,
    recorded_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT somebody_approved CHECK (automated OR approved_by IS NOT NULL)
);
CREATE INDEX improvement_events_by_type ON deployment.improvement_events (event_type, occurred_at DESC);
CREATE INDEX improvement_events_by_component ON deployment.improvement_events (component_type, component_id);
COMMENT ON TABLE deployment.improvement_events IS 'What was changed in the system, why, and how it did before. Append-only.';
COMMENT ON COLUMN deployment.improvement_events.performance_after IS 'The record on which the new component was chosen, not what came of it.';

CREATE TABLE deployment.event_notifications (
    event_id     bigint NOT NULL REFERENCES deployment.improvement_events,
    status       text NOT NULL CHECK (status IN ('sent', 'failed')),
    channel      text NOT NULL,
    message      text,
    recorded_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX event_notifications_by_event ON deployment.event_notifications (event_id);
COMMENT ON TABLE deployment.event_notifications IS 'Each attempt to tell somebody of an event. Append-only.';

CREATE VIEW deployment.v_improvement_events AS
    SELECT e.*, coalesce(n.status, 'pending') AS notification_status
    FROM deployment.improvement_events e
    LEFT JOIN LATERAL (SELECT status FROM deployment.event_notifications n WHERE n.event_id = e.event_id
                       ORDER BY recorded_at DESC LIMIT 1) n ON true;
COMMENT ON VIEW deployment.v_improvement_events IS 'Events with the status of their latest notification.';

CREATE TABLE deployment.ab_tests (
    test_id         uuid NOT NULL GENERATED ALWAYS AS
        (md5(kind || '|' || scope || '|' || control || '|' || treatment || '|'
             || (start_day - DATE '1970-01-01')::text)::uuid) STORED,
    kind            text NOT NULL,
    scope           text NOT NULL,
    control         text NOT NULL REFERENCES models.model_registry,
    treatment       text NOT NULL REFERENCES models.model_registry,
    success_metric  text NOT NULL CHECK (success_metric IN ('crps', 'brier')),
    start_day       date NOT NULL,
    as_of_day       date NOT NULL CHECK (as_of_day >= start_day),
    status          text NOT NULL CHECK (status IN ('running', 'promoted', 'rejected', 'rollback', 'inconclusive')),
    decided_day     date CHECK (decided_day BETWEEN start_day AND as_of_day),
    n               integer NOT NULL CHECK (n >= 0),
    mean_difference double precision CHECK (market.is_finite(mean_difference)),
    e_value         double precision NOT NULL CHECK (e_value >= 0 AND e_value < 'Infinity'),
    e_against       double precision NOT NULL CHECK (e_against >= 0 AND e_against < 'Infinity'),
    conclusion      text,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (as_of_day, kind, scope, control, treatment, start_day),
    CONSTRAINT control_and_treatment_differ CHECK (control <> treatment),
    CONSTRAINT concluded_exactly_when_over CHECK ((status = 'running') = (conclusion IS NULL))
);
COMMENT ON TABLE deployment.ab_tests IS 'Champion (control) against challenger (treatment) on paired shadow forecasts, week by week until decided. Append-only.';
COMMENT ON COLUMN deployment.ab_tests.e_value IS 'Betting e-process that the treatment is better: promoted at 20. Its own moment: decided_day, else as_of_day.';
COMMENT ON COLUMN deployment.ab_tests.e_against IS 'The same for the opposite side: rejected at 20.';
COMMENT ON COLUMN deployment.ab_tests.n IS 'Decision dates whose results were known.';
COMMENT ON COLUMN deployment.ab_tests.mean_difference IS 'Mean daily score difference, as a share of the largest that the two forecasts allowed.';

CREATE VIEW deployment.v_ab_tests AS
    SELECT DISTINCT ON (test_id) * FROM deployment.ab_tests ORDER BY test_id, as_of_day DESC;
COMMENT ON VIEW deployment.v_ab_tests IS 'The latest state of each A/B test.';

-- deployments: nothing could be deployed before there were gates, so the table is made anew.
DROP VIEW deployment.champions;
DROP TABLE deployment.deployments;
CREATE TABLE deployment.deployments (
    deployment_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind           text NOT NULL,
    scope          text NOT NULL,
    model_id       text NOT NULL REFERENCES models.model_registry,
    valid_from     timestamptz NOT NULL CHECK (isfinite(valid_from)),
    valid_until    timestamptz,
    valid_day      date NOT NULL GENERATED ALWAYS AS ((valid_from AT TIME ZONE 'UTC')::date) STORED,
    gate_id        uuid REFERENCES deployment.deployment_gates,
    override_id    bigint REFERENCES deployment.gate_overrides,
    restores       bigint REFERENCES deployment.deployments,
    deployed_by    text NOT NULL CHECK (length(trim(deployed_by)) > 0),
    reason         text NOT NULL CHECK (length(trim(reason)) > 0),
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT one_champion_at_a_time UNIQUE (kind, scope, valid_from),
    CONSTRAINT gate_or_override CHECK (num_nonnulls(gate_id, override_id) = 1),
    CONSTRAINT override_ends CHECK ((override_id IS NULL) = (valid_until IS NULL)),
    CONSTRAINT ends_after_start CHECK (valid_until > valid_from)
);
COMMENT ON TABLE deployment.deployments IS 'Champions over time: the latest row in force per kind and scope. Append-only.';
COMMENT ON COLUMN deployment.deployments.scope IS 'What the model is champion for: h5 is the horizon of 5 sessions.';
COMMENT ON COLUMN deployment.deployments.valid_until IS 'End of an override; the champion before it is then in force again.';
COMMENT ON COLUMN deployment.deployments.restores IS 'A rollback: the earlier deployment that is in force again.';
COMMENT ON COLUMN deployment.deployments.deployed_by IS 'automated, or a person.';

CREATE FUNCTION deployment.champion_at(of_kind text, of_scope text, at timestamptz)
RETURNS SETOF deployment.deployments LANGUAGE sql STABLE AS $$
    SELECT * FROM deployment.deployments
    WHERE kind = of_kind AND scope = of_scope AND valid_from <= at
      AND (valid_until IS NULL OR at < valid_until)
    ORDER BY valid_from DESC LIMIT 1
$$;
COMMENT ON FUNCTION deployment.champion_at IS 'The deployment in force at a moment: at most one row.';

CREATE FUNCTION deployment.guard_deployment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    permit   record;
    restored deployment.deployments;
    current_ deployment.deployments;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('deployment.deployments|' || NEW.kind || '|' || NEW.scope));
    NEW.recorded_at := clock_timestamp();
    IF NEW.valid_from > clock_timestamp() THEN
        RAISE EXCEPTION 'a deployment cannot begin in the future (%)', NEW.valid_from
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (SELECT FROM deployment.deployments d
               WHERE d.kind = NEW.kind AND d.scope = NEW.scope AND d.valid_from >= NEW.valid_from) THEN
        RAISE EXCEPTION 'a later deployment of % % exists: history is not rewritten', NEW.kind, NEW.scope
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (SELECT FROM models.model_registry m WHERE m.model_id = NEW.model_id AND m.role = 'baseline') THEN
        RAISE EXCEPTION '% is a baseline: it is what champions are measured by', NEW.model_id
            USING ERRCODE = 'restrict_violation';
    END IF;

    SELECT g.model_id, g.kind, g.scope, g.gate_status, g.as_of_day, o.expires_at INTO permit
    FROM deployment.deployment_gates g
    LEFT JOIN deployment.gate_overrides o ON o.gate_id = g.gate_id AND o.override_id = NEW.override_id
    WHERE g.gate_id = coalesce(
        NEW.gate_id, (SELECT p.gate_id FROM deployment.gate_overrides p WHERE p.override_id = NEW.override_id));
    IF permit IS NULL OR (permit.model_id, permit.kind, permit.scope) <> (NEW.model_id, NEW.kind, NEW.scope) THEN
        RAISE EXCEPTION 'no gate of % for % % is given', NEW.model_id, NEW.kind, NEW.scope
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.valid_from < (permit.as_of_day + 1)::timestamp AT TIME ZONE 'UTC' THEN
        RAISE EXCEPTION 'the gate of % was not known at %', permit.as_of_day, NEW.valid_from
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.override_id IS NULL AND permit.gate_status <> 'passed' THEN
        RAISE EXCEPTION '% has not passed its gate (%): deployment refused', NEW.model_id, permit.gate_status
            USING ERRCODE = 'restrict_violation', HINT = 'A gate may be overridden by two people, for a time.';
    END IF;
    IF NEW.override_id IS NOT NULL THEN
        IF permit.expires_at <= greatest(NEW.valid_from, clock_timestamp()) THEN
            RAISE EXCEPTION 'the override has expired at %', permit.expires_at
                USING ERRCODE = 'restrict_violation';
        END IF;
        NEW.valid_until := permit.expires_at;
    END IF;

    IF NEW.restores IS NOT NULL THEN
        SELECT * INTO restored FROM deployment.deployments WHERE deployment_id = NEW.restores;
        SELECT * INTO current_ FROM deployment.champion_at(NEW.kind, NEW.scope, NEW.valid_from);
        IF (restored.kind, restored.scope, restored.model_id) IS DISTINCT FROM (NEW.kind, NEW.scope, NEW.model_id)
            OR (restored.gate_id, restored.override_id) IS DISTINCT FROM (NEW.gate_id, NEW.override_id)
            OR restored.model_id IS NOT DISTINCT FROM current_.model_id THEN
            RAISE EXCEPTION 'a rollback returns to an earlier champion of % %', NEW.kind, NEW.scope
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_deployment BEFORE INSERT ON deployment.deployments
    FOR EACH ROW EXECUTE FUNCTION deployment.guard_deployment();

CREATE FUNCTION deployment.record_deployment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before_  deployment.deployments;
    approver text;
BEGIN
    SELECT * INTO before_ FROM deployment.deployments d
    WHERE d.kind = NEW.kind AND d.scope = NEW.scope AND d.valid_from < NEW.valid_from
      AND (d.valid_until IS NULL OR NEW.valid_from < d.valid_until)
    ORDER BY d.valid_from DESC LIMIT 1;
    SELECT o.approved_by INTO approver FROM deployment.gate_overrides o WHERE o.override_id = NEW.override_id;
    INSERT INTO deployment.improvement_events (event_type, occurred_at, component_type, component_id,
        old_value, new_value, trigger_reason, performance_before, performance_after, automated, approved_by)
    SELECT CASE WHEN NEW.restores IS NULL THEN 'model_deployed' ELSE 'rollback' END, NEW.valid_from, 'model',
           NEW.kind || '/' || NEW.scope,
           CASE WHEN before_.model_id IS NOT NULL THEN jsonb_build_object('model_id', before_.model_id) END,
           jsonb_build_object('model_id', NEW.model_id), NEW.reason, was.criteria, is_.criteria,
           NEW.deployed_by = 'automated',
           CASE WHEN NEW.deployed_by <> 'automated' THEN coalesce(approver, NEW.deployed_by) END
    FROM (VALUES (1)) one
    LEFT JOIN deployment.deployment_gates is_ ON is_.gate_id = coalesce(
        NEW.gate_id, (SELECT o.gate_id FROM deployment.gate_overrides o WHERE o.override_id = NEW.override_id))
    LEFT JOIN deployment.deployment_gates was ON was.gate_id = coalesce(
        before_.gate_id, (SELECT o.gate_id FROM deployment.gate_overrides o WHERE o.override_id = before_.override_id));
    RETURN NULL;
END $$;
CREATE TRIGGER record_deployment AFTER INSERT ON deployment.deployments
    FOR EACH ROW EXECUTE FUNCTION deployment.record_deployment();
COMMENT ON FUNCTION deployment.record_deployment IS 'Every deployment and rollback leaves an improvement event.';

CREATE VIEW deployment.champions AS
    SELECT DISTINCT ON (kind, scope) kind, scope, model_id, valid_from, valid_until, gate_id, override_id,
           deployed_by, reason
    FROM deployment.deployments
    WHERE valid_until IS NULL OR now() < valid_until
    ORDER BY kind, scope, valid_from DESC;
COMMENT ON VIEW deployment.champions IS 'The model in force per kind and scope; empty until one has passed a gate.';

CREATE VIEW deployment.v_latest_gates AS
    SELECT DISTINCT ON (g.kind, g.scope, g.model_id)
           g.gate_id, g.kind, g.scope, g.horizon, g.model_id, m.role, g.as_of_day, g.gate_status, g.accuracy,
           g.failure_reasons, g.criteria, g.evaluated_at
    FROM deployment.deployment_gates g JOIN models.model_registry m USING (model_id)
    ORDER BY g.kind, g.scope, g.model_id, g.as_of_day DESC;
COMMENT ON VIEW deployment.v_latest_gates IS 'The latest gate of each model version, kind and scope.';

DO $$
DECLARE
    ledger text;
BEGIN
    FOREACH ledger IN ARRAY ARRAY['deployment_gates', 'gate_overrides', 'deployments', 'ab_tests',
                                  'improvement_events', 'event_notifications'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deployment.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite()', ledger);
        EXECUTE format('GRANT SELECT ON deployment.%I TO predtrack_reader, predtrack_writer', ledger);
        EXECUTE format('GRANT INSERT ON deployment.%I TO predtrack_writer', ledger);
        EXECUTE format('GRANT ALL ON deployment.%I TO predtrack_owner', ledger);
    END LOOP;
END $$;
GRANT SELECT ON deployment.champions, deployment.v_latest_gates, deployment.v_improvement_events,
    deployment.v_ab_tests TO predtrack_reader, predtrack_writer;
GRANT ALL ON deployment.champions, deployment.v_latest_gates, deployment.v_improvement_events,
    deployment.v_ab_tests TO predtrack_owner;
