"""Per-day profile of accuracy by market regime, by the last day of the reported period.

As in profiles: statements over [first, last] that return `day` and counts.
"""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

# Days that have a call to report on: due on them, validated by their end, made in a known regime.
REPORTABLE = Query("""
    SELECT day, 1 AS reportable FROM unnest(:days::date[]) AS days (day)
    WHERE EXISTS (
        SELECT FROM forecasts.outcomes JOIN market.market_conditions USING (trading_day)
        WHERE due_day = day AND status = 'validated' AND event IS NOT NULL
          AND knowledge_time <= (day + 1)::timestamp AT TIME ZONE 'UTC')
""")

ACCURACY_CORRELATION = Query("""
    SELECT period_end AS day, count(*) AS reports,
           count(*) FILTER (WHERE recorded_at < (period_end + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE period_start <> starts) AS wrong_period,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
           count(*) FILTER (WHERE finite AND (
               abs(outperformance - (accuracy_rate - baseline_accuracy)) > 1e-9
               OR abs(t_statistic - outperformance / nullif(standard_error, 0)) > 1e-6
               OR sign(correlation_coefficient) <> sign(outperformance))) AS inconsistent,
           count(*) FILTER (WHERE finite AND (
               accuracy_rate NOT BETWEEN accuracy_low - 1e-9 AND accuracy_high + 1e-9
               OR n_eff > sample_size + 1e-6)) AS outside_interval,
           count(*) FILTER (WHERE p_value IS NOT NULL
                            AND (degrees_of_freedom < 9 OR least(dates, baseline_dates) < 10))
               AS unfounded_tests,
           count(*) FILTER (WHERE sample_size + baseline_sample_size <> most) AS unlike_others
    FROM (
        SELECT *, CASE period WHEN 'monthly' THEN date_trunc('month', period_end)::date
               ELSE period_end - 364 END AS starts,
               max(sample_size + baseline_sample_size) OVER (
                   PARTITION BY period_end, period, model_id, kind, event, horizon) AS most,
               market.is_finite(n_eff + accuracy_rate + accuracy_low + accuracy_high
                   + coalesce(baseline_accuracy, 0) + coalesce(outperformance, 0)
                   + coalesce(correlation_coefficient, 0) + coalesce(standard_error, 0)
                   + coalesce(t_statistic, 0) + coalesce(p_value, 0)) AS finite
        FROM accuracy.accuracy_correlation WHERE period_end BETWEEN :first AND :last
    ) r
    GROUP BY period_end
""")
