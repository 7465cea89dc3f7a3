-- The newest reports, and document A's functions.

CREATE FUNCTION accuracy.period_start(period text, period_end date) RETURNS date
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE period
        WHEN 'daily' THEN period_end
        WHEN 'weekly' THEN date_trunc('week', period_end::timestamp)::date
        WHEN 'rolling_30d' THEN period_end - 29
        WHEN 'monthly' THEN date_trunc('month', period_end::timestamp)::date
        WHEN 'quarterly' THEN date_trunc('quarter', period_end::timestamp)::date
        WHEN 'yearly' THEN date_trunc('year', period_end::timestamp)::date
    END
$$;
COMMENT ON FUNCTION accuracy.period_start IS 'First day of the period that ends on a day; weeks are ISO weeks.';

-- Blocks of a twelfth of the window, up to 63 dates: rows depend on each other beyond the overlap of their outcomes.
CREATE FUNCTION accuracy.effective_sample_size(hits bigint[], counts bigint[], horizon integer)
RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    WITH dates AS (
        SELECT k, hit::float8 AS hit, rows::float8 AS rows
        FROM unnest(hits, counts) WITH ORDINALITY AS d (hit, rows, k)
    ), totals AS (
        SELECT sum(hit) AS s, sum(rows) AS n, count(*)::float8 AS t, greatest(horizon, 1)::float8 AS h,
               greatest(horizon, least(63, count(*) / 12), 1)::float8 AS b FROM dates
    ), deviations AS (
        SELECT k, hit - s / n * rows AS u FROM dates, totals
    ), lags AS (
        SELECT lag, (1 - lag / t) * power(1 - 1 / b, lag) + lag / t * power(1 - 1 / b, t - lag) AS weight,
               greatest(1 - lag / h, 0) * (t - lag) AS overlap, CASE WHEN lag > 0 THEN 2 ELSE 1 END AS times,
               (SELECT sum(a.u * b.u) FROM deviations a JOIN deviations b ON b.k = a.k + lag) AS product
        FROM totals, generate_series(0, t::integer - 1) AS lag
    ), variances AS (
        SELECT s - s / n * s AS iid, sum(times * weight * product) AS block, sum(times * overlap) AS expected,
               sum(times * weight * overlap) - sum(weight) * sum(times * overlap) / t AS seen, n, t, h
        FROM lags, totals GROUP BY s, n, t, h
    ), sizes AS (
        SELECT n, n / least(h, t) AS most, CASE
                   WHEN iid <= 1e-12 * n OR t < 2 THEN t / h
                   ELSE iid * n * n / (n - 1) / nullif(greatest(block * expected / seen, 0), 0)
               END AS size
        FROM variances
    )
    SELECT coalesce((SELECT least(greatest(coalesce(size, most), 1), most) FROM sizes), 0)
$$;
COMMENT ON FUNCTION accuracy.effective_sample_size IS 'n_eff of a rate from hits and rows per due day, in order: closed form of the stationary block bootstrap, as in the stored reports.';

