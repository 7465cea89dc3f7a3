-- Gates, overrides, deployments, A/B tests and what changed for the better: all append-only.
-- The rules that must hold whoever writes stand here, as constraints and triggers.

CREATE TABLE deployment.deployment_gates (
    gate_id                uuid NOT NULL PRIMARY KEY,
    model_id               text NOT NULL REFERENCES models.model_registry,
    kind                   text NOT NULL CHECK (kind IN ('price', 'direction')),
    horizon                smallint NOT NULL CHECK (horizon BETWEEN 1 AND 252),
    scope                  text NOT NULL,
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
    symbol                 text,
    n_live                 integer CHECK (n_live >= 0),
    CONSTRAINT passed_needs_every_criterion CHECK (
        (gate_status = 'passed') = (cardinality(failure_reasons) = 0)
        AND (gate_status <> 'passed' OR (
            accuracy IS NOT NULL AND skill IS NOT NULL AND market_outperformance IS NOT NULL
            AND sharpe_ratio IS NOT NULL AND max_drawdown IS NOT NULL AND calibration_error IS NOT NULL
            AND NOT jsonb_path_exists(criteria, '$.*.status ? (@ <> "passed")')))),
    CONSTRAINT one_gate_a_week UNIQUE NULLS NOT DISTINCT (as_of_day, model_id, kind, horizon, symbol)
);
CREATE INDEX deployment_gates_by_model ON deployment.deployment_gates (model_id, kind, horizon, as_of_day DESC);

CREATE FUNCTION deployment.name_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.scope := 'h' || NEW.horizon || coalesce(':' || NEW.symbol, '');
    NEW.gate_id := md5(NEW.model_id || '|' || NEW.kind || '|' || NEW.horizon || '|'
                       || (NEW.as_of_day - DATE '1970-01-01') || coalesce('|' || NEW.symbol, ''))::uuid;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION deployment.name_gate IS 'Scope and identity of a gate follow from what it judges, whatever the writer gave.';
CREATE TRIGGER name_gate BEFORE INSERT ON deployment.deployment_gates
    FOR EACH ROW EXECUTE FUNCTION deployment.name_gate();
ALTER TABLE deployment.deployment_gates ENABLE ALWAYS TRIGGER name_gate;

CREATE FUNCTION deployment.guard_symbol_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.symbol IS NOT NULL) <> EXISTS (
            SELECT FROM models.model_registry m WHERE m.model_id = NEW.model_id AND m.scope = 'symbol') THEN
        RAISE EXCEPTION 'a version is judged on one symbol exactly when its fits are of one each: % on %',
            NEW.model_id, coalesce(NEW.symbol, 'all symbols') USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_symbol_gate BEFORE INSERT ON deployment.deployment_gates
    FOR EACH ROW EXECUTE FUNCTION deployment.guard_symbol_gate();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deployment.deployment_gates
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE deployment.deployment_gates IS 'Each weekly decision on a model version, from its own record known by as_of_day. Append-only.';
COMMENT ON COLUMN deployment.deployment_gates.scope IS 'h5: the horizon of 5 sessions. h5:IBM: the same, of one symbol.';
COMMENT ON COLUMN deployment.deployment_gates.as_of_day IS 'Last trading day of a week: nothing known after its 24:00 UTC was used.';
COMMENT ON COLUMN deployment.deployment_gates.accuracy IS 'price: rate of within_5pct; direction: rate of correct calls, the likelier side.';
COMMENT ON COLUMN deployment.deployment_gates.skill IS 'Mean CRPS (price, of the log return) or Brier score (direction) of no_change minus the model''s.';
COMMENT ON COLUMN deployment.deployment_gates.market_outperformance IS 'Log growth a year, after cost, above the harder of two benchmarks: the index, the same symbols held.';
COMMENT ON COLUMN deployment.deployment_gates.max_drawdown IS 'Positive fraction, over the last 252 sessions.';
COMMENT ON COLUMN deployment.deployment_gates.calibration_error IS 'Debiased RMS calibration error.';
COMMENT ON COLUMN deployment.deployment_gates.criteria IS 'Per criterion: value, bound (one-sided 95 %), threshold, n, n_eff, status.';
COMMENT ON COLUMN deployment.deployment_gates.thresholds IS 'Settings in force at the evaluation.';
COMMENT ON COLUMN deployment.deployment_gates.symbol IS 'The symbol that a version of symbols'' own fits is judged on; NULL: all of them together.';
COMMENT ON COLUMN deployment.deployment_gates.n_live IS 'Decision dates up to the gate of which the forecasts were committed before any outcome. NULL: before this column.';

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
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deployment.gate_overrides
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE deployment.gate_overrides IS 'A gate that was not passed, deployed all the same until expires_at, with two approvers. Append-only.';

