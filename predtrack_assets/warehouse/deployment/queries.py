"""Reads and writes of gates, A/B tests, deployments and what they leave behind."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

MODELS = Query("""
    SELECT model_id, role, status, coalesce(scope, 'pooled') AS scope FROM models.model_registry
    WHERE kinds && ARRAY['price', 'direction'] ORDER BY model_id
""")

PREDICTED_SPAN = Query("""
    SELECT min(trading_day) AS first FROM forecasts.predictions WHERE trading_day <= :last
""")

# Read apart and joined outside: on tables just filled, which have no statistics yet, the planner
# would take a nested loop over all rows.
PREDICTIONS = Query("""
    SELECT model_id, kind, horizon, symbol, trading_day, due_day, confidence, sigma,
           q05, q10, q25, q50, q75, q90, q95
    FROM forecasts.predictions
    WHERE trading_day BETWEEN :first AND :last AND kind = ANY(:kinds)
      AND horizon = ANY(:horizons) AND model_id = ANY(:models)
      AND (:symbol::text IS NULL OR symbol = :symbol) AND horizon_unit = 'session'
""")

# Cells that a version should have spoken of and was refused, due at once: the symbol had history
# enough, so that others predicted (rows of every kind, '*', say that it had not).
REFUSED = Query("""
    SELECT model_id, kind, horizon, symbol, trading_day AS due_day
    FROM forecasts.skipped_predictions s
    WHERE trading_day BETWEEN :first AND :last AND kind = ANY(:kinds)
      AND horizon = ANY(:horizons) AND model_id = ANY(:models) AND horizon_unit = 'session'
      AND NOT EXISTS (SELECT FROM forecasts.predictions p  -- once refused, written since
                      WHERE (p.trading_day, p.symbol, p.model_id, p.kind, p.horizon, p.horizon_unit)
                          = (s.trading_day, s.symbol, s.model_id, s.kind, s.horizon, 'session'))
""")

# The latest revision known at a moment.
RESULTS = Query("""
    SELECT DISTINCT ON (trading_day, symbol, model_id, kind, horizon)
           model_id, kind, horizon, symbol, trading_day, resolved_day, occurred, brier,
           brier_no_change, crps, crps_no_change
    FROM forecasts.outcomes
    WHERE trading_day BETWEEN :first AND :last AND knowledge_time <= :as_of
      AND kind = ANY(:kinds) AND horizon = ANY(:horizons) AND model_id = ANY(:models)
      AND (:symbol::text IS NULL OR symbol = :symbol) AND horizon_unit = 'session'
    ORDER BY trading_day DESC, symbol DESC, model_id DESC, kind DESC, horizon DESC,
             knowledge_time DESC
""")

# Days on which an outcome was known that replaced an earlier one.
REVISED_OUTCOMES = Query("""
    SELECT DISTINCT o.resolved_day FROM forecasts.outcomes o
    WHERE o.resolved_day > o.due_day AND o.resolved_day BETWEEN :first AND :last
      AND EXISTS (SELECT FROM forecasts.outcomes e
                  WHERE (e.trading_day, e.symbol, e.model_id, e.kind, e.horizon, e.horizon_unit, e.as_of)
                      = (o.trading_day, o.symbol, o.model_id, o.kind, o.horizon, 'session', o.as_of)
                    AND e.knowledge_time < o.knowledge_time)
""")

# Configurations tried for a kind and horizon with data up to each day.
TRIALS = Query("""
    SELECT r.trained_through AS day, count(*) AS trials
    FROM models.trials t JOIN models.training_runs r USING (training_run_id)
    WHERE t.kind = :kind AND t.horizon = :horizon
    GROUP BY r.trained_through ORDER BY r.trained_through
""")

PASSED_GATES = Query("""
    SELECT as_of_day, model_id, gate_id::text AS gate_id FROM deployment.deployment_gates
    WHERE kind = :kind AND scope = :scope AND gate_status = 'passed'
      AND as_of_day BETWEEN :first AND :last
""")

# Symbols that versions of symbols' own fits are judged on by a day, and since when.
JUDGED_SYMBOLS = Query("""
    SELECT symbol, min(as_of_day) AS since FROM deployment.deployment_gates
    WHERE kind = :kind AND horizon = :horizon AND symbol IS NOT NULL AND as_of_day <= :last
    GROUP BY symbol ORDER BY symbol
""")

DEPLOYMENTS = Query("""
    SELECT model_id, valid_from, valid_until FROM deployment.deployments
    WHERE kind = :kind AND scope = :scope ORDER BY valid_from