-- Calibration is judged on the effective size of its residuals y - p, as in the stored reports.
CREATE FUNCTION accuracy.effective_sample_size(
    sums double precision[], counts bigint[], horizon integer, squares double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    WITH dates AS (
        SELECT k, total, rows::float8 AS rows
        FROM unnest(sums, counts) WITH ORDINALITY AS d (total, rows, k)
    ), totals AS (
        SELECT sum(total) AS s, sum(rows) AS n, count(*)::float8 AS t, greatest(horizon, 1)::float8 AS h,
               greatest(horizon, least(63, count(*) / 12), 1)::float8 AS b FROM dates
    ), deviations AS (
        SELECT k, total - s / n * rows AS u FROM dates, totals
    ), lags AS (
        SELECT lag, (1 - lag / t) * power(1 - 1 / b, lag) + lag / t * power(1 - 1 / b, t - lag) AS weight,
               greatest(1 - lag / h, 0) * (t - lag) AS overlap, CASE WHEN lag > 0 THEN 2 ELSE 1 END AS times,
               (SELECT sum(a.u * b.u) FROM deviations a JOIN deviations b ON b.k = a.k + lag) AS product
        FROM totals, generate_series(0, t::integer - 1) AS lag
    ), variances AS (
        SELECT greatest(squares - s / n * s, 0) AS iid, sum(times * weight * product) AS block, sum(times * overlap) AS expected,
               sum(times * weight * overlap) - sum(weight) * sum(times * overlap) / t AS seen, n, t, h
        FROM lags, totals GROUP BY s, n, t, h
    ), sizes AS (
        SELECT n, n / least(h, t) AS most, CASE
                   WHEN iid <= 1e-12 * squares OR t < 2 THEN t / h
                   ELSE iid * n * n / (n - 1) / nullif(greatest(block * expected / seen, 0), 0)
               END AS size
        FROM variances
    )
    SELECT coalesce((SELECT least(greatest(coalesce(size, most), 1), most) FROM sizes), 0)
$$;
COMMENT ON FUNCTION accuracy.effective_sample_size(double precision[], bigint[], integer, double precision) IS 'n_eff of a mean from sums and rows per due day, in order, and the sum of the squared values: closed form of the stationary block bootstrap, as in the stored reports.';

CREATE VIEW accuracy.day_sums_current AS
    SELECT DISTINCT ON (model_id, kind, horizon, due_day, market_regime, origin) *
    FROM accuracy.day_sums
    ORDER BY model_id DESC, kind DESC, horizon DESC, due_day DESC, market_regime DESC, origin DESC, known_day DESC;
COMMENT ON VIEW accuracy.day_sums_current IS 'Sums of each due day as they are known now.';

CREATE VIEW accuracy.day_buckets AS
    SELECT model_id, kind, event, horizon, due_day, market_regime, origin, b.*
    FROM accuracy.day_sums_current CROSS JOIN LATERAL (VALUES
        (0, bucket_0_n, bucket_0_hits, bucket_0_confidence),
        (10, bucket_1_n, bucket_1_hits, bucket_1_confidence),
        (20, bucket_2_n, bucket_2_hits, bucket_2_confidence),
        (30, bucket_3_n, bucket_3_hits, bucket_3_confidence),
        (40, bucket_4_n, bucket_4_hits, bucket_4_confidence),
        (50, bucket_5_n, bucket_5_hits, bucket_5_confidence),
        (60, bucket_6_n, bucket_6_hits, bucket_6_confidence),
        (70, bucket_7_n, bucket_7_hits, bucket_7_confidence),
        (80, bucket_8_n, bucket_8_hits, bucket_8_confidence),
        (90, bucket_9_n, bucket_9_hits, bucket_9_confidence)
    ) AS b (bucket_low, n, hits, confidence) WHERE b.n > 0;
COMMENT ON VIEW accuracy.day_buckets IS 'Rows, hits and summed confidence of each due day per bucket of ten points of confidence.';

CREATE VIEW accuracy.day_losses AS
    SELECT model_id, kind, event, horizon, due_day, market_regime, origin, c.*
    FROM accuracy.day_sums_current CROSS JOIN LATERAL (VALUES
        ('brier', 'no_change', brier_no_change_n, brier_no_change_loss,
         brier_no_change_loss_baseline),
        ('brier', 'climatology', brier_climatology_n, brier_climatology_loss,
         brier_climatology_loss_baseline),
        ('brier', 'drift', brier_drift_n, brier_drift_loss,
         brier_drift_loss_baseline),
        ('log_score', 'no_change', log_score_no_change_n, log_score_no_change_loss,
         log_score_no_change_loss_baseline),
        ('log_score', 'climatology', log_score_climatology_n, log_score_climatology_loss,
         log_score_climatology_loss_baseline),
        ('log_score', 'drift', log_score_drift_n, log_score_drift_loss,
         log_score_drift_loss_baseline),
        ('crps', 'no_change', crps_no_change_n, crps_no_change_loss,
         crps_no_change_loss_baseline),
        ('crps', 'drift', crps_drift_n, crps_drift_loss,
         crps_drift_loss_baseline),
        ('qlike', 'no_change', qlike_no_change_n, qlike_no_change_loss,
         qlike_no_change_loss_baseline)
    ) AS c (score, baseline, n, loss, loss_baseline) WHERE c.n > 0;
COMMENT ON VIEW accuracy.day_losses IS 'Rows and summed losses of each due day per score and baseline, of the rows that have both.';

CREATE VIEW accuracy.calibration_metrics AS
    SELECT model_id, kind, event, horizon, 'monthly' AS period, month AS period_start, max(due_day) AS period_end,
           concat(bucket_low, '-', bucket_low + 10) AS confidence_bucket, bucket_low, bucket_low + 10 AS bucket_high,
           sum(n) AS prediction_count, sum(hits) AS accurate_count, sum(confidence) / sum(n) AS expected_accuracy,
           sum(hits)::float8 / sum(n) AS actual_accuracy, abs(sum(confidence) - sum(hits)) / sum(n) AS calibration_error
    FROM (SELECT *, date_trunc('month', due_day::timestamp)::date AS month FROM accuracy.day_buckets) b
    GROUP BY model_id, kind, event, horizon, month, bucket_low;
COMMENT ON VIEW accuracy.calibration_metrics IS 'Reliability per confidence bucket and month: mean confidence against the rate of hits.';

CREATE VIEW accuracy.coverage AS
    SELECT model_id, kind, horizon, 'monthly' AS period, month AS period_start, max(due_day) AS period_end, sum(due) AS due,
           sum(validated) AS validated, sum(expired) AS expired, sum(due - validated - expired) AS pending,
           sum(validated)::float8 / nullif(sum(due), 0) AS coverage
    FROM (SELECT *, date_trunc('month', due_day::timestamp)::date AS month FROM accuracy.day_sums_current) s
    GROUP BY model_id, kind, horizon, month;
COMMENT ON VIEW accuracy.coverage IS 'Share of due predictions that were validated, by month.';
COMMENT ON COLUMN accuracy.coverage.pending IS 'Due, and neither a price nor the time to expire has come.';

CREATE VIEW accuracy.performance_analytics AS
    SELECT model_id, kind, horizon, score, baseline, 'monthly' AS period, month AS period_start, max(due_day) AS period_end,
           sum(n) AS n, count(DISTINCT due_day) AS dates, sum(loss) / sum(n) AS mean_score,
           sum(loss_baseline) / sum(n) AS mean_score_baseline, 1 - sum(loss) / nullif(sum(loss_baseline), 0) AS skill,
           (sum(loss_baseline) - sum(loss)) / sum(n) AS mean_difference
    FROM (SELECT *, date_trunc('month', due_day::timestamp)::date AS month FROM accuracy.day_losses) c
    GROUP BY model_id, kind, horizon, score, baseline, month;
COMMENT ON VIEW accuracy.performance_analytics IS 'Mean scores beside each baseline on the same rows, by month; intervals and tests: services/accuracy.';
COMMENT ON COLUMN accuracy.performance_analytics.mean_score IS 'Lower is better, whichever the score.';
COMMENT ON COLUMN accuracy.performance_analytics.mean_difference IS 'Baseline minus model: positive where the model is better.';

CREATE FUNCTION accuracy.proper_losses(first date, last date, known_at timestamptz)
RETURNS TABLE (trading_day date, symbol text, model_id text, kind text, horizon smallint, due_day date,
               loss double precision, loss_baseline double precision)
LANGUAGE sql STABLE AS $$
    WITH revised AS MATERIALIZED (  -- what may have taken the place of an earlier outcome
        SELECT r.trading_day, r.symbol, r.model_id, r.kind, r.horizon, r.knowledge_time
        FROM forecasts.outcomes r
        WHERE (r.resolved_day > r.due_day OR r.kind = 'time_to_hit') AND r.horizon_unit = 'session'
          AND r.due_day BETWEEN first AND last AND r.knowledge_time <= known_at
    )
    SELECT o.trading_day, o.symbol, o.model_id, o.kind, o.horizon, o.due_day, l.loss, l.loss_baseline
    FROM forecasts.outcomes o
    CROSS JOIN LATERAL (
        SELECT CASE o.kind WHEN 'price' THEN o.crps WHEN 'volatility' THEN o.qlike ELSE o.brier END AS loss,
               CASE o.kind WHEN 'price' THEN o.crps_no_change WHEN 'volatility' THEN o.qlike_no_change
                           ELSE o.brier_no_change END AS loss_baseline) l
    WHERE o.status = 'validated' AND o.horizon_unit = 'session' AND l.loss IS NOT NULL
      AND o.due_day BETWEEN first AND last AND o.knowledge_time <= known_at
      AND NOT EXISTS (
          SELECT FROM revised r
          WHERE (r.trading_day, r.symbol, r.model_id, r.kind, r.horizon)
              = (o.trading_day, o.symbol, o.model_id, o.kind, o.horizon)
            AND r.knowledge_time > o.knowledge_time)
$$;
COMMENT ON FUNCTION accuracy.proper_losses IS 'Loss of each validated prediction by the proper score of its kind, beside that of no_change on the same row, as they were known at a moment.';

CREATE FUNCTION accuracy.calculate_ece(
    of_model text, of_kind text DEFAULT 'price', of_horizon integer DEFAULT 1, lookback_days integer DEFAULT 30,
    known_at timestamptz DEFAULT now())
RETURNS TABLE (ece double precision, total_predictions bigint, n_eff double precision,
               rms_calibration_error double precision, rms_calibration_upper double precision,
               calibration_quality text)
LANGUAGE sql STABLE AS $$
    SELECT models.require_model(of_model);
    WITH span AS (
        SELECT ((known_at - interval '1 microsecond') AT TIME ZONE 'UTC')::date AS last
    ), known AS (
        SELECT DISTINCT ON (o.trading_day, o.symbol) o.due_day, o.status, o.confidence AS p, o.occurred::integer AS y
        FROM forecasts.outcomes o, span
        WHERE o.model_id = of_model AND o.kind = of_kind AND o.horizon = of_horizon AND o.event IS NOT NULL
          AND o.horizon_unit = 'session'
          AND o.due_day BETWEEN last - (lookback_days - 1) AND last AND o.knowledge_time <= known_at
        ORDER BY o.trading_day, o.symbol, o.knowledge_time DESC
    ), rows AS MATERIALIZED (
        SELECT due_day, p, y FROM known WHERE status = 'validated'
    ), per_date AS (
        SELECT due_day, sum(y) AS hits, count(*) AS rows, sum(y - p) AS residuals,
               sum((y - p) ^ 2) AS squares
        FROM rows GROUP BY due_day
    ), sizes AS MATERIALIZED (
        SELECT coalesce(sum(rows), 0)::float8 AS n,
               accuracy.effective_sample_size(array_agg(hits ORDER BY due_day), array_agg(rows ORDER BY due_day),
                                              of_horizon) AS n_eff,
               accuracy.effective_sample_size(array_agg(residuals ORDER BY due_day), array_agg(rows ORDER BY due_day),
                                              of_horizon, sum(squares)) AS worth
        FROM per_date
    ), bucket_errors AS (
        SELECT abs(sum(p) - sum(y)) AS error FROM rows
        GROUP BY width_bucket(p, ARRAY[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]::float8[])
    ), ordered AS (  -- last_tie: place from 0 of the last row of the same probability
        SELECT p, y, count(*) OVER (ORDER BY p) - 1 AS last_tie FROM rows
    ), buckets AS (  -- of equal mass: a boundary within ties moves before all of them
        SELECT count(*)::float8 AS m, avg(y::float8) AS rate, avg(p) AS mean_p
        FROM ordered, sizes
        GROUP BY (SELECT count(*) FROM generate_series(1, least(greatest(floor(worth / 10), 1), 10)::integer - 1) AS b
                  WHERE b * n::bigint / least(greatest(floor(worth / 10), 1), 10)::bigint <= last_tie)
    ), measured AS (
        SELECT m / n AS weight, m * worth / n AS effective, rate, mean_p FROM buckets, sizes
    ), moments AS (
        SELECT sum(weight * ((rate - mean_p) ^ 2 - rate * (1 - rate) / greatest(effective - 1, 1))) AS squared,
               sum(weight ^ 2 * variance) AS a, sum((weight * variance) ^ 2) AS c, 1.2815515655446004::float8 ^ 2 AS z2
        FROM measured, LATERAL (SELECT (rate * effective + 2) / (effective + 4) AS smooth) s,
             LATERAL (SELECT smooth * (1 - smooth) / effective AS variance) v
    ), bound AS (
        SELECT sqrt(greatest(squared, 0)) AS rms, sqrt(least(centre + sqrt(
                   centre ^ 2 - greatest(squared, 0) ^ 2 + 2 * c * z2), 1)) AS upper
        FROM moments, LATERAL (SELECT greatest(squared, 0) + 2 * a * z2 AS centre) m
        WHERE squared IS NOT NULL
    )
    SELECT (SELECT sum(error) / n FROM bucket_errors), n::bigint, sizes.n_eff, rms, upper,
           CASE WHEN worth >= 100 THEN
               CASE WHEN upper < 0.05 THEN 'good' WHEN upper < 0.10 THEN 'moderate' ELSE 'poor' END
           ELSE 'insufficient_data' END
    FROM sizes LEFT JOIN bound ON true
$$;
COMMENT ON FUNCTION accuracy.calculate_ece IS 'Calibration over the outcomes due in the last days as they were known at a moment, computed from them and not from stored buckets; insufficient_data below 100 effective rows.';

CREATE FUNCTION accuracy.get_symbol_ranking(
    of_model text, of_kind text DEFAULT 'price', of_horizon integer DEFAULT 1, of_period text DEFAULT 'rolling_30d',
    at_most integer DEFAULT 50)
RETURNS TABLE (rank bigint, symbol text, posterior_mean double precision, posterior_low double precision,
               posterior_high double precision, accuracy_rate double precision, total_predictions integer,
               n_eff double precision, needs_retraining boolean)
LANGUAGE sql STABLE AS $$
    SELECT models.require_model(of_model);
    SELECT row_number() OVER (ORDER BY a.posterior_mean DESC, a.symbol), a.symbol, a.posterior_mean, a.posterior_low,
           a.posterior_high, a.accuracy_rate, a.total_predictions, a.n_eff, a.needs_retraining
    FROM accuracy.symbol_accuracy a
    WHERE a.model_id = of_model AND a.kind = of_kind AND a.horizon = of_horizon AND a.period = of_period
      AND a.period_end = (SELECT max(b.period_end) FROM accuracy.symbol_accuracy b
                          WHERE b.model_id = of_model AND b.kind = of_kind AND b.horizon = of_horizon
                            AND b.period = of_period)
    ORDER BY 1 LIMIT at_most
$$;
COMMENT ON FUNCTION accuracy.get_symbol_ranking IS 'Symbols of the latest report by posterior mean: one lucky call does not outrank a record. A week holds too few rows to tell symbols apart; 30 days are the default.';

CREATE FUNCTION accuracy.drift_alerts_at(at date)
RETURNS TABLE (
    subject text, name text, model_id text, kind text, horizon smallint, severity text, statistic text,
    value double precision, critical_value double precision, p_value double precision,
    opened_on date, last_seen date, closed_on date
) LANGUAGE sql STABLE AS $$
    WITH words AS (
        SELECT DISTINCT ON (a.subject, a.name, a.model_id, a.kind, a.horizon, a.as_of_day) a.*
        FROM accuracy.drift_alerts a
        WHERE a.as_of_day <= at
        ORDER BY a.subject, a.name, a.model_id, a.kind, a.horizon, a.as_of_day, a.drift_alert_id DESC
    ), turns AS (
        SELECT *, lag(event, 1, 'closed') OVER own AS before
        FROM words WINDOW own AS (PARTITION BY subject, name, model_id, kind, horizon ORDER BY as_of_day)
    ), changes AS (
        SELECT *, lead(as_of_day) OVER own AS closed_on
        FROM turns WHERE event <> before
        WINDOW own AS (PARTITION BY subject, name, model_id, kind, horizon ORDER BY as_of_day)
    )
    SELECT c.subject, c.name, c.model_id, c.kind, c.horizon, c.severity, c.statistic, c.value,
           c.critical_value, c.p_value, c.as_of_day, coalesce(seen.latest, c.as_of_day), c.closed_on
    FROM changes c
    LEFT JOIN LATERAL (
        SELECT max(m.as_of_day) AS latest FROM accuracy.drift_metrics m
        WHERE m.drifted AND (m.subject, m.name) = (c.subject, c.name)
          AND (m.model_id, m.kind, m.horizon) IS NOT DISTINCT FROM (c.model_id, c.kind, c.horizon)
          AND m.as_of_day BETWEEN c.as_of_day AND least(c.closed_on, at)
    ) seen ON true
    WHERE c.event = 'opened'
$$;
COMMENT ON FUNCTION accuracy.drift_alerts_at IS 'Alerts as they stood at the end of a day: one for each drift, however many reports saw it; open while closed_on is null.';

CREATE FUNCTION accuracy.symbol_performance(of_symbol text, report date) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_object_agg(model_id, cells)
    FROM (SELECT a.model_id, jsonb_object_agg(
                     a.kind || '/' || a.event || '/h' || a.horizon,
                     jsonb_build_object('rate', round(a.posterior_mean::numeric, 4), 'n', a.total_predictions,
                                        'n_eff', round(a.n_eff::numeric, 1))) AS cells
          FROM accuracy.symbol_accuracy a JOIN models.model_registry m USING (model_id)
          WHERE a.symbol = of_symbol AND a.period = 'rolling_30d' AND a.period_end = report AND m.scope IS NOT NULL
          GROUP BY a.model_id) versions
$$;
COMMENT ON FUNCTION accuracy.symbol_performance IS 'What the fitted versions showed on a symbol in the 30 days to a report: rate (shrunk) per version and cell.';


-- Rounding must not put a rate outside of its own interval; least() and greatest() would make one of a NULL.
CREATE FUNCTION accuracy.wilson(rate double precision, n_eff double precision)
RETURNS TABLE (low double precision, high double precision) LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1 AS $$
    SELECT CASE WHEN half IS NOT NULL THEN least(greatest(centre - half, 0), rate) END,
           CASE WHEN half IS NOT NULL THEN greatest(least(centre + half, 1), rate) END
    FROM (SELECT CASE WHEN n_eff > 0 THEN n_eff END AS n, 1.959963984540054::float8 ^ 2 AS z2) a,
         LATERAL (SELECT (rate + z2 / (2 * n)) / (1 + z2 / n) AS centre,
                         sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n * n))) / (1 + z2 / n) AS half) b
