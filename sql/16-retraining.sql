-- Retraining that triggers itself: why a fit was made, gates of symbols' own models, degradation alerts.

ALTER TABLE models.training_runs
    ADD COLUMN triggered_by text CHECK (triggered_by IN ('sensor', 'schedule', 'backfill', 'manual')),
    ADD COLUMN reason text;
COMMENT ON COLUMN models.training_runs.triggered_by IS 'What started the Dagster run. NULL: before this was recorded.';
COMMENT ON COLUMN models.training_runs.reason IS 'Why a fit was wanted, in words.';

-- A version with a fit per symbol is judged on each symbol by itself (scope h5:IBM). A generated column cannot be
-- given another expression: a trigger names gates from here on, always, as the columns did before.
ALTER TABLE deployment.deployment_gates
    ALTER COLUMN gate_id DROP EXPRESSION IF EXISTS,
    ALTER COLUMN scope DROP EXPRESSION IF EXISTS,
    ADD COLUMN symbol text,
    DROP CONSTRAINT deployment_gates_as_of_day_model_id_kind_horizon_key,
    ADD CONSTRAINT one_gate_a_week UNIQUE NULLS NOT DISTINCT (as_of_day, model_id, kind, horizon, symbol);
COMMENT ON COLUMN deployment.deployment_gates.symbol IS 'The symbol that a version of symbols'' own fits is judged on; NULL: all of them together.';
COMMENT ON COLUMN deployment.deployment_gates.scope IS 'h5: the horizon of 5 sessions. h5:IBM: the same, of one symbol.';

CREATE FUNCTION deployment.name_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.scope := 'h' || NEW.horizon || coalesce(':' || NEW.symbol, '');
    NEW.gate_id := md5(NEW.model_id || '|' || NEW.kind || '|' || NEW.horizon || '|'
                       || (NEW.as_of_day - DATE '1970-01-01') || coalesce('|' || NEW.symbol, ''))::uuid;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION deployment.name_gate IS 'Scope and identity of a gate follow from what it judges, whatever was said.';
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
COMMENT ON COLUMN deployment.deployments.scope IS 'What the model is champion for: h5 is the horizon of 5 sessions, h5:IBM the same for IBM alone.';

CREATE FUNCTION deployment.champion_for(of_kind text, of_horizon integer, of_symbol text, at timestamptz)
RETURNS SETOF deployment.deployments LANGUAGE sql STABLE AS $$
    SELECT c.*
    FROM (VALUES (1, 'h' || of_horizon || ':' || of_symbol), (2, 'h' || of_horizon)) turns (turn, scope),
         LATERAL deployment.champion_at(of_kind, turns.scope, at) c
    ORDER BY turn LIMIT 1
$$;
COMMENT ON FUNCTION deployment.champion_for IS 'The deployment in force for a symbol at a moment: its own, else that of all symbols; at most one row.';

-- As before, and a rollback of one symbol may return to the champion of all symbols.
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

-- As before; where a symbol had no champion of its own, the one of all symbols was in force.
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
ALTER TABLE deployment.improvement_events
    DROP CONSTRAINT improvement_events_event_type_check,
    ADD CONSTRAINT improvement_events_event_type_check CHECK (event_type IN (
        'model_deployed', 'rollback', 'params_optimized', 'strategy_disabled', 'threshold_change', 'retrain',
        'degradation'));
COMMENT ON TABLE deployment.improvement_events IS 'What was changed in the system or has to be, why, and how it did before. Append-only.';

CREATE FUNCTION accuracy.symbol_performance(of_symbol text, report date) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_object_agg(model_id, cells)
    FROM (SELECT a.model_id, jsonb_object_agg(
                     a.kind || '/' || a.event || '/h' || a.horizon,
                     jsonb_build_object('rate', round(a.posterior_mean::numeric, 4), 'n', a.total_predictions,
                                        'n_eff', round(a.n_eff::numeric, 1))) AS cells
          FROM accuracy.symbol_accuracy a JOIN models.model_registry m USING (model_id)
          WHERE a.symbol = of_symbol AND a.period = 'rolling_30d' AND a.period_end = report AND m.scope IS NOT NULL
          GROUP BY a.model_id) versions
$$;
COMMENT ON FUNCTION accuracy.symbol_performance IS 'What the fitted versions showed on a symbol in the 30 days to a report: rate (shrunk) per version and cell.';

