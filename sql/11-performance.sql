-- A row per model, kind, horizon, period, score and baseline; derived, so the writer may correct it.
CREATE TABLE accuracy.performance_analytics (
    model_id             text NOT NULL,
    kind                 text NOT NULL CHECK (kind IN ('price', 'direction', 'time_to_hit', 'volatility')),
    horizon              smallint NOT NULL,
    score                text NOT NULL CHECK (score IN ('brier', 'log_score', 'crps', 'qlike')),
    baseline             text NOT NULL CHECK (baseline IN ('no_change', 'climatology', 'drift')),
    period               text NOT NULL CHECK (period IN ('rolling_30d', 'monthly', 'quarterly', 'yearly')),
    period_start         date NOT NULL,
    period_end           date NOT NULL,
    n                    integer NOT NULL CHECK (n > 0),
    n_eff                double precision NOT NULL CHECK (market.is_finite(n_eff)),
    dates                integer NOT NULL CHECK (dates > 0),
    mean_score           double precision NOT NULL CHECK (mean_score >= 0 AND mean_score < 'Infinity'),
    mean_score_baseline  double precision NOT NULL CHECK (mean_score_baseline >= 0 AND mean_score_baseline < 'Infinity'),
    skill                double precision CHECK (market.is_finite(skill)),
    mean_difference      double precision NOT NULL CHECK (market.is_finite(mean_difference)),
    difference_low       double precision CHECK (market.is_finite(difference_low)),
    difference_high      double precision CHECK (market.is_finite(difference_high)),
    dm_statistic         double precision CHECK (market.is_finite(dm_statistic)),
    dm_p_value           double precision CHECK (market.is_probability(dm_p_value)),
    recorded_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (period_end, period, model_id, kind, horizon, score, baseline),
    CHECK ((dm_statistic IS NULL) = (dm_p_value IS NULL)),
    CHECK ((difference_low IS NULL) = (difference_high IS NULL))
);
COMMENT ON TABLE accuracy.performance_analytics IS 'Mean scores beside each baseline on the same rows, with interval and test of the difference.';
COMMENT ON COLUMN accuracy.performance_analytics.dates IS 'Due days with rows; the test is refused below 12 horizons of them.';
COMMENT ON COLUMN accuracy.performance_analytics.mean_score IS 'Lower is better, whichever the score.';
COMMENT ON COLUMN accuracy.performance_analytics.skill IS '1 - mean_score / mean_score_baseline.';
COMMENT ON COLUMN accuracy.performance_analytics.mean_difference IS 'Baseline minus model: positive where the model is better. difference_low, _high: 95 % on n_eff.';
COMMENT ON COLUMN accuracy.performance_analytics.dm_p_value IS 'Two-sided Diebold-Mariano test with fixed smoothing (Coroneo and Iacone 2020).';

CREATE VIEW accuracy.v_current_performance AS
    SELECT DISTINCT ON (model_id, kind, horizon, score, baseline, period) *
    FROM accuracy.performance_analytics
    ORDER BY model_id, kind, horizon, score, baseline, period, period_end DESC;
COMMENT ON VIEW accuracy.v_current_performance IS 'The latest report of every model, score, baseline and period.';

GRANT SELECT ON accuracy.performance_analytics, accuracy.v_current_performance TO predtrack_reader, predtrack_writer;
GRANT INSERT, UPDATE, DELETE ON accuracy.performance_analytics TO predtrack_writer;
GRANT ALL ON accuracy.performance_analytics, accuracy.v_current_performance TO predtrack_owner;