$$;
COMMENT ON FUNCTION accuracy.wilson IS 'Score interval (Wilson 1927) of a rate, 95 %, on n_eff rows; NULL where n_eff is not positive.';

-- The second event of a price, scaled by volatility: calibration of p_within_band, month by month.
CREATE FUNCTION accuracy.band_calibration(of_model text, known_at timestamptz DEFAULT now())
RETURNS TABLE (model_id text, horizon smallint, period_start date, n bigint, n_eff double precision,
               mean_confidence double precision, event_rate double precision, event_low double precision,
               event_high double precision, ece double precision, brier double precision,
               brier_no_change double precision, skill_vs_no_change double precision)
LANGUAGE sql STABLE AS $$
    SELECT models.require_model(of_model);
    WITH outcomes AS (
        SELECT DISTINCT ON (o.trading_day, o.symbol, o.horizon)
               o.trading_day, o.symbol, o.horizon, o.due_day, o.status, o.within_band::integer AS y
        FROM forecasts.outcomes o
        WHERE o.model_id = of_model AND o.kind = 'price' AND o.horizon_unit = 'session' AND o.knowledge_time <= known_at
        ORDER BY o.trading_day, o.symbol, o.horizon, o.knowledge_time DESC
    ), scored AS (
        SELECT o.horizon, date_trunc('month', o.due_day)::date AS month, o.due_day, o.y,
               p.p_within_band AS p
        FROM outcomes o
        JOIN forecasts.predictions p
            ON (p.trading_day, p.symbol, p.model_id, p.kind, p.horizon, p.horizon_unit)
             = (o.trading_day, o.symbol, of_model, 'price', o.horizon, 'session')
        WHERE o.status = 'validated' AND o.y IS NOT NULL AND p.p_within_band IS NOT NULL
    ), worth AS (
        SELECT d.horizon, d.month,
               accuracy.effective_sample_size(
                   array_agg(d.hits ORDER BY d.due_day), array_agg(d.rows ORDER BY d.due_day), d.horizon) AS n_eff
        FROM (SELECT s.horizon, s.month, s.due_day, sum(s.y) AS hits, count(*) AS rows
              FROM scored s GROUP BY s.horizon, s.month, s.due_day) d
        GROUP BY d.horizon, d.month
    ), gaps AS (
        SELECT g.horizon, g.month, sum(abs(g.gap)) AS gap
        FROM (SELECT s.horizon, s.month, sum(s.p) - sum(s.y) AS gap FROM scored s
              GROUP BY s.horizon, s.month,
                       width_bucket(s.p, ARRAY[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]::float8[])) g
        GROUP BY g.horizon, g.month
    ), months AS (
        SELECT s.horizon, s.month, count(*) AS n, avg(s.p) AS mean_p, avg(s.y::float8) AS rate,
               avg((s.p - s.y) ^ 2) AS brier,
               -- no_change gives a normal variable this probability to lie within its standard deviation.
               avg((0.6826894921370859::float8 - s.y) ^ 2) AS no_change
        FROM scored s GROUP BY s.horizon, s.month
    )
    SELECT of_model, m.horizon, m.month, m.n, w.n_eff, m.mean_p, m.rate, bounds.low, bounds.high, g.gap / m.n, m.brier,
           m.no_change, 1 - m.brier / nullif(m.no_change, 0)
    FROM months m
    JOIN worth w USING (horizon, month)
    JOIN gaps g USING (horizon, month)
    CROSS JOIN LATERAL accuracy.wilson(m.rate, w.n_eff) bounds
    ORDER BY m.horizon, m.month
