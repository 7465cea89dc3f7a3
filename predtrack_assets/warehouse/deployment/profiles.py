"""Per-day profiles of gates, A/B tests and deployments, as in profiles."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

# Days by whose end some outcome of a gated horizon was known.
JUDGEABLE = Query("""
    SELECT day, 1 AS judgeable FROM unnest(:days::date[]) AS days (day)
    WHERE EXISTS (
        SELECT FROM forecasts.outcomes
        WHERE due_day BETWEEN day - 6 AND day AND status = 'validated'
          AND kind = ANY(ARRAY['price', 'direction']) AND horizon = ANY(:horizons)
          AND knowledge_time <= (day + 1)::timestamp AT TIME ZONE 'UTC')
""")

GATES = Query("""
    SELECT as_of_day AS day, count(*) AS gates,
           count(*) FILTER (WHERE evaluated_at < (as_of_day + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE NOT market.is_finite(coalesce(accuracy, 0) + coalesce(skill, 0)
               + coalesce(market_outperformance, 0) + coalesce(sharpe_ratio, 0)
               + coalesce(max_drawdown, 0) + coalesce(calibration_error, 0))) AS non_finite,
           count(*) FILTER (WHERE (gate_status = 'passed') IS DISTINCT FROM (
               SELECT count(*) >= 6 AND bool_and(c.value ->> 'status' = 'passed')
               FROM jsonb_each(criteria) c))
               AS wrongly_passed,
           count(*) FILTER (WHERE cardinality(failure_reasons) <> (
               SELECT count(*) FROM jsonb_each(criteria) c WHERE c.value ->> 'status' <> 'passed'))
               AS unexplained
    FROM deployment.deployment_gates WHERE as_of_day BETWEEN :first AND :last
    GROUP BY as_of_day
""")

AB_TESTS = Query("""
    SELECT as_of_day AS day, count(*) AS tests,
           count(*) FILTER (WHERE recorded_at < (as_of_day + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE NOT market.is_finite(e_value + e_against
                            + coalesce(mean_difference, 0))) AS non_finite,
           count(*) FILTER (WHERE market.is_finite(e_value + e_against) AND (
               (status IN ('promoted', 'rollback')) <> (e_value >= threshold)
               OR (status = 'rejected') <> (e_against >= 20 AND e_value < threshold))) AS misjudged,
           count(*) FILTER (WHERE control = treatment) AS same_model
    FROM deployment.ab_tests WHERE as_of_day BETWEEN :first AND :last
    GROUP BY as_of_day
""")

DEPLOYMENTS = Query("""
    SELECT d.valid_day AS day, count(*) AS deployments,
           count(*) FILTER (WHERE d.recorded_at < d.valid_from) AS look_ahead,
           count(*) FILTER (WHERE NOT coalesce(
               CASE WHEN d.retires IS NOT NULL THEN true
                    WHEN d.override_id IS NULL THEN g.gate_status = 'passed'
                    ELSE o.expires_at > d.valid_from END, false)) AS unpermitted,
           count(*) FILTER (WHERE m.role = 'baseline') AS baselines
    FROM deployment.deployments d
    LEFT JOIN deployment.deployment_gates g USING (gate_id)
    LEFT JOIN deployment.gate_overrides o ON o.override_id = d.override_id
    LEFT JOIN models.model_registry m ON m.model_id = d.model_id
    WHERE d.valid_day BETWEEN :first AND :last
    GROUP BY d.valid_day
""")