CREATE VIEW deployment.v_retrainings AS
    SELECT e.event_id, f.scope AS symbol, f.model_id, r.triggered_by, e.trigger_reason AS reason,
           e.old_value ->> 'artifact_id' AS old_artifact, f.artifact_id AS new_artifact, f.trained_through,
           e.performance_before, after_.report_day,
           accuracy.symbol_performance(f.scope, after_.report_day) AS performance_after,
           shadow.first_day AS predicts_since, gates.statuses AS latest_gates, champion.kinds AS champion_since,
           e.occurred_at
    FROM deployment.improvement_events e
    JOIN models.model_artifacts f ON f.artifact_id = e.new_value ->> 'artifact_id'
    JOIN models.training_runs r USING (training_run_id)
    LEFT JOIN LATERAL (
        SELECT min(a.period_end) AS report_day FROM accuracy.symbol_accuracy a
        WHERE a.symbol = f.scope AND a.model_id = f.model_id AND a.period = 'rolling_30d'
          AND a.period_start > f.trained_through) after_ ON true
    LEFT JOIN LATERAL (
        SELECT min(p.trading_day) AS first_day FROM forecasts.predictions p
        WHERE p.symbol = f.scope AND p.model_id = f.model_id AND p.trading_day > f.trained_through
          AND p.artifact_id = f.artifact_id) shadow ON true
    LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(g.kind || '/' || g.scope, g.gate_status) AS statuses
        FROM deployment.v_latest_gates g
        WHERE g.model_id = f.model_id AND split_part(g.scope, ':', 2) = f.scope
          AND g.as_of_day > f.trained_through) gates ON true
    LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(c.kind || '/' || c.scope, c.valid_from) AS kinds
        FROM deployment.champions c
        WHERE c.model_id = f.model_id AND split_part(c.scope, ':', 2) = f.scope) champion ON true
    WHERE e.event_type = 'retrain';
COMMENT ON VIEW deployment.v_retrainings IS 'Each fit of a symbol''s own: why, from what to what, before and after, and how far it has come: shadow, gate, champion.';
COMMENT ON COLUMN deployment.v_retrainings.report_day IS 'First 30-day report of which all predictions came after the fit; NULL until there is one. performance_after is of it.';
COMMENT ON COLUMN deployment.v_retrainings.champion_since IS 'Where its version is champion of the symbol now; NULL: in shadow.';

CREATE VIEW deployment.v_degradations AS
    SELECT 'performance_drift' AS signal, d.model_id, d.kind, 'h' || d.horizon AS scope,
           coalesce(a.opened_on, d.since) AS since, d.as_of_day,
           format('%s, %s h%s: %s worse than it showed before, beyond doubt since %s (e-value %s, 20 is the limit)',
                  d.model_id, d.kind, d.horizon, d.score, coalesce(a.opened_on, d.since),
                  round(d.e_value::numeric, 1)) AS message
    FROM accuracy.v_degraded_models d
    LEFT JOIN accuracy.v_open_drift_alerts a ON a.subject = 'performance' AND a.name = d.score
        AND (a.model_id, a.kind, a.horizon) = (d.model_id, d.kind, d.horizon)
    UNION ALL
    SELECT 'failing_champion', c.model_id, c.kind, c.scope, failing.since, g.as_of_day,
           format('%s, %s %s: champion since %s, its gate failed on %s: %s', c.model_id, c.kind, c.scope,
                  (c.valid_from AT TIME ZONE 'UTC')::date, failing.since, array_to_string(g.failure_reasons, '; '))
    FROM deployment.champions c
    JOIN deployment.v_latest_gates g USING (kind, scope, model_id)
    CROSS JOIN LATERAL (
        SELECT min(f.as_of_day) AS since FROM deployment.deployment_gates f
        WHERE (f.kind, f.scope, f.model_id, f.gate_status) = (c.kind, c.scope, c.model_id, 'failed')
          AND f.as_of_day > coalesce((
              SELECT max(b.as_of_day) FROM deployment.deployment_gates b
              WHERE (b.kind, b.scope, b.model_id) = (c.kind, c.scope, c.model_id)
                AND b.gate_status <> 'failed'), '-infinity')) failing
    WHERE g.gate_status = 'failed' AND c.override_id IS NULL;
COMMENT ON VIEW deployment.v_degradations IS 'What has become worse and goes on: models by their e-process, champions by their own gate (unless people overrode it).';

GRANT SELECT ON deployment.v_retrainings, deployment.v_degradations TO predtrack_reader, predtrack_writer;
GRANT ALL ON deployment.v_retrainings, deployment.v_degradations TO predtrack_owner;