$$;
COMMENT ON FUNCTION accuracy.band_calibration IS 'How well p_within_band (the price ends within sigma sqrt(h) of the forecast median) of one model was calibrated, by month of the due day, from outcomes as they were known at a moment. Raises for an unknown model.';

CREATE VIEW accuracy.v_current_calibration AS
    WITH newest AS (
        SELECT model_id, kind, horizon, max(due_day) AS period_end FROM accuracy.day_sums
        WHERE scored > 0 GROUP BY model_id, kind, horizon
    )
    SELECT w.model_id, w.kind, sums.event, w.horizon, buckets.ece, sums.total_predictions, sums.n_eff,
           judged.calibration_quality, w.period_end, judged.period_end AS judged_on, judged.rms_calibration_error,
           judged.rms_calibration_upper, judged.miscalibration, judged.discrimination, judged.uncertainty, sums.coverage
    FROM newest w
    CROSS JOIN LATERAL (
        SELECT min(event) AS event, sum(n) AS total_predictions, sum(validated)::float8 / nullif(sum(due), 0) AS coverage,
               accuracy.effective_sample_size(array_agg(hits ORDER BY due_day) FILTER (WHERE n > 0),
                                              array_agg(n ORDER BY due_day) FILTER (WHERE n > 0), w.horizon) AS n_eff
        FROM (SELECT due_day, min(event) AS event, coalesce(sum(scored), 0) AS n, sum(hits) AS hits,
                     sum(validated) AS validated, sum(due) AS due
              FROM accuracy.day_sums_current
              WHERE model_id = w.model_id AND kind = w.kind AND horizon = w.horizon
                AND due_day BETWEEN w.period_end - 29 AND w.period_end
              GROUP BY due_day) d
    ) sums
    CROSS JOIN LATERAL (
        SELECT sum(missed) / sums.total_predictions AS ece
        FROM (SELECT abs(sum(confidence) - sum(hits)) AS missed FROM accuracy.day_buckets
              WHERE model_id = w.model_id AND kind = w.kind AND horizon = w.horizon
                AND due_day BETWEEN w.period_end - 29 AND w.period_end
              GROUP BY bucket_low) b
    ) buckets
    LEFT JOIN LATERAL (
        SELECT * FROM accuracy.calibration_summary c
        WHERE c.period = 'rolling_30d' AND c.model_id = w.model_id AND c.kind = w.kind AND c.event = sums.event
          AND c.horizon = w.horizon
        ORDER BY c.period_end DESC LIMIT 1
    ) judged ON true
    ORDER BY w.model_id, w.kind, w.horizon;