CREATE TABLE deployment.deployments (
    deployment_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind           text NOT NULL,
    scope          text NOT NULL,
    model_id       text REFERENCES models.model_registry,
    valid_from     timestamptz NOT NULL CHECK (isfinite(valid_from)),
    valid_until    timestamptz,
    valid_day      date NOT NULL GENERATED ALWAYS AS ((valid_from AT TIME ZONE 'UTC')::date) STORED,
    gate_id        uuid REFERENCES deployment.deployment_gates,
    override_id    bigint REFERENCES deployment.gate_overrides,
    restores       bigint REFERENCES deployment.deployments,
    deployed_by    text NOT NULL CHECK (length(trim(deployed_by)) > 0),
    reason         text NOT NULL CHECK (length(trim(reason)) > 0),
    retires        bigint REFERENCES deployment.deployments,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT one_champion_at_a_time UNIQUE (kind, scope, valid_from),
    CONSTRAINT override_ends CHECK ((override_id IS NULL) = (valid_until IS NULL)),
    CONSTRAINT ends_after_start CHECK (valid_until > valid_from),
    CONSTRAINT gate_or_override CHECK (num_nonnulls(gate_id, override_id, retires) = 1),
    CONSTRAINT a_retirement_has_no_model CHECK (
        (model_id IS NULL) = (retires IS NOT NULL) AND num_nonnulls(restores, retires) <= 1)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deployment.deployments
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();

CREATE FUNCTION deployment.guard_deployment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    permit   record;
    restored deployment.deployments;
    current_ deployment.deployments;
    wider    text := split_part(NEW.scope, ':', 1);
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('deployment.deployments|' || NEW.kind || '|' || NEW.scope));
    NEW.recorded_at := clock_timestamp();
    IF NEW.retires IS NOT NULL THEN  -- it begins when it is written, and needs no gate
        NEW.valid_from := NEW.recorded_at;
        SELECT * INTO current_ FROM deployment.champion_at(NEW.kind, NEW.scope, NEW.valid_from);
        IF current_.deployment_id IS DISTINCT FROM NEW.retires THEN
            RAISE EXCEPTION 'only the champion in force can be retired: % % has %', NEW.kind, NEW.scope,
                coalesce(current_.model_id, 'none') USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    IF NEW.valid_from > clock_timestamp() THEN
        RAISE EXCEPTION 'a deployment cannot begin in the future (%)', NEW.valid_from
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (SELECT FROM deployment.deployments d
               WHERE d.kind = NEW.kind AND d.scope = NEW.scope AND d.valid_from >= NEW.valid_from) THEN
        RAISE EXCEPTION 'a later deployment of % % exists: history is not rewritten', NEW.kind, NEW.scope
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.retires IS NOT NULL THEN
        RETURN NEW;
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
    IF permit IS NULL OR (permit.model_id, permit.kind) <> (NEW.model_id, NEW.kind)
        OR permit.scope <> NEW.scope AND (NEW.restores IS NULL OR permit.scope <> wider) THEN
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
        IF (restored.kind, restored.model_id) IS DISTINCT FROM (NEW.kind, NEW.model_id)
            OR restored.scope NOT IN (NEW.scope, wider)
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
    SELECT c.* INTO before_
    FROM (VALUES (1, NEW.scope), (2, split_part(NEW.scope, ':', 1))) turns (turn, scope),
         LATERAL deployment.champion_at(NEW.kind, turns.scope, NEW.valid_from - interval '1 microsecond') c
    ORDER BY turn LIMIT 1;
    SELECT o.approved_by INTO approver FROM deployment.gate_overrides o WHERE o.override_id = NEW.override_id;
    INSERT INTO deployment.improvement_events (event_type, occurred_at, component_type, component_id,
        old_value, new_value, trigger_reason, performance_before, performance_after, automated, approved_by)
    SELECT CASE WHEN num_nonnulls(NEW.restores, NEW.retires) = 0 THEN 'model_deployed' ELSE 'rollback' END,
           NEW.valid_from, 'model', NEW.kind || '/' || NEW.scope,
           CASE WHEN before_.model_id IS NOT NULL THEN jsonb_build_object('model_id', before_.model_id) END,
           CASE WHEN NEW.model_id IS NOT NULL THEN jsonb_build_object('model_id', NEW.model_id) END,
           NEW.reason, was.criteria, is_.criteria, NEW.deployed_by = 'automated',
           CASE WHEN NEW.deployed_by <> 'automated' THEN coalesce(approver, NEW.deployed_by) END
    FROM (VALUES (1)) one
    LEFT JOIN deployment.deployment_gates is_ ON is_.gate_id = coalesce(
        NEW.gate_id, (SELECT o.gate_id FROM deployment.gate_overrides o WHERE o.override_id = NEW.override_id))
    LEFT JOIN deployment.deployment_gates was ON was.gate_id = coalesce(
        before_.gate_id, (SELECT o.gate_id FROM deployment.gate_overrides o WHERE o.override_id = before_.override_id));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION deployment.record_deployment IS 'Every deployment and rollback leaves an improvement event.';
