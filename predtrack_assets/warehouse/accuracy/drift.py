"""What drift is measured on, and which alerts were raised before."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

CANDIDATES = Query("""
    SELECT model_id FROM models.model_registry WHERE role = 'candidate' ORDER BY model_id
""")

# Predictions of a model per symbol and day, as one number: a median in units of sigma sqrt(h), a
# probability, a volatility.
PREDICTED = Query("""
    SELECT trading_day, kind, horizon,
           CASE kind WHEN 'price' THEN q50 / (sigma * sqrt(horizon))
                     WHEN 'volatility' THEN predicted_volatility ELSE confidence END AS value
    FROM forecasts.predictions
    WHERE model_id = :model_id AND trading_day BETWEEN :first AND :last
      AND horizon_unit = 'session'
""")

# Exact sums, whatever the order of the rows: probabilities in units of 1e-9.
OPEN = Query("""
    SELECT model_id, kind, horizon, trading_day, due_day,
           least(floor(confidence * 10), 9)::smallint AS bucket, count(*) AS n,
           sum(round(confidence * 1e9)::bigint)::bigint AS confidence,
           sum(round(confidence * confidence * 1e9)::bigint)::bigint AS squared
    FROM forecasts.predictions
    WHERE trading_day BETWEEN :first AND :last AND due_day > :open_on AND confidence IS NOT NULL
      AND model_id = ANY(:models) AND horizon_unit = 'session'
    GROUP BY model_id, kind, horizon, trading_day, due_day, bucket
    ORDER BY trading_day
""")

DRIFTED = Query("""
    SELECT subject, name, model_id, kind, horizon, as_of_day, statistic, value, critical_value,
           p_value, p_adjusted
    FROM accuracy.drift_metrics
    WHERE drifted AND as_of_day BETWEEN :first AND :last AND statistic = ANY(:decisive)
""")

ALERTS_RAISED = Query("""
    SELECT DISTINCT ON (subject, name, model_id, kind, horizon, as_of_day)
           subject, name, model_id, kind, horizon, as_of_day, event
    FROM accuracy.drift_alerts WHERE as_of_day <= :last
    ORDER BY subject, name, model_id, kind, horizon, as_of_day, drift_alert_id DESC
""")

OPEN_ALERTS = Query("""
    SELECT subject, name, model_id, kind, horizon, severity, statistic, value, critical_value,
           opened_on, last_seen
    FROM accuracy.drift_alerts_at(:day) WHERE closed_on IS NULL
    ORDER BY severity, subject, name, model_id, kind, horizon
""")

# -- plots ---------------------------------------------------------------------------------------

LATEST = Query("""
    SELECT name, value, critical_value, p_adjusted, drifted FROM accuracy.drift_metrics
    WHERE subject = 'feature' AND statistic = 'psi' AND as_of_day = (
        SELECT max(as_of_day) FROM accuracy.drift_metrics
        WHERE as_of_day BETWEEN :first AND :last)
    ORDER BY value DESC, name
""")

EVIDENCE = Query("""
    SELECT as_of_day, model_id, kind, value, critical_value FROM accuracy.drift_metrics
    WHERE statistic = 'e_value' AND horizon = :horizon AND as_of_day BETWEEN :first AND :last
    ORDER BY model_id, kind, as_of_day
""")

# -- checks --------------------------------------------------------------------------------------

PROFILE = Query("""
    SELECT as_of_day AS day, count(*) AS metrics,
           count(*) FILTER (WHERE recorded_at < (as_of_day + 1)::timestamp AT TIME ZONE 'UTC'
                            OR current_end > as_of_day OR reference_end > as_of_day) AS look_ahead,
           count(*) FILTER (WHERE NOT market.is_finite(value + coalesce(critical_value, 0)
                            + coalesce(p_value, 0) + coalesce(p_adjusted, 0))) AS non_finite,
           count(*) FILTER (WHERE subject <> 'performance' AND reference_end >= current_start)
               AS overlapping,
           count(*) FILTER (WHERE is_estimate AND drifted) AS deciding_estimates
    FROM accuracy.drift_metrics WHERE as_of_day BETWEEN :first AND :last
    GROUP BY as_of_day
""")

MEASURABLE = Query("""
    SELECT day, 1 AS measurable FROM unnest(:days::date[]) AS days (day)
    WHERE EXISTS (SELECT FROM features.feature_store WHERE trading_day BETWEEN day - 6 AND day)
      AND EXISTS (SELECT FROM features.feature_store
                  WHERE trading_day BETWEEN day - :reach::int - 30 AND day - :reach::int)
""")