COMMENT ON VIEW accuracy.v_current_calibration IS 'Calibration of every model in the 30 days to its newest due day (period_end); quality, bounds and CORP parts as of its latest weekly report (judged_on).';

CREATE VIEW accuracy.v_retraining_candidates AS
    SELECT symbol, model_id, kind, event, horizon, accuracy_rate, posterior_mean, total_predictions, n_eff, period_end,
           posterior_low, posterior_high, asked AS threshold, p_below_threshold,
           format('%s of %s calls of %s to %s were correct (%s effective rows): shrunk toward all symbols a rate of'
                  ' %s %%, 95 %% interval %s to %s %%; below %s %% with probability %s',
                  accurate_predictions, total_predictions, period_start, period_end,
                  trim_scale(round(n_eff::numeric, 1)), round(100 * posterior_mean::numeric, 1),
                  round(100 * posterior_low::numeric, 1), round(100 * posterior_high::numeric, 1),
                  trim_scale(round(100 * asked::numeric, 2)), trunc(p_below_threshold::numeric, 4)) AS reason
    FROM (SELECT DISTINCT ON (a.symbol, a.model_id, a.kind, a.horizon) a.*, coalesce(a.threshold, 0.5) AS asked
          FROM accuracy.symbol_accuracy a JOIN models.model_registry m USING (model_id)
          WHERE a.period = 'rolling_30d' AND a.needs_retraining AND m.scope IS NOT NULL AND m.status <> 'retired'
            AND a.period_end = (SELECT max(period_end) FROM accuracy.symbol_accuracy WHERE period = 'rolling_30d')
          ORDER BY a.symbol, a.model_id, a.kind, a.horizon, a.p_below_threshold DESC, a.event) latest;