""")

# Models that people took back and nobody deployed again. judged: one had its place by a gate, not
# by an override, and so is not redeployed by itself.
ROLLED_BACK = Query("""
    SELECT former.model_id, bool_or(former.gate_id IS NOT NULL) AS judged
    FROM deployment.deployments d
    CROSS JOIN LATERAL deployment.champion_at(
        d.kind, d.scope, d.valid_from - interval '1 microsecond') former
    WHERE d.kind = :kind AND d.scope = :scope AND num_nonnulls(d.restores, d.retires) > 0
      AND NOT EXISTS (SELECT FROM deployment.deployments later
                      WHERE (later.kind, later.scope, later.model_id) = (d.kind, d.scope, former.model_id)
                        AND later.restores IS NULL AND later.valid_from > d.valid_from)
    GROUP BY former.model_id ORDER BY former.model_id
""")

DEPLOY = Query("""
    INSERT INTO deployment.deployments (kind, scope, model_id, valid_from, gate_id, deployed_by, reason)
    VALUES (:kind, :scope, :model_id, :valid_from, :gate_id::text::uuid, :deployed_by, :reason)
    RETURNING deployment_id
""")

# A gate, and the latest one of its model, kind and scope.
STANDING = Query("""
    SELECT g.kind, g.scope, g.model_id, l.gate_id::text AS latest_id, l.as_of_day
    FROM deployment.deployment_gates g
    JOIN deployment.v_latest_gates l USING (kind, scope, model_id)
    WHERE g.gate_id = :gate_id::text::uuid
""")

OVERRIDE = Query("""
    WITH permit AS (
        INSERT INTO deployment.gate_overrides (gate_id, reason, requested_by, approved_by, expires_at)
        VALUES (:gate_id::text::uuid, :reason, :requested_by, :approved_by, :expires_at)
        RETURNING override_id
    )
    SELECT override_id FROM permit
""")

DEPLOY_BY_OVERRIDE = Query("""
    INSERT INTO deployment.deployments
        (kind, scope, model_id, valid_from, valid_until, override_id, deployed_by, reason)
    SELECT g.kind, g.scope, g.model_id, clock_timestamp(), o.expires_at, o.override_id,
           o.requested_by, o.reason
    FROM deployment.gate_overrides o JOIN deployment.deployment_gates g USING (gate_id)
    WHERE o.override_id = :override_id
    RETURNING deployment_id, kind, scope, model_id, valid_from
""")

# The champion before the one in force, those that were rolled back left out. Where that one is
# itself the return to an earlier one, the champion before that. A symbol that never had another
# returns to the champion of all symbols.
ROLL_BACK = Query("""
    WITH in_force AS (
        SELECT c.model_id, coalesce(origin.valid_from, c.valid_from) AS since
        FROM deployment.champion_at(:kind, :scope, clock_timestamp()) c
        LEFT JOIN deployment.deployments origin ON origin.deployment_id = c.restores
    ), earlier AS (
        SELECT d.*, 1 AS turn FROM deployment.deployments d JOIN in_force f ON d.valid_from < f.since
        WHERE d.kind = :kind AND d.scope = :scope AND d.restores IS NULL
        UNION ALL
        SELECT w.*, 2 FROM deployment.champion_at(:kind, split_part(:scope, ':', 1), clock_timestamp()) w
        WHERE :scope LIKE '%:%'
    )
    INSERT INTO deployment.deployments
        (kind, scope, model_id, valid_from, valid_until, gate_id, override_id, restores, deployed_by, reason)
    SELECT d.kind, :scope, d.model_id, clock_timestamp(), d.valid_until, d.gate_id, d.override_id,
           d.deployment_id, :by, :reason
    FROM earlier d JOIN in_force f ON d.model_id <> f.model_id
    WHERE (d.valid_until IS NULL OR d.valid_until > clock_timestamp())
      AND d.model_id <> ALL(:barred)
    ORDER BY d.turn, d.valid_from DESC LIMIT 1
    RETURNING deployment_id, model_id, valid_from
""")

RETIRE = Query("""
    INSERT INTO deployment.deployments (kind, scope, valid_from, retires, deployed_by, reason)
    SELECT kind, scope, clock_timestamp(), deployment_id, :by, :reason
    FROM deployment.champion_at(:kind, :scope, clock_timestamp())
    RETURNING deployment_id, model_id, valid_from, retires
