-- Calibration whole, periods of a day and a week, coverage, survival curves, and document A's functions.

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

ALTER TABLE accuracy.calibration_metrics
    DROP CONSTRAINT calibration_metrics_period_check,
    ADD CONSTRAINT calibration_metrics_period_check
        CHECK (period IN ('daily', 'weekly', 'monthly', 'rolling_30d'));

ALTER TABLE accuracy.calibration_summary
    DROP CONSTRAINT calibration_summary_period_check,
    ADD CONSTRAINT calibration_summary_period_check
        CHECK (period IN ('daily', 'weekly', 'monthly', 'rolling_30d')),
    ADD COLUMN ece_equal_mass             double precision CHECK (market.is_probability(ece_equal_mass)),
    ADD COLUMN squared_calibration_error  double precision CHECK (squared_calibration_error BETWEEN -1 AND 1),
    ADD COLUMN miscalibration             double precision CHECK (market.is_probability(miscalibration)),
    ADD COLUMN discrimination             double precision CHECK (market.is_probability(discrimination)),
    ADD COLUMN uncertainty                double precision CHECK (market.is_probability(uncertainty)),
    ADD COLUMN consistency_p_value        double precision CHECK (market.is_probability(consistency_p_value));
COMMENT ON COLUMN accuracy.calibration_summary.ece_equal_mass IS 'Over ten buckets of equally many rows, fewer where each would have less than 10 effective ones.';
COMMENT ON COLUMN accuracy.calibration_summary.squared_calibration_error IS 'Debiased (Kumar, Liang, Ma 2019), over the same buckets; may be negative. rms_calibration_error is its root, clipped at 0.';
COMMENT ON COLUMN accuracy.calibration_summary.miscalibration IS 'CORP (Dimitriadis, Gneiting, Jordan 2021): brier = miscalibration - discrimination + uncertainty.';
COMMENT ON COLUMN accuracy.calibration_summary.consistency_p_value IS 'Of the miscalibration, by consistency resampling of n_eff rows; weekly and monthly, from n_eff 100 on.';

ALTER TABLE accuracy.error_distribution
    DROP CONSTRAINT error_distribution_period_check,
    ADD CONSTRAINT error_distribution_period_check
        CHECK (period IN ('daily', 'weekly', 'monthly', 'rolling_30d')),
    ADD COLUMN due       integer CHECK (due >= 0),
    ADD COLUMN coverage  double precision CHECK (market.is_probability(coverage));
COMMENT ON COLUMN accuracy.error_distribution.coverage IS 'validated / due.';

ALTER TABLE accuracy.performance_analytics
    DROP CONSTRAINT performance_analytics_period_check,
    ADD CONSTRAINT performance_analytics_period_check
        CHECK (period IN ('daily', 'weekly', 'monthly', 'rolling_30d', 'quarterly', 'yearly')),
    ADD COLUMN due       integer CHECK (due >= 0),
    ADD COLUMN coverage  double precision CHECK (market.is_probability(coverage));
COMMENT ON COLUMN accuracy.performance_analytics.coverage IS 'validated / due of the kind and horizon, whether or not a row has both scores.';

-- New columns stand at the end, where a view may take them up.
CREATE OR REPLACE VIEW accuracy.v_current_performance AS
    SELECT DISTINCT ON (model_id, kind, horizon, score, baseline, period) *
    FROM accuracy.performance_analytics
    ORDER BY model_id, kind, horizon, score, baseline, period, period_end DESC;

CREATE OR REPLACE VIEW accuracy.v_current_calibration AS
    SELECT DISTINCT ON (model_id, kind, event, horizon)
           model_id, kind, event, horizon, ece, n AS total_predictions, n_eff, calibration_quality, period_end,
           rms_calibration_error, rms_calibration_upper, miscalibration, discrimination, uncertainty, coverage
    FROM accuracy.calibration_summary
    WHERE period = 'rolling_30d'
    ORDER BY model_id, kind, event, horizon, period_end DESC;