COMMENT ON VIEW accuracy.v_retraining_candidates IS 'Symbols that the latest report (period_end) calls for retraining, of versions that are fitted and not retired; one row per model, kind and horizon, gone once recovered.';

CREATE VIEW accuracy.v_current_performance AS
    WITH newest AS (
        SELECT model_id, kind, horizon, max(due_day) AS period_end FROM accuracy.day_sums
        WHERE validated > 0 GROUP BY model_id, kind, horizon
    )
    SELECT w.model_id, w.kind, w.horizon, of_pair.score, of_pair.baseline, w.period, w.period_start, w.period_end,
           of_pair.n, of_pair.dates, of_pair.mean_score, of_pair.mean_score_baseline, of_pair.skill,
           of_pair.mean_difference, of_cell.due, of_cell.coverage
    FROM (SELECT *, accuracy.period_start(period, period_end) AS period_start FROM newest
          CROSS JOIN unnest(ARRAY['daily', 'weekly', 'monthly', 'rolling_30d', 'quarterly', 'yearly']) AS p (period)) w
    CROSS JOIN LATERAL (
        SELECT c.score, c.baseline, sum(c.n) AS n, count(DISTINCT c.due_day) AS dates, sum(c.loss) / sum(c.n) AS mean_score,
               sum(c.loss_baseline) / sum(c.n) AS mean_score_baseline,
               1 - sum(c.loss) / nullif(sum(c.loss_baseline), 0) AS skill,
               (sum(c.loss_baseline) - sum(c.loss)) / sum(c.n) AS mean_difference
        FROM accuracy.day_losses c
        WHERE c.model_id = w.model_id AND c.kind = w.kind AND c.horizon = w.horizon
          AND c.due_day BETWEEN w.period_start AND w.period_end
        GROUP BY c.score, c.baseline
    ) of_pair
    CROSS JOIN LATERAL (
        SELECT sum(s.due) AS due, sum(s.validated)::float8 / nullif(sum(s.due), 0) AS coverage
        FROM accuracy.day_sums_current s
        WHERE s.model_id = w.model_id AND s.kind = w.kind AND s.horizon = w.horizon
          AND s.due_day BETWEEN w.period_start AND w.period_end
    ) of_cell
    ORDER BY w.model_id, w.kind, w.horizon, of_pair.score, of_pair.baseline, w.period;
COMMENT ON VIEW accuracy.v_current_performance IS 'Scores of every version, kind and horizon against its baselines, in each period up to its newest due day. Intervals and tests: services/accuracy.';

CREATE VIEW accuracy.v_recommendation_accuracy AS
    WITH given AS (
        SELECT model_id, kind, horizon, period, period_start, period_end, count(DISTINCT symbol) AS symbols,
               sum(buy_count) AS buys, sum(buy_right) AS buys_right, sum(sell_count) AS sells,
               sum(sell_right) AS sells_right, sum(hold_count) AS holds, sum(hold_right) AS holds_right
        FROM accuracy.symbol_accuracy WHERE buy_count IS NOT NULL
        GROUP BY model_id, kind, horizon, period, period_start, period_end
    )
    SELECT g.model_id, g.kind, g.horizon, g.period, g.period_start, g.period_end, g.symbols, r.side, r.given,
           r.came_right, CASE WHEN worth.n_eff > 0 THEN r.came_right::double precision / r.given END AS accuracy,
           worth.n_eff, bounds.low AS accuracy_low, bounds.high AS accuracy_high
    FROM given g
    LEFT JOIN accuracy.calibration_summary d ON d.kind = 'direction' AND d.event = 'up'
        AND (d.model_id, d.horizon, d.period, d.period_end) = (g.model_id, g.horizon, g.period, g.period_end)
    CROSS JOIN LATERAL (VALUES ('BUY', buys, buys_right), ('SELL', sells, sells_right),
                               ('HOLD', holds, holds_right)) AS r (side, given, came_right)
    CROSS JOIN LATERAL (SELECT r.given * d.n_eff / nullif(d.n, 0) AS n_eff) worth
    CROSS JOIN LATERAL accuracy.wilson(r.came_right::double precision / nullif(r.given, 0), worth.n_eff) bounds;