""")

JUDGED_SCOPES = Query("""
    SELECT DISTINCT horizon, symbol, scope FROM deployment.deployment_gates
    WHERE kind = :kind ORDER BY symbol NULLS FIRST, horizon
""")

# What was in force last where nothing is: a retirement, or an override that ended.
LAST_DEPLOYED = Query("""
    SELECT coalesce(d.model_id, ended.model_id) AS model_id, d.retires, d.valid_from, d.valid_until,
           d.deployed_by, d.reason
    FROM deployment.deployments d
    LEFT JOIN deployment.deployments ended ON ended.deployment_id = d.retires
    WHERE d.kind = :kind AND d.scope = :scope ORDER BY d.valid_from DESC LIMIT 1
""")

CHAMPIONS_AT = Query("""
    SELECT d.kind, d.scope, d.model_id, d.valid_from, d.valid_until, d.gate_id::text AS gate_id,
           d.override_id, d.deployed_by, d.reason
    FROM (SELECT DISTINCT kind, scope FROM deployment.deployments) scopes,
         LATERAL deployment.champion_at(scopes.kind, scopes.scope, :at) d
    ORDER BY d.kind, d.scope
""")

# Scopes whose champion was retired and has no successor.
RETIRED_AT = Query("""
    SELECT d.kind, d.scope, ended.model_id, d.valid_from, d.deployed_by, d.reason
    FROM (SELECT DISTINCT kind, scope FROM deployment.deployments) scopes,
         LATERAL deployment.in_force_at(scopes.kind, scopes.scope, :at) d
    JOIN deployment.deployments ended ON ended.deployment_id = d.retires
    ORDER BY d.kind, d.scope
""")

LATEST_GATES = Query("""
    SELECT gate_id::text AS gate_id, kind, scope, horizon, model_id, role, as_of_day, gate_status,
           failure_reasons, criteria::text AS criteria
    FROM deployment.v_latest_gates ORDER BY kind, horizon, role DESC, model_id
""")

GATES_UP_TO = Query("""
    SELECT kind, horizon, model_id, as_of_day, gate_status, failure_reasons FROM (
        SELECT DISTINCT ON (kind, horizon, model_id) * FROM deployment.deployment_gates
        WHERE symbol IS NULL AND as_of_day <= :last
        ORDER BY kind, horizon, model_id, as_of_day DESC) latest
    ORDER BY gate_status <> 'passed', kind, horizon, model_id
""")

GATE_COUNTS = Query("""
    SELECT as_of_day AS day, count(*) FILTER (WHERE gate_status = 'passed') AS passed,
           count(*) FILTER (WHERE gate_status = 'failed') AS failed,
           count(*) FILTER (WHERE gate_status = 'insufficient_evidence') AS insufficient_evidence
    FROM deployment.deployment_gates WHERE as_of_day BETWEEN :first AND :last GROUP BY 1 ORDER BY 1
""")

GATE = Query("""
    SELECT gate_id::text AS gate_id, kind, scope, model_id, as_of_day, gate_status, trial_count,
           psr, deflated_sharpe, failure_reasons, criteria::text AS criteria,
           thresholds::text AS thresholds, evaluated_at
    FROM deployment.deployment_gates
    WHERE gate_id::text LIKE :start || '%' LIMIT 2
""")

LATEST_TESTS = Query("""
    SELECT DISTINCT ON (kind, scope, treatment)
           kind, scope, control, treatment, as_of_day, status, n, n_live, e_value, e_against,
           threshold, conclusion
    FROM deployment.v_ab_tests ORDER BY kind, scope, treatment, as_of_day DESC, start_day DESC
""")

# Nothing happens while the latest change says what the settings say now.
CHANGE_THRESHOLDS = Query("""
    WITH latest AS (
        SELECT new_value FROM deployment.improvement_events
        WHERE event_type = 'threshold_change' ORDER BY event_id DESC LIMIT 1
    ), changed AS (
        INSERT INTO deployment.improvement_events (event_type, occurred_at, component_type, component_id,
            old_value, new_value, trigger_reason, automated)
        SELECT 'threshold_change', :at, 'gate', 'thresholds', (SELECT new_value FROM latest),
               :thresholds::text::jsonb, 'settings', true
        WHERE (SELECT new_value FROM latest) IS DISTINCT FROM :thresholds::text::jsonb
        RETURNING event_id
    )
    SELECT count(*) AS changed FROM changed
""")


CHAMPIONS = Query("""
    SELECT kind, scope, model_id, valid_from, valid_until FROM deployment.champions
    ORDER BY kind, scope
""")