-- Coverage -------------------------------------------------------------------------------------

CREATE TABLE accuracy.coverage (
    model_id      text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('price', 'direction', 'time_to_hit', 'volatility')),
    horizon       smallint NOT NULL,
    period        text NOT NULL CHECK (period IN ('daily', 'weekly', 'monthly', 'rolling_30d')),
    period_start  date NOT NULL,
    period_end    date NOT NULL,
    due           integer NOT NULL CHECK (due > 0),
    validated     integer NOT NULL CHECK (validated >= 0),
    expired       integer NOT NULL CHECK (expired >= 0),
    pending       integer NOT NULL CHECK (pending >= 0),
    coverage      double precision NOT NULL CHECK (market.is_probability(coverage)),
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period_end, period, model_id, kind, horizon),
    CONSTRAINT exactly_one_status CHECK (due = validated + expired + pending)
);
COMMENT ON TABLE accuracy.coverage IS 'What became of all that fell due in a period, as known at its end.';
COMMENT ON COLUMN accuracy.coverage.pending IS 'Due, and neither a price nor the time to expire has come.';
COMMENT ON COLUMN accuracy.coverage.coverage IS 'validated / due.';

CREATE VIEW forecasts.v_due_queue AS
    SELECT p.due_day, p.model_id, p.kind, p.horizon, count(*) AS predictions,
           count(DISTINCT p.symbol) AS symbols, min(p.trading_day) AS oldest_decision,
           (now() AT TIME ZONE 'UTC')::date - p.due_day AS age_days
    FROM forecasts.predictions p
    WHERE p.due_day <= (now() AT TIME ZONE 'UTC')::date
      AND NOT EXISTS (
          SELECT FROM forecasts.outcomes o
          WHERE (o.trading_day, o.symbol, o.model_id, o.kind, o.horizon)
              = (p.trading_day, p.symbol, p.model_id, p.kind, p.horizon))
    GROUP BY p.due_day, p.model_id, p.kind, p.horizon
    ORDER BY p.due_day, p.model_id, p.kind, p.horizon;
COMMENT ON VIEW forecasts.v_due_queue IS 'What has fallen due and is neither validated nor expired, by due day, with its age in calendar days.';

-- Survival curves ------------------------------------------------------------------------------

CREATE TABLE accuracy.survival_curves (
    model_id            text NOT NULL,
    horizon             smallint NOT NULL,
    period              text NOT NULL CHECK (period IN ('rolling_30d', 'monthly', 'quarterly', 'yearly')),
    period_start        date NOT NULL,
    period_end          date NOT NULL,
    session             smallint NOT NULL CHECK (session BETWEEN 1 AND horizon),
    n                   integer NOT NULL CHECK (n > 0),
    n_eff               double precision NOT NULL CHECK (n_eff BETWEEN 0 AND n),
    at_risk             integer NOT NULL CHECK (at_risk BETWEEN 0 AND n),
    hits                integer NOT NULL CHECK (hits >= 0),
    censored            integer NOT NULL CHECK (censored >= 0),
    survival            double precision CHECK (market.is_probability(survival)),
    survival_low        double precision CHECK (market.is_probability(survival_low)),
    survival_high       double precision CHECK (market.is_probability(survival_high)),
    predicted_survival  double precision CHECK (market.is_probability(predicted_survival)),
    baseline_survival   double precision NOT NULL CHECK (market.is_probability(baseline_survival)),
    recorded_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period_end, period, model_id, horizon, session),
    CONSTRAINT ended_were_at_risk CHECK (hits + censored <= at_risk),
    CONSTRAINT predicted_at_the_deadline CHECK ((predicted_survival IS NOT NULL) = (session = horizon))
);
COMMENT ON TABLE accuracy.survival_curves IS 'P(target not touched yet) per session after the decision: Kaplan-Meier over all predictions of a window of decision days.';
COMMENT ON COLUMN accuracy.survival_curves.horizon IS 'The deadline in sessions.';
COMMENT ON COLUMN accuracy.survival_curves.n IS 'Predictions made in the window.';
COMMENT ON COLUMN accuracy.survival_curves.n_eff IS 'What those seen for a session or more are worth: from their martingale residuals over decision days.';
COMMENT ON COLUMN accuracy.survival_curves.at_risk IS 'Not hit in earlier sessions, and seen in this one.';
COMMENT ON COLUMN accuracy.survival_curves.censored IS 'Last seen in this session: pending, expired, or past the deadline.';
COMMENT ON COLUMN accuracy.survival_curves.survival IS 'NULL beyond the last session in which anything was at risk.';
COMMENT ON COLUMN accuracy.survival_curves.survival_low IS 'Greenwood on log(-log S), 95 %, variance times n / n_eff; NULL while S is 1 and where it is 0.';
COMMENT ON COLUMN accuracy.survival_curves.predicted_survival IS '1 - mean p_hit of the same predictions, which is about the deadline.';
COMMENT ON COLUMN accuracy.survival_curves.baseline_survival IS 'First passage of a driftless price with the stored sigma, mean over the same predictions.';