COMMENT ON VIEW accuracy.v_recommendation_accuracy IS 'BUY, SELL and HOLD of every model over all its symbols, and how many were right; no rate where none was given or its interval cannot be had.';
COMMENT ON COLUMN accuracy.v_recommendation_accuracy.n_eff IS 'given times n_eff / n of the same model''s direction in the same period: symbols that rise and fall together are right and wrong together. The whole share also for few calls a day, which errs to the wide side.';
COMMENT ON COLUMN accuracy.v_recommendation_accuracy.accuracy_low IS 'accuracy_low to accuracy_high: 95 %, Wilson, on n_eff.';

CREATE VIEW accuracy.v_drift_alerts AS SELECT * FROM accuracy.drift_alerts_at('infinity');
COMMENT ON VIEW accuracy.v_drift_alerts IS 'All alerts: opened_on, last_seen, and closed_on once calm.';

CREATE VIEW accuracy.v_open_drift_alerts AS
    SELECT subject, name, model_id, kind, horizon, severity, statistic, value, critical_value, p_value,
           opened_on, last_seen
    FROM accuracy.drift_alerts_at('infinity') WHERE closed_on IS NULL;
COMMENT ON VIEW accuracy.v_open_drift_alerts IS 'Drift that goes on: one row each.';

-- What degradation is called at follows from all models judged that day (e-BH), and is shown.
CREATE VIEW accuracy.v_degraded_models AS
    SELECT d.model_id, d.kind, d.horizon, d.name AS score, d.value AS e_value, d.since, d.as_of_day,
           d.critical_value
    FROM accuracy.drift_metrics d JOIN models.model_registry r USING (model_id)
    WHERE d.statistic = 'e_value' AND d.drifted AND r.status <> 'retired'
      AND d.as_of_day = (SELECT max(as_of_day) FROM accuracy.drift_metrics);
COMMENT ON VIEW accuracy.v_degraded_models IS 'Models that do worse than they showed, beyond doubt, at the latest report: since the due day `since`, when e_value reached what e-BH asked of it; critical_value: what it asks now.';

