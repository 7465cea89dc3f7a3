"""Scores of model versions by market regime: what they are computed from, and the newest of them."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

REGIMES = Query("""
    SELECT trading_day, market_regime FROM market.market_conditions
    WHERE trading_day <= :last AND market_regime IS NOT NULL ORDER BY trading_day
""")

SCORED_MODELS = Query("""
    SELECT model_id FROM models.model_registry WHERE role <> 'baseline' ORDER BY model_id
""")

NEWEST_SCORES = Query("""
    SELECT model_id, evaluation, kind, horizon, regime, score, n, n_eff, skill, skill_low, skill_high
    FROM models.prediction_scores
    WHERE evaluated_through = (SELECT max(evaluated_through) FROM models.prediction_scores
                               WHERE evaluated_through <= :last)
    ORDER BY model_id, evaluation, kind, horizon, regime
""")

# Per day as in profiles: counts of reports and of what is wrong with them.
PREDICTION_SCORES = Query("""
    SELECT evaluated_through AS day, count(*) AS reports,
           count(*) FILTER (WHERE recorded_at < (evaluated_through + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
           count(*) FILTER (WHERE finite AND (
               abs(skill - (1 - mean_score / nullif(mean_score_baseline, 0))) > 1e-9
               OR skill NOT BETWEEN skill_low - 1e-9 AND skill_high + 1e-9 OR n_eff > n + 1e-6))
               AS inconsistent,
           count(*) FILTER (WHERE regime = 'all' AND of_regimes > n) AS unlike_all,
           count(*) FILTER (WHERE role IS DISTINCT FROM 'candidate') AS baselines
    FROM (
        SELECT s.*, role, market.is_finite(n_eff + mean_score + mean_score_baseline + coalesce(skill, 0)
                   + coalesce(skill_low, 0) + coalesce(skill_high, 0)) AS finite,
               sum(n) FILTER (WHERE regime <> 'all') OVER (
                   PARTITION BY evaluated_through, model_id, evaluation, kind, horizon) AS of_regimes
        FROM models.prediction_scores s LEFT JOIN models.model_registry m USING (model_id)
        WHERE evaluated_through BETWEEN :first AND :last
    ) r
    GROUP BY evaluated_through
""")
