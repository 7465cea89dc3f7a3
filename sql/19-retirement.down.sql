-- Retirements have no place in what went before: what they ended is in force again.
ALTER TABLE deployment.deployments DISABLE TRIGGER append_only;
DELETE FROM deployment.deployments WHERE retires IS NOT NULL;
ALTER TABLE deployment.deployments ENABLE TRIGGER append_only;

DROP TRIGGER roll_back_test ON deployment.deployments;
CREATE TRIGGER roll_back_test AFTER INSERT ON deployment.deployments
    FOR EACH ROW WHEN (NEW.restores IS NOT NULL) EXECUTE FUNCTION deployment.roll_back_test();
CREATE OR REPLACE FUNCTION deployment.roll_back_test() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE OR REPLACE FUNCTION deployment.record_deployment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before_  deployment.deployments;
    approver text;
BEGIN
    SELECT * INTO before_ FROM deployment.deployments d
    WHERE d.kind = NEW.kind AND d.scope IN (NEW.scope, split_part(NEW.scope, ':', 1))
      AND d.valid_from < NEW.valid_from AND (d.valid_until IS NULL OR NEW.valid_from < d.valid_until)
    ORDER BY d.scope = NEW.scope DESC, d.valid_from DESC LIMIT 1;
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
    wider    text := split_part(NEW.scope, ':', 1);
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

CREATE OR REPLACE VIEW deployment.champions AS
    SELECT DISTINCT ON (kind, scope) kind, scope, model_id, valid_from, valid_until, gate_id, override_id,
           deployed_by, reason
    FROM deployment.deployments
    WHERE valid_until IS NULL OR now() < valid_until
    ORDER BY kind, scope, valid_from DESC;
COMMENT ON VIEW deployment.champions IS 'The model in force per kind and scope; empty until one has passed a gate.';
CREATE OR REPLACE FUNCTION deployment.champion_at(of_kind text, of_scope text, at timestamptz)
RETURNS SETOF deployment.deployments LANGUAGE sql STABLE AS $$
    SELECT * FROM deployment.deployments
    WHERE kind = of_kind AND scope = of_scope AND valid_from <= at
      AND (valid_until IS NULL OR at < valid_until)
    ORDER BY valid_from DESC LIMIT 1
$$;
COMMENT ON FUNCTION deployment.champion_at IS 'The deployment in force at a moment: at most one row.';
DROP FUNCTION deployment.in_force_at(text, text, timestamptz);

ALTER TABLE deployment.deployments
    DROP CONSTRAINT a_retirement_has_no_model,
    DROP CONSTRAINT gate_or_override,
    DROP COLUMN retires,
    ALTER COLUMN model_id SET NOT NULL,
    ADD CONSTRAINT gate_or_override CHECK (num_nonnulls(gate_id, override_id) = 1);
COMMENT ON COLUMN deployment.deployments.model_id IS NULL;