CREATE VIEW accuracy.v_success_metrics AS
    WITH candidates AS (
        SELECT model_id FROM models.model_registry WHERE role = 'candidate' AND status <> 'retired'
    ), buckets AS MATERIALIZED (
        SELECT model_id, kind, horizon, bucket_low, date_trunc('month', due_day::timestamp) AS month,
               sum(n) AS n, sum(hits) AS hits, sum(confidence) AS confidence
        FROM accuracy.day_buckets JOIN candidates USING (model_id)
        GROUP BY model_id, kind, horizon, bucket_low, month
    ), calibration AS (
        SELECT model_id, kind, horizon, sum(missed) / sum(n) AS ece, sum(n)::bigint AS n
        FROM (SELECT model_id, kind, horizon, sum(n) AS n, abs(sum(confidence) - sum(hits)) AS missed
              FROM buckets GROUP BY model_id, kind, horizon, bucket_low) to_date
        GROUP BY model_id, kind, horizon
    ), years AS (  -- quiet quarters come together: from three years on that is seen, and counted
        SELECT model_id, kind, horizon, CASE WHEN count(*) >= 12 THEN accuracy.effective_sample_size(
                   array_agg(hits::bigint ORDER BY quarter), array_agg(n::bigint ORDER BY quarter), 1) END AS n_eff
        FROM (SELECT model_id, kind, horizon, date_trunc('quarter', month) AS quarter, sum(n) AS n, sum(hits) AS hits
              FROM buckets GROUP BY model_id, kind, horizon, quarter) quarters
        GROUP BY model_id, kind, horizon
    ), monthly AS (
        SELECT c.model_id, c.kind, c.horizon, sum(c.n_eff) AS n_eff, max(c.period_end) AS until
        FROM accuracy.calibration_summary c JOIN candidates USING (model_id)
        WHERE c.period = 'monthly' GROUP BY c.model_id, c.kind, c.horizon
    ), sizes AS (
        SELECT y.model_id, y.kind, y.horizon, least(coalesce(m.n_eff, 0) + coalesce(since.n_eff, 0), y.n_eff) AS n_eff
        FROM years y LEFT JOIN monthly m USING (model_id, kind, horizon)
        CROSS JOIN LATERAL (
            SELECT accuracy.effective_sample_size(array_agg(hits ORDER BY due_day), array_agg(n ORDER BY due_day),
                                                  y.horizon) AS n_eff
            FROM (SELECT due_day, sum(hits) AS hits, sum(scored) AS n FROM accuracy.day_sums_current
                  WHERE model_id = y.model_id AND kind = y.kind AND horizon = y.horizon AND scored > 0
                    AND due_day > coalesce(m.until, '-infinity')
                  GROUP BY due_day) d
        ) since
    ), due AS (
        SELECT sum(due)::bigint AS n, sum(validated)::float8 / sum(due) AS share FROM accuracy.day_sums_current
    ), last AS (
        SELECT max(trading_day) AS day FROM forecasts.prediction_batches
    ), symbols AS (
        SELECT count(*) AS n, avg(tracked::integer)::float8 AS share, max(day) AS day
        FROM last, LATERAL (
            SELECT b.symbol, EXISTS (SELECT FROM forecasts.predictions p
                                     WHERE p.trading_day = day AND p.symbol = b.symbol) AS tracked
            FROM market.market_data b WHERE b.trading_day = day GROUP BY b.symbol) active
    ), deployed AS (
        SELECT count(*) AS n, count(*) FILTER (WHERE NOT EXISTS (
                   SELECT FROM deployment.deployment_gates g
                   LEFT JOIN deployment.gate_overrides o ON o.override_id = d.override_id
                   WHERE g.gate_id = coalesce(d.gate_id, o.gate_id)
                     AND (g.model_id, g.kind) = (d.model_id, d.kind)
                     AND g.scope IN (d.scope, CASE WHEN d.restores IS NOT NULL THEN split_part(d.scope, ':', 1) END)
                     AND CASE WHEN d.override_id IS NULL THEN g.gate_status = 'passed'
                              ELSE d.valid_until = o.expires_at AND d.valid_from < o.expires_at END)) AS bad
        FROM deployment.deployments d WHERE d.retires IS NULL
    ), events AS MATERIALIZED (
        SELECT event_type, subject, payload, at FROM audit.audit_trail
        WHERE event_type IN ('validation_run', 'deployment_gate', 'deployment', 'rollback', 'manual_override')
    ), weeks AS (
        SELECT (payload ->> 'evaluated_at')::timestamptz AS evaluated_at, week::date AS as_of_day
        FROM events, jsonb_object_keys(payload -> 'digests') week
        WHERE event_type = 'deployment_gate' AND payload ? 'digests'
    ), audited AS (
        SELECT 'predictions, in batches of the ledger' AS subject, count(*) AS n,
               (SELECT coalesce(sum(row_count), 0) FROM forecasts.prediction_batches) AS recorded
        FROM forecasts.predictions
        UNION ALL
        SELECT 'outcomes, by runs on the audit trail', count(*), (
                   SELECT coalesce(sum((payload ->> 'rows_inserted')::bigint), 0) FROM events
                   WHERE event_type = 'validation_run' AND subject = 'forecasts.outcomes')
        FROM forecasts.outcomes
        UNION ALL
        SELECT 'weeks of gates, on the audit trail', count(*), count(*) FILTER (
                   WHERE EXISTS (SELECT FROM weeks w
                                 WHERE (w.evaluated_at, w.as_of_day) = (g.evaluated_at, g.as_of_day))
                      OR EXISTS (SELECT FROM events e  -- written before events held digests
                                 WHERE e.event_type = 'deployment_gate' AND NOT e.payload ? 'digests'
                                   AND g.as_of_day BETWEEN (e.payload ->> 'first')::date AND (e.payload ->> 'last')::date
                                   AND g.evaluated_at <= e.at))
        FROM (SELECT DISTINCT evaluated_at, as_of_day FROM deployment.deployment_gates) g
        UNION ALL
        SELECT 'deployments, on the audit trail', count(*), count(*) FILTER (WHERE EXISTS (
                   SELECT FROM events e
                   WHERE e.event_type IN ('deployment', 'rollback', 'manual_override')
                     AND e.payload ->> 'deployment_id' = d.deployment_id::text))
        FROM deployment.deployments d
        UNION ALL
        SELECT 'overrides, on the audit trail', count(*), count(*) FILTER (WHERE EXISTS (
                   SELECT FROM events e
                   WHERE e.event_type = 'manual_override' AND e.payload ->> 'override_id' = o.override_id::text))
        FROM deployment.gate_overrides o
    ), measured AS (
        SELECT 1 AS place, 'calibration' AS metric,
               concat_ws(' ', m.model_id, c.kind, 'h' || c.horizon) AS subject, '< 0.10' AS target, c.ece AS value,
               coalesce(c.n, 0) AS n, s.n_eff, CASE WHEN s.n_eff >= 100 THEN c.ece < 0.10 END AS holds
        FROM candidates m
        LEFT JOIN (calibration c JOIN sizes s USING (model_id, kind, horizon)) ON c.model_id = m.model_id
        UNION ALL
        SELECT 2, 'symbol_coverage', concat_ws(' ', 'symbols with a bar on', day), '100 %', share, n, NULL,
               CASE WHEN n > 0 THEN share = 1 END
        FROM symbols
        UNION ALL
        SELECT 3, 'validation', 'predictions that fell due', '100 %', share, coalesce(n, 0), NULL, share = 1
        FROM due
        UNION ALL
        SELECT 4, 'bad_deployments', 'deployments without passed gate or valid override', '0', bad, n, NULL,
               CASE WHEN n > 0 THEN bad = 0 END
        FROM deployed
        UNION ALL
        SELECT 5, 'audit_completeness', subject, '100 %',
               CASE WHEN n > 0 THEN least(recorded::float8 / n, 1) END, n, NULL,
               CASE WHEN n > 0 THEN recorded >= n END
        FROM audited
    )
    SELECT metric, subject, target, value, n, n_eff,
           CASE WHEN holds IS NULL THEN 'insufficient' WHEN holds THEN 'holds' ELSE 'not' END AS status
    FROM measured ORDER BY place, subject;
COMMENT ON VIEW accuracy.v_success_metrics IS 'The success metrics of the requirements, from what is stored. Of nothing there is nothing to say: insufficient.';
COMMENT ON COLUMN accuracy.v_success_metrics.metric IS 'calibration: ECE to date per candidate, kind and horizon. symbol_coverage: active symbols that are predicted. validation: of all that fell due. bad_deployments: a count. audit_completeness: rows that a batch or an event records; predtrack ledger verify compares their contents.';
COMMENT ON COLUMN accuracy.v_success_metrics.n_eff IS 'Of a calibration: the sum over its monthly reports and the days since, from three years on at most what its quarters are worth together. Below 100 it is insufficient.';

GRANT SELECT ON ALL TABLES IN SCHEMA accuracy TO predtrack_reader, predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA accuracy TO predtrack_owner;
