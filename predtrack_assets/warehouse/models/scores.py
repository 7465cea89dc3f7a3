"""Scores of model versions by market regime: what they are computed from, and the newest of them."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

REGIMES = Query("""
    SELECT trading_day, market_regime FROM market.market_conditions
    WHERE trading_day <= :last AND market_regime IS NOT NULL ORDER BY trading_day
""")

# Losses of models that are no baseline, by the proper score of each kind, of what fell due in
# [first, last] and was known at as_of, added up per due day and regime of the decision day. Sums are
# exact, whatever the order of rows.
LOSSES = Query("""
    WITH live AS MATERIALIZED (
        SELECT trading_day, symbol, model_id, kind, horizon FROM forecasts.predictions
        WHERE due_day BETWEEN :first AND :last AND origin = 'live'
          AND horizon_unit = 'session'
    ), known AS (
        SELECT DISTINCT ON (trading_day, symbol, model_id, kind, horizon)
               trading_day, symbol, model_id, kind, horizon, due_day, status,
               CASE kind WHEN 'price' THEN crps WHEN 'volatility' THEN qlike ELSE score END AS loss,
               CASE kind WHEN 'price' THEN crps_no_change WHEN 'volatility' THEN qlike_no_change
                    ELSE score_no_change END AS baseline
        FROM forecasts.outcomes
        WHERE due_day BETWEEN :first AND :last AND knowledge_time <= :as_of
          AND horizon_unit = 'session'
          AND model_id IN (SELECT model_id FROM models.model_registry WHERE role <> 'baseline')
        ORDER BY trading_day DESC, symbol DESC, model_id DESC, kind DESC, horizon DESC,
                 knowledge_time DESC
    )
    SELECT k.model_id, CASE WHEN l.symbol IS NULL THEN 'holdout' ELSE 'live' END AS evaluation,
           k.kind, k.horizon, k.due_day, c.market_regime AS regime, count(*)::float8 AS n,
           sum(k.loss::numeric)::float8 AS loss, sum(k.baseline::numeric)::float8 AS baseline,
           sum((k.baseline - k.loss)::numeric)::float8 AS gain,
           sum(((k.baseline - k.loss) * (k.baseline - k.loss))::numeric)::float8 AS squares
    FROM known k
    LEFT JOIN live l USING (trading_day, symbol, model_id, kind, horizon)
    LEFT JOIN market.market_conditions c USING (trading_day)
    WHERE k.status = 'validated' AND k.loss + k.baseline IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6
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