CREATE TRIGGER record_deployment AFTER INSERT ON deployment.deployments
    FOR EACH ROW EXECUTE FUNCTION deployment.record_deployment();

CREATE FUNCTION deployment.roll_back_test() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_model text;
BEGIN
    SELECT c.model_id INTO left_model
    FROM deployment.champion_at(NEW.kind, NEW.scope, NEW.valid_from - interval '1 microsecond') c;
    INSERT INTO deployment.ab_tests (as_of_day, kind, scope, control, treatment, start_day, success_metric,
        status, decided_day, n, mean_difference, e_value, e_against, conclusion, batch, threshold, n_live)
    SELECT greatest(NEW.valid_day, t.as_of_day + 1), t.kind, t.scope, t.control, t.treatment, t.start_day,
           t.success_metric, 'rollback', t.decided_day, t.n, t.mean_difference, t.e_value, t.e_against,
           t.treatment || ' was rolled back: ' || NEW.reason, t.batch, t.threshold, t.n_live
    FROM (SELECT DISTINCT ON (test_id) * FROM deployment.ab_tests
          WHERE kind = NEW.kind AND scope = NEW.scope AND treatment = left_model
          ORDER BY test_id, as_of_day DESC) t
    WHERE t.status = 'promoted'
    ORDER BY t.start_day DESC LIMIT 1;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION deployment.roll_back_test IS 'Ends the latest test that promoted the model left as rollback; one that came by override has none.';
CREATE TRIGGER roll_back_test AFTER INSERT ON deployment.deployments
    FOR EACH ROW WHEN (num_nonnulls(NEW.restores, NEW.retires) > 0) EXECUTE FUNCTION deployment.roll_back_test();
COMMENT ON TABLE deployment.deployments IS 'Champions over time: the latest row in force per kind and scope. Append-only.';
COMMENT ON COLUMN deployment.deployments.scope IS 'What the model is champion for: h5 is the horizon of 5 sessions, h5:IBM the same for IBM alone.';
COMMENT ON COLUMN deployment.deployments.model_id IS 'The champion; NULL: a retirement, from which on there is none.';
COMMENT ON COLUMN deployment.deployments.valid_until IS 'End of an override; the champion before it is then in force again.';
COMMENT ON COLUMN deployment.deployments.restores IS 'A rollback: the earlier deployment that is in force again.';
COMMENT ON COLUMN deployment.deployments.deployed_by IS 'automated, or a person.';
COMMENT ON COLUMN deployment.deployments.retires IS 'A retirement: the deployment that it ends without a successor.';

