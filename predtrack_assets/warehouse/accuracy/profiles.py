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

# The model `climatology` is not the base rate that the baseline of that name is.
DAY_SUMS = Query("""
    SELECT known_day AS day, count(*) AS reports,
           count(*) FILTER (WHERE recorded_at < (known_day + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE NOT market.is_finite(coalesce(confidence + residual + squared_residual, 0)
               + coalesce(brier_no_change_loss + brier_no_change_squares, 0)
               + coalesce(crps_no_change_loss + crps_no_change_squares, 0)
               + coalesce(qlike_no_change_loss + qlike_no_change_squares, 0)
               + coalesce(error + error_squares + error_cubes, 0))) AS non_finite,
           count(*) FILTER (WHERE validated + expired > due OR (kind <> 'volatility'
               AND validated <> coalesce(scored, 0))) AS miscounted,
           count(*) FILTER (WHERE scored <> bucket_n OR hits <> bucket_hits
               OR abs(confidence - bucket_confidence) > 1e-9 * scored
               OR abs(residual - (hits - confidence)) > 1e-9 * scored) AS unlike_buckets,
           count(*) FILTER (WHERE model_id = 'no_change' AND (
               brier_no_change_loss <> brier_no_change_loss_baseline
               OR crps_no_change_loss <> crps_no_change_loss_baseline
               OR qlike_no_change_loss <> qlike_no_change_loss_baseline)
               OR model_id = 'drift' AND crps_drift_loss <> crps_drift_loss_baseline)
               AS skilful_baselines
    FROM (SELECT * FROM accuracy.day_sums WHERE known_day BETWEEN :first AND :last) s
    CROSS JOIN LATERAL (
        SELECT sum(n) AS bucket_n, sum(hits) AS bucket_hits, sum(confidence) AS bucket_confidence
        FROM (VALUES
            (bucket_0_n, bucket_0_hits, bucket_0_confidence),
            (bucket_1_n, bucket_1_hits, bucket_1_confidence),
            (bucket_2_n, bucket_2_hits, bucket_2_confidence),
            (bucket_3_n, bucket_3_hits, bucket_3_confidence),
            (bucket_4_n, bucket_4_hits, bucket_4_confidence),
            (bucket_5_n, bucket_5_hits, bucket_5_confidence),
            (bucket_6_n, bucket_6_hits, bucket_6_confidence),
            (bucket_7_n, bucket_7_hits, bucket_7_confidence),
            (bucket_8_n, bucket_8_hits, bucket_8_confidence),
            (bucket_9_n, bucket_9_hits, bucket_9_confidence)
        ) AS b (n, hits, confidence)
    ) buckets
    GROUP BY known_day
""")

CALIBRATION_SUMMARY = Query("""
    SELECT period_end AS day, count(*) AS reports,
           count(*) FILTER (WHERE recorded_at < (period_end + 1)::timestamp AT TIME ZONE 'UTC')
               AS look_ahead,
           count(*) FILTER (WHERE period_start <> starts) AS wrong_period,
           count(*) FILTER (WHERE NOT finite) AS non_finite,
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
