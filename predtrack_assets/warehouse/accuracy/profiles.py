"""Per-day profiles of the accuracy tables, by the last day of the reported period.

As in profiles: statements over [first, last] that return `day` and counts.
"""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

# Days that have a result to report: something fell due on them and was validated by their end.
REPORTABLE = Query("""
    SELECT day, 1 AS reportable FROM unnest(:days::date[]) AS days (day)
    WHERE EXISTS (
        SELECT FROM forecasts.outcomes
        WHERE due_day = day AND status = 'validated' AND kind = ANY(:kinds)
          AND knowledge_time <= (day + 1)::timestamp AT TIME ZONE 'UTC')
""")

CALIBRATION_METRICS = Query("""
    SELECT period_end AS day, count(*) AS reports,
           count(*) FILTER (WHERE recorded_at < (period_end + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE period_start <> starts) AS wrong_period,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
           count(*) FILTER (WHERE finite AND (
               abs(actual_accuracy - accurate_count::float8 / nullif(prediction_count, 0)) > 1e-9
               OR abs(calibration_error - abs(expected_accuracy - actual_accuracy)) > 1e-9))
               AS inconsistent,
           count(*) FILTER (WHERE finite AND (bucket_high <> bucket_low + 10
               OR expected_accuracy NOT BETWEEN bucket_low / 100.0 - 1e-9 AND bucket_high / 100.0 + 1e-9))
               AS outside_bucket,
           count(*) FILTER (WHERE finite AND actual_accuracy NOT BETWEEN actual_low - 1e-9
                            AND actual_high + 1e-9) AS outside_interval
    FROM (
        SELECT *, accuracy.period_start(period, period_end) AS starts,
               market.is_finite(expected_accuracy + actual_accuracy + calibration_error
                   + coalesce(actual_low, 0) + coalesce(actual_high, 0)) AS finite
        FROM accuracy.calibration_metrics WHERE period_end BETWEEN :first AND :last
    ) r
    GROUP BY period_end
""")

# Buckets are counted from calibration_metrics.
CALIBRATION_SUMMARY = Query("""
    WITH buckets AS (
        SELECT period_end, period, model_id, kind, event, horizon, sum(prediction_count) AS counted
        FROM accuracy.calibration_metrics WHERE period_end BETWEEN :first AND :last
        GROUP BY period_end, period, model_id, kind, event, horizon
    )
    SELECT period_end AS day, count(*) AS reports,
           count(*) FILTER (WHERE recorded_at < (period_end + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE period_start <> starts) AS wrong_period,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
           count(*) FILTER (WHERE n IS DISTINCT FROM coalesce(counted, 0)) AS unlike_buckets,
           count(*) FILTER (WHERE n > due OR n + expired > due) AS more_than_due,
           count(*) FILTER (WHERE finite AND (
               event_rate NOT BETWEEN event_low - 1e-9 AND event_high + 1e-9
               OR accuracy_rate NOT BETWEEN accuracy_low - 1e-9 AND accuracy_high + 1e-9
               OR n_eff > n + 1e-6)) AS outside_interval,
           count(*) FILTER (WHERE finite AND abs(
               brier - (miscalibration - discrimination + uncertainty)) > 1e-9) AS unlike_brier,
           count(*) FILTER (WHERE model_name = 'no_change' AND finite AND abs(skill_vs_no_change) > 1e-9)
               AS skilful_no_change
    FROM (
        SELECT c.*, m.model_name,
               accuracy.period_start(period, period_end) AS starts,
               market.is_finite(coalesce(n_eff, 0) + coalesce(coverage, 0) + coalesce(event_rate, 0)
                   + coalesce(event_low, 0) + coalesce(event_high, 0) + coalesce(accuracy_rate, 0)
                   + coalesce(accuracy_low, 0) + coalesce(accuracy_high, 0) + coalesce(mean_confidence, 0)
                   + coalesce(ece, 0) + coalesce(ece_equal_mass, 0) + coalesce(squared_calibration_error, 0)
                   + coalesce(miscalibration, 0) + coalesce(discrimination, 0) + coalesce(uncertainty, 0)
                   + coalesce(consistency_p_value, 0) + coalesce(rms_calibration_error, 0)
                   + coalesce(rms_calibration_upper, 0) + coalesce(brier, 0) + coalesce(brier_no_change, 0)
                   + coalesce(brier_climatology, 0) + coalesce(skill_vs_no_change, 0)
                   + coalesce(skill_vs_climatology, 0) + coalesce(crps, 0) + coalesce(crps_no_change, 0)
                   + coalesce(crps_skill, 0)) AS finite
        FROM accuracy.calibration_summary c LEFT JOIN models.model_registry m USING (model_id)
        WHERE period_end BETWEEN :first AND :last
    ) r
    LEFT JOIN buckets USING (period_end, period, model_id, kind, event, horizon)
    GROUP BY period_end
""")