-- Functions ------------------------------------------------------------------------------------

CREATE FUNCTION accuracy.effective_sample_size(hits bigint[], counts bigint[], horizon integer)
RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    WITH dates AS (
        SELECT k, hit::float8 AS hit, rows::float8 AS rows
        FROM unnest(hits, counts) WITH ORDINALITY AS d (hit, rows, k)
    ), totals AS (
        SELECT sum(hit) AS s, sum(rows) AS n, count(*)::float8 AS t, greatest(horizon, 1)::float8 AS h FROM dates
    ), deviations AS (
        SELECT k, hit - s / n * rows AS u FROM dates, totals
    ), lags AS (
        SELECT lag, (1 - lag / t) * power(1 - 1 / h, lag) + lag / t * power(1 - 1 / h, t - lag) AS weight,
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

CREATE FUNCTION accuracy.calculate_ece(
    of_model text, of_kind text DEFAULT 'price', of_horizon integer DEFAULT 1, lookback_days integer DEFAULT 30,
    known_at timestamptz DEFAULT now())
RETURNS TABLE (ece double precision, total_predictions bigint, n_eff double precision,
               rms_calibration_error double precision, rms_calibration_upper double precision,
               calibration_quality text)
LANGUAGE sql STABLE AS $$
    WITH span AS (
        SELECT ((known_at - interval '1 microsecond') AT TIME ZONE 'UTC')::date AS last
    ), known AS (
        SELECT DISTINCT ON (o.trading_day, o.symbol) o.due_day, o.status, o.confidence AS p, o.occurred::integer AS y
        FROM forecasts.outcomes o, span
        WHERE o.model_id = of_model AND o.kind = of_kind AND o.horizon = of_horizon AND o.event IS NOT NULL
          AND o.due_day BETWEEN last - (lookback_days - 1) AND last AND o.knowledge_time <= known_at
        ORDER BY o.trading_day, o.symbol, o.knowledge_time DESC
    ), rows AS MATERIALIZED (
        SELECT due_day, p, y FROM known WHERE status = 'validated'
    ), per_date AS (
        SELECT due_day, sum(y) AS hits, count(*) AS rows FROM rows GROUP BY due_day
    ), sizes AS MATERIALIZED (
        SELECT coalesce(sum(rows), 0)::float8 AS n,
               accuracy.effective_sample_size(array_agg(hits ORDER BY due_day), array_agg(rows ORDER BY due_day),
                                              of_horizon) AS worth
        FROM per_date
    ), bucket_errors AS (
        SELECT abs(sum(p) - sum(y)) AS error FROM rows
        GROUP BY width_bucket(p, ARRAY[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]::float8[])
    ), ordered AS (  -- last_tie: place from 0 of the last row of the same probability
        SELECT p, y, count(*) OVER (ORDER BY p) - 1 AS last_tie FROM rows
    ), buckets AS (  -- of equal mass: a boundary within ties moves before all of them
        SELECT count(*)::float8 AS m, avg(y::float8) AS rate, avg(p) AS said
        FROM ordered, sizes
        GROUP BY (SELECT count(*) FROM generate_series(1, least(greatest(floor(worth / 10), 1), 10)::integer - 1) AS b
                  WHERE b * n::bigint / least(greatest(floor(worth / 10), 1), 10)::bigint <= last_tie)
    ), measured AS (
        SELECT m / n AS weight, m * worth / n AS effective, rate, said FROM buckets, sizes
    ), moments AS (
        SELECT sum(weight * ((rate - said) ^ 2 - rate * (1 - rate) / greatest(effective - 1, 1))) AS squared,
               sum(weight ^ 2 * variance) AS a, sum((weight * variance) ^ 2) AS c, 1.2815515655446004::float8 ^ 2 AS z2
        FROM measured, LATERAL (SELECT (rate * effective + 2) / (effective + 4) AS smooth) s,
             LATERAL (SELECT smooth * (1 - smooth) / effective AS variance) v
    ), bound AS (
        SELECT sqrt(greatest(squared, 0)) AS rms, sqrt(least(centre + sqrt(
                   centre ^ 2 - greatest(squared, 0) ^ 2 + 2 * c * z2), 1)) AS upper
        FROM moments, LATERAL (SELECT greatest(squared, 0) + 2 * a * z2 AS centre) m
        WHERE squared IS NOT NULL
    )
    SELECT (SELECT sum(error) / n FROM bucket_errors), n::bigint, worth, rms, upper,
           CASE WHEN worth >= 100 THEN
               CASE WHEN upper < 0.05 THEN 'good' WHEN upper < 0.10 THEN 'moderate' ELSE 'poor' END
           ELSE 'insufficient_data' END
    FROM sizes LEFT JOIN bound ON true
$$;
COMMENT ON FUNCTION accuracy.calculate_ece IS 'Calibration over the outcomes due in the last days as they were known at a moment, computed from them and not from stored buckets; insufficient_data below 100 effective rows.';

CREATE FUNCTION market.check_data_completeness(
    first_day date DEFAULT '-infinity', last_day date DEFAULT 'infinity')
RETURNS TABLE (symbol text, missing_dates date[]) LANGUAGE sql STABLE AS $$
    WITH bars AS MATERIALIZED (
        SELECT DISTINCT b.symbol, b.trading_day FROM market.market_data b
        WHERE b.trading_day BETWEEN first_day AND last_day
    ), spans AS (
        SELECT b.symbol, s.exchange, min(b.trading_day) AS first, max(b.trading_day) AS last
        FROM bars b JOIN market.symbols s USING (symbol) GROUP BY b.symbol, s.exchange
    ), sessions AS (
        SELECT DISTINCT s.exchange, b.trading_day FROM bars b JOIN market.symbols s USING (symbol)
    )
    SELECT p.symbol, array_agg(d.trading_day ORDER BY d.trading_day)
    FROM spans p JOIN sessions d ON d.exchange = p.exchange AND d.trading_day BETWEEN p.first AND p.last
    WHERE NOT EXISTS (SELECT FROM bars b WHERE b.symbol = p.symbol AND b.trading_day = d.trading_day)
    GROUP BY p.symbol ORDER BY p.symbol
$$;
COMMENT ON FUNCTION market.check_data_completeness IS 'Days without a bar between a symbol''s first and last, on which another symbol of its exchange has one. `predtrack gaps` knows the exchange''s calendar too.';

GRANT SELECT ON accuracy.coverage, accuracy.survival_curves, forecasts.v_due_queue TO predtrack_reader, predtrack_writer;
GRANT INSERT, UPDATE, DELETE ON accuracy.coverage, accuracy.survival_curves TO predtrack_writer;
GRANT ALL ON accuracy.coverage, accuracy.survival_curves, forecasts.v_due_queue TO predtrack_owner;