CREATE TABLE deployment.ab_tests (
    test_id          uuid NOT NULL
        GENERATED ALWAYS AS (md5(kind || '|' || scope || '|' || control || '|' || treatment || '|' || (start_day - DATE '1970-01-01')::text)::uuid) STORED,
    kind             text NOT NULL,
    scope            text NOT NULL,
    control          text NOT NULL REFERENCES models.model_registry,
    treatment        text NOT NULL REFERENCES models.model_registry,
    success_metric   text NOT NULL CHECK (success_metric IN ('crps', 'brier')),
    start_day        date NOT NULL,
    as_of_day        date NOT NULL CHECK (as_of_day >= start_day),
    status           text NOT NULL CHECK (status IN ('running', 'promoted', 'rejected', 'rollback', 'inconclusive')),
    decided_day      date CHECK (decided_day BETWEEN start_day AND as_of_day),
    n                integer NOT NULL CHECK (n >= 0),
    mean_difference  double precision CHECK (market.is_finite(mean_difference)),
    e_value          double precision NOT NULL CHECK (e_value >= 0 AND e_value < 'Infinity'),
    e_against        double precision NOT NULL CHECK (e_against >= 0 AND e_against < 'Infinity'),
    conclusion       text,
    batch           integer CHECK (batch >= 1),
    threshold        double precision NOT NULL DEFAULT 20 CHECK (threshold >= 20 AND threshold < 'Infinity'),
    n_live           integer CHECK (n_live BETWEEN 0 AND n),
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (as_of_day, kind, scope, control, treatment, start_day),
    CONSTRAINT control_and_treatment_differ CHECK (control <> treatment),
    CONSTRAINT concluded_exactly_when_over CHECK ((status = 'running') = (conclusion IS NULL)),
    CONSTRAINT decided_when_over CHECK ((status = 'running') = (decided_day IS NULL))
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deployment.ab_tests
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE deployment.ab_tests IS 'Champion (control) against challenger (treatment) on paired shadow forecasts, week by week until decided. Append-only.';
COMMENT ON COLUMN deployment.ab_tests.decided_day IS 'Day of the result that decided it, or of the end of its control.';
COMMENT ON COLUMN deployment.ab_tests.n IS 'Decision dates whose results were known.';
COMMENT ON COLUMN deployment.ab_tests.mean_difference IS 'Mean daily score difference, as a share of the largest that the two forecasts allowed.';
COMMENT ON COLUMN deployment.ab_tests.e_value IS 'Betting e-process that the treatment is better: promoted at threshold. Its own moment: decided_day, else as_of_day.';
COMMENT ON COLUMN deployment.ab_tests.e_against IS 'The same for the opposite side: rejected at 20.';
COMMENT ON COLUMN deployment.ab_tests.batch IS 'The week in which it began, among those in which tests of its kind and horizon did. NULL in rows of before this column.';
COMMENT ON COLUMN deployment.ab_tests.threshold IS 'e_value that promotes: 20 * batch * (batch + 1) * tests of the batch; 20 in rows of before this column.';
COMMENT ON COLUMN deployment.ab_tests.n_live IS 'Of n, dates on which both sides committed their forecasts before any outcome. NULL: before this column.';

CREATE TABLE deployment.improvement_events (
    event_id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_type          text NOT NULL
        CHECK (event_type IN ( 'model_deployed', 'rollback', 'params_optimized', 'strategy_disabled', 'threshold_change', 'retrain', 'degradation')),
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
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deployment.improvement_events
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE deployment.improvement_events IS 'What was changed in the system or has to be, why, and how it did before. Append-only.';
COMMENT ON COLUMN deployment.improvement_events.performance_after IS 'The record on which the new component was chosen, not its outcome.';

CREATE TABLE deployment.event_notifications (
    event_id     bigint NOT NULL REFERENCES deployment.improvement_events,
    status       text NOT NULL CHECK (status IN ('sent', 'failed')),
    channel      text NOT NULL,
    message      text,
    recorded_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX event_notifications_by_event ON deployment.event_notifications (event_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deployment.event_notifications
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
COMMENT ON TABLE deployment.event_notifications IS 'Each attempt to tell somebody of an event. Append-only.';

GRANT SELECT ON ALL TABLES IN SCHEMA deployment TO predtrack_reader, predtrack_writer;
GRANT INSERT ON ALL TABLES IN SCHEMA deployment TO predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA deployment TO predtrack_owner;