SYMBOL_ACCURACY = Query("""
    SELECT period_end AS day, count(*) AS reports,
           count(*) FILTER (WHERE recorded_at < (period_end + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE period_start <> starts) AS wrong_period,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
           count(*) FILTER (WHERE finite AND (accurate_predictions > total_predictions
               OR abs(accuracy_rate - accurate_predictions::float8 / nullif(total_predictions, 0)) > 1e-9))
               AS inconsistent,
           count(*) FILTER (WHERE finite AND (
               posterior_mean NOT BETWEEN posterior_low - 1e-9 AND posterior_high + 1e-9
               OR n_eff > total_predictions + 1e-6)) AS outside_interval,
           count(*) FILTER (WHERE finite AND (buy_count + sell_count + hold_count <> total_predictions
               OR abs(buy_accuracy - buy_right::float8 / nullif(buy_count, 0)) > 1e-9
               OR abs(sell_accuracy - sell_right::float8 / nullif(sell_count, 0)) > 1e-9
               OR abs(hold_accuracy - hold_right::float8 / nullif(hold_count, 0)) > 1e-9)) AS miscounted,
           count(*) FILTER (WHERE NOT registered) AS unregistered
    FROM (
        SELECT a.*, accuracy.period_start(period, period_end) AS starts,
               EXISTS (SELECT FROM market.symbols s WHERE s.symbol = a.symbol) AS registered,
               market.is_finite(accuracy_rate + n_eff + posterior_mean + posterior_low + posterior_high
                   + p_below_threshold + coalesce(avg_error_magnitude, 0) + avg_confidence
                   + coalesce(buy_low + buy_high, 0) + coalesce(sell_low + sell_high, 0)
                   + coalesce(hold_low + hold_high, 0)) AS finite
        FROM accuracy.symbol_accuracy a WHERE period_end BETWEEN :first AND :last
    ) r
    GROUP BY period_end
""")

ERROR_DISTRIBUTION = Query("""
    SELECT period_end AS day, count(*) AS reports,
           count(*) FILTER (WHERE recorded_at < (period_end + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE period_start <> starts) AS wrong_period,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
           count(*) FILTER (WHERE finite AND (p10_error > p25_error OR p25_error > p50_error
               OR p50_error > p75_error OR p75_error > p90_error OR abs_p10 > abs_p25
               OR abs_p25 > abs_p50 OR abs_p50 > abs_p75 OR abs_p75 > abs_p90)) AS disordered,
           count(*) FILTER (WHERE finite AND (abs_p10 < 0 OR std_error < 0
               OR outlier_count NOT BETWEEN 0 AND sample_size
               OR outlier_count_mad NOT BETWEEN 0 AND sample_size)) AS impossible
    FROM (
        SELECT *, accuracy.period_start(period, period_end) AS starts,
               market.is_finite(p10_error + p25_error + p50_error + p75_error + p90_error
                   + abs_p10 + abs_p25 + abs_p50 + abs_p75 + abs_p90 + mean_error
                   + coalesce(std_error, 0) + coalesce(skewness, 0)) AS finite
        FROM accuracy.error_distribution WHERE period_end BETWEEN :first AND :last
    ) r
    GROUP BY period_end
""")

