DROP VIEW deployment.v_degradations;
DROP VIEW deployment.v_retrainings;
DROP FUNCTION accuracy.symbol_performance(text, date);
DROP FUNCTION deployment.champion_for(text, integer, text, timestamptz);

-- Decisions on single symbols have no place in what went before, nor have alerts: they are not kept.
ALTER TABLE deployment.improvement_events DISABLE TRIGGER append_only;
ALTER TABLE deployment.event_notifications DISABLE TRIGGER append_only;
ALTER TABLE deployment.ab_tests DISABLE TRIGGER append_only;
ALTER TABLE deployment.deployments DISABLE TRIGGER append_only;
ALTER TABLE deployment.gate_overrides DISABLE TRIGGER append_only;
ALTER TABLE deployment.deployment_gates DISABLE TRIGGER append_only;
DELETE FROM deployment.event_notifications n USING deployment.improvement_events e
    WHERE e.event_id = n.event_id AND e.event_type = 'degradation';
DELETE FROM deployment.improvement_events WHERE event_type = 'degradation';
DELETE FROM deployment.ab_tests WHERE scope LIKE '%:%';
DELETE FROM deployment.deployments WHERE scope LIKE '%:%';
DELETE FROM deployment.gate_overrides o USING deployment.deployment_gates g
    WHERE g.gate_id = o.gate_id AND g.symbol IS NOT NULL;
DELETE FROM deployment.deployment_gates WHERE symbol IS NOT NULL;
ALTER TABLE deployment.improvement_events ENABLE TRIGGER append_only;
ALTER TABLE deployment.event_notifications ENABLE TRIGGER append_only;
ALTER TABLE deployment.ab_tests ENABLE TRIGGER append_only;
ALTER TABLE deployment.deployments ENABLE TRIGGER append_only;
ALTER TABLE deployment.gate_overrides ENABLE TRIGGER append_only;
ALTER TABLE deployment.deployment_gates ENABLE TRIGGER append_only;
ALTER TABLE deployment.improvement_events
    DROP CONSTRAINT improvement_events_event_type_check,
    ADD CONSTRAINT improvement_events_event_type_check CHECK (event_type IN (
        'model_deployed', 'rollback', 'params_optimized', 'strategy_disabled', 'threshold_change', 'retrain'));
COMMENT ON TABLE deployment.improvement_events IS 'What was changed in the system, why, and how it did before. Append-only.';

CREATE OR REPLACE FUNCTION deployment.record_deployment() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE OR REPLACE FUNCTION deployment.guard_deployment() RETURNS trigger LANGUAGE plpgsql AS $$
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
COMMENT ON COLUMN deployment.deployments.scope IS 'What the model is champion for: h5 is the horizon of 5 sessions.';

-- Generated columns again, so that identities follow from the row; what refers to them is made anew.
DROP TRIGGER guard_symbol_gate ON deployment.deployment_gates;
DROP FUNCTION deployment.guard_symbol_gate();
DROP TRIGGER name_gate ON deployment.deployment_gates;
DROP FUNCTION deployment.name_gate();
DROP VIEW deployment.v_latest_gates;
ALTER TABLE deployment.gate_overrides DROP CONSTRAINT gate_overrides_gate_id_fkey;
ALTER TABLE deployment.deployments DROP CONSTRAINT deployments_gate_id_fkey;
ALTER TABLE deployment.deployment_gates
    DROP CONSTRAINT one_gate_a_week,
    DROP COLUMN symbol,
    DROP COLUMN gate_id,
    DROP COLUMN scope;
ALTER TABLE deployment.deployment_gates
    ADD COLUMN gate_id uuid NOT NULL PRIMARY KEY GENERATED ALWAYS AS
        (md5(model_id || '|' || kind || '|' || horizon::text || '|'
             || (as_of_day - DATE '1970-01-01')::text)::uuid) STORED,
    ADD COLUMN scope text NOT NULL GENERATED ALWAYS AS ('h' || horizon::text) STORED,
    ADD UNIQUE (as_of_day, model_id, kind, horizon);
ALTER TABLE deployment.gate_overrides ADD FOREIGN KEY (gate_id) REFERENCES deployment.deployment_gates;
ALTER TABLE deployment.deployments ADD FOREIGN KEY (gate_id) REFERENCES deployment.deployment_gates;
CREATE VIEW deployment.v_latest_gates AS
    SELECT DISTINCT ON (g.kind, g.scope, g.model_id)
           g.gate_id, g.kind, g.scope, g.horizon, g.model_id, m.role, g.as_of_day, g.gate_status, g.accuracy,
           g.failure_reasons, g.criteria, g.evaluated_at
    FROM deployment.deployment_gates g JOIN models.model_registry m USING (model_id)
    ORDER BY g.kind, g.scope, g.model_id, g.as_of_day DESC;
COMMENT ON VIEW deployment.v_latest_gates IS 'The latest gate of each model version, kind and scope.';
GRANT SELECT ON deployment.v_latest_gates TO predtrack_reader, predtrack_writer;
GRANT ALL ON deployment.v_latest_gates TO predtrack_owner;

ALTER TABLE models.training_runs DROP COLUMN triggered_by, DROP COLUMN reason;
