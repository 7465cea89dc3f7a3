DROP VIEW deployment.champions;
DROP VIEW deployment.v_latest_gates;
DROP VIEW deployment.v_improvement_events;
DROP VIEW deployment.v_ab_tests;
DROP FUNCTION deployment.champion_at(text, text, timestamptz);
DROP TRIGGER record_deployment ON deployment.deployments;
DROP TRIGGER guard_deployment ON deployment.deployments;
DROP FUNCTION deployment.record_deployment();
DROP FUNCTION deployment.guard_deployment();

-- Deployments go back to the shape of 01; those rest on gates that are dropped here, so none is kept.
DROP TABLE deployment.deployments;
CREATE TABLE deployment.deployments (
    deployment_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind           text NOT NULL,
    scope          text NOT NULL,
    model_id       text NOT NULL REFERENCES models.model_registry,
    valid_from     timestamptz NOT NULL,
    gate_id        bigint NOT NULL,
    reason         text NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE deployment.deployments IS 'Champions over time; the latest row per kind and scope is the champion. Append-only.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deployment.deployments
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE VIEW deployment.champions AS
    SELECT DISTINCT ON (kind, scope) kind, scope, model_id, valid_from, gate_id
    FROM deployment.deployments
    ORDER BY kind, scope, valid_from DESC, deployment_id DESC;
COMMENT ON VIEW deployment.champions IS 'The model in force per kind and scope; empty until one has passed a gate.';
GRANT SELECT ON deployment.deployments, deployment.champions TO predtrack_reader, predtrack_writer;
GRANT INSERT ON deployment.deployments TO predtrack_writer;
GRANT ALL ON deployment.deployments, deployment.champions TO predtrack_owner;

DROP TABLE deployment.gate_overrides;
DROP FUNCTION deployment.guard_override();
DROP TABLE deployment.deployment_gates;
DROP TABLE deployment.ab_tests;
DROP TABLE deployment.event_notifications;
DROP TABLE deployment.improvement_events;