# The model `climatology` is not the base rate that the baseline of that name is.
PERFORMANCE_ANALYTICS = Query("""
    SELECT period_end AS day, count(*) AS reports,
           count(*) FILTER (WHERE recorded_at < (period_end + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE period_start <> starts) AS wrong_period,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
           count(*) FILTER (WHERE finite AND (
               abs(skill - (1 - mean_score / nullif(mean_score_baseline, 0))) > 1e-9
               OR abs(mean_difference - (mean_score_baseline - mean_score)) > 1e-9)) AS inconsistent,
           count(*) FILTER (WHERE finite AND (
               mean_difference NOT BETWEEN difference_low - 1e-9 AND difference_high + 1e-9
               OR n_eff > n + 1e-6)) AS outside_interval,
           count(*) FILTER (WHERE dm_p_value IS NOT NULL AND dates < 11.5 * horizon) AS unfounded_tests,
           count(*) FILTER (WHERE finite AND model_id = baseline AND baseline <> 'climatology'
                            AND abs(skill) > 1e-9) AS skilful_baselines
    FROM (
        SELECT *, accuracy.period_start(period, period_end) AS starts,
               market.is_finite(n_eff + mean_score + mean_score_baseline + coalesce(skill, 0)
                   + mean_difference + coalesce(difference_low, 0) + coalesce(difference_high, 0)
                   + coalesce(dm_statistic, 0) + coalesce(dm_p_value, 0)) AS finite
        FROM accuracy.performance_analytics WHERE period_end BETWEEN :first AND :last
    ) r
    GROUP BY period_end
""")

# What is still due of the last 30 days, beside what the other reports say of the same.
COVERAGE = Query("""
    SELECT c.period_end AS day, count(*) AS reports,
           count(*) FILTER (WHERE c.recorded_at < (c.period_end + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE c.period_start <> accuracy.period_start(c.period, c.period_end))
               AS wrong_period,
           count(*) FILTER (WHERE NOT market.is_finite(c.coverage)) AS non_finite,
           count(*) FILTER (WHERE c.due <> c.validated + c.expired + c.pending
               OR abs(c.coverage - c.validated::float8 / nullif(c.due, 0)) > 1e-9) AS inconsistent,
           count(*) FILTER (WHERE s.due <> c.due OR s.n <> c.validated OR s.expired <> c.expired)
               AS unlike_summary,
           coalesce(sum(c.due) FILTER (WHERE c.period = 'rolling_30d'), 0)::bigint AS due_30d,
           coalesce(sum(c.due - c.validated) FILTER (WHERE c.period = 'rolling_30d'), 0)::bigint
               AS lacking_30d
    FROM accuracy.coverage c
    LEFT JOIN accuracy.calibration_summary s
        ON (s.period_end, s.period, s.model_id, s.kind, s.horizon)
         = (c.period_end, c.period, c.model_id, c.kind, c.horizon)
    WHERE c.period_end BETWEEN :first AND :last
    GROUP BY c.period_end
""")

SURVIVAL_CURVES = Query("""
    SELECT period_end AS day, count(*) AS reports,
           count(*) FILTER (WHERE recorded_at < (period_end + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE period_start <> accuracy.period_start(period, period_end)) AS wrong_period,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
           count(*) FILTER (WHERE follows AND at_risk <> left_over) AS inconsistent,
           count(*) FILTER (WHERE finite AND follows AND (survival > before + 1e-9
               OR baseline_survival > baseline_before + 1e-9)) AS rising,
           count(*) FILTER (WHERE finite AND (n_eff > n + 1e-6
               OR survival NOT BETWEEN survival_low - 1e-9 AND survival_high + 1e-9)) AS outside_interval
    FROM (
        SELECT *, lag(session) OVER curve = session - 1 AS follows,
               lag(at_risk - hits - censored) OVER curve AS left_over, lag(survival) OVER curve AS before,
               lag(baseline_survival) OVER curve AS baseline_before,
               market.is_finite(n_eff + coalesce(survival, 0) + coalesce(survival_low, 0)
                   + coalesce(survival_high, 0) + coalesce(predicted_survival, 0)
                   + baseline_survival) AS finite
        FROM accuracy.survival_curves WHERE period_end BETWEEN :first AND :last
        WINDOW curve AS (PARTITION BY period_end, period, model_id, horizon ORDER BY session)
    ) r
    GROUP BY period_end
""")

# Days on which a touch was predicted: their windows have a curve.
TOUCH_PREDICTED = Query("""
    SELECT day, 1 AS reportable FROM unnest(:days::date[]) AS days (day)
    WHERE EXISTS (SELECT FROM forecasts.predictions WHERE trading_day = day AND kind = 'time_to_hit'
                  AND horizon_unit = 'session')
""")
