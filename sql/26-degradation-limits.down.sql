DROP VIEW deployment.v_degradations, accuracy.v_degraded_models;

CREATE VIEW accuracy.v_degraded_models AS
    SELECT d.model_id, d.kind, d.horizon, d.name AS score, d.value AS e_value, d.since, d.as_of_day
    FROM accuracy.drift_metrics d JOIN models.model_registry r USING (model_id)
    WHERE d.statistic = 'e_value' AND d.drifted AND r.status <> 'retired'
      AND d.as_of_day = (SELECT max(as_of_day) FROM accuracy.drift_metrics);
COMMENT ON VIEW accuracy.v_degraded_models IS 'Models that do worse than they showed, beyond doubt, at the latest report: e_value reached 20 on the due day `since`.';

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

GRANT SELECT ON accuracy.v_degraded_models, deployment.v_degradations TO predtrack_reader, predtrack_writer;
GRANT ALL ON accuracy.v_degraded_models, deployment.v_degradations TO predtrack_owner;
