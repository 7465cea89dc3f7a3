DROP FUNCTION market.check_data_completeness(date, date);
DROP FUNCTION accuracy.calculate_ece(text, text, integer, integer, timestamptz);
DROP FUNCTION accuracy.effective_sample_size(bigint[], bigint[], integer);
DROP TABLE accuracy.survival_curves;
DROP VIEW forecasts.v_due_queue;
DROP TABLE accuracy.coverage;

-- A view cannot lose columns; the older ones are made anew.
DROP VIEW accuracy.v_current_calibration;
DROP VIEW accuracy.v_current_performance;

-- What follows from outcomes is computed again.
DELETE FROM accuracy.calibration_metrics WHERE period IN ('daily', 'weekly');
DELETE FROM accuracy.calibration_summary WHERE period IN ('daily', 'weekly');
DELETE FROM accuracy.error_distribution WHERE period IN ('daily', 'weekly');
DELETE FROM accuracy.performance_analytics WHERE period IN ('daily', 'weekly');

ALTER TABLE accuracy.performance_analytics
    DROP CONSTRAINT performance_analytics_period_check,
    ADD CONSTRAINT performance_analytics_period_check
        CHECK (period IN ('rolling_30d', 'monthly', 'quarterly', 'yearly')),
    DROP COLUMN due,
    DROP COLUMN coverage;
ALTER TABLE accuracy.error_distribution
    DROP CONSTRAINT error_distribution_period_check,
    ADD CONSTRAINT error_distribution_period_check CHECK (period IN ('rolling_30d', 'monthly')),
    DROP COLUMN due,
    DROP COLUMN coverage;
ALTER TABLE accuracy.calibration_summary
    DROP CONSTRAINT calibration_summary_period_check,
    ADD CONSTRAINT calibration_summary_period_check CHECK (period IN ('rolling_30d', 'monthly')),
    DROP COLUMN ece_equal_mass,
    DROP COLUMN squared_calibration_error,
    DROP COLUMN miscalibration,
    DROP COLUMN discrimination,
    DROP COLUMN uncertainty,
    DROP COLUMN consistency_p_value;
ALTER TABLE accuracy.calibration_metrics
    DROP CONSTRAINT calibration_metrics_period_check,
    ADD CONSTRAINT calibration_metrics_period_check CHECK (period IN ('rolling_30d', 'monthly'));
DROP FUNCTION accuracy.period_start(text, date);

CREATE VIEW accuracy.v_current_performance AS
    SELECT DISTINCT ON (model_id, kind, horizon, score, baseline, period) *
    FROM accuracy.performance_analytics
    ORDER BY model_id, kind, horizon, score, baseline, period, period_end DESC;
COMMENT ON VIEW accuracy.v_current_performance IS 'The latest report of every model, score, baseline and period.';
CREATE VIEW accuracy.v_current_calibration AS
    SELECT DISTINCT ON (model_id, kind, event, horizon)
           model_id, kind, event, horizon, ece, n AS total_predictions, n_eff, calibration_quality, period_end
    FROM accuracy.calibration_summary
    WHERE period = 'rolling_30d'
    ORDER BY model_id, kind, event, horizon, period_end DESC;
COMMENT ON VIEW accuracy.v_current_calibration IS 'The latest rolling calibration of every model.';
GRANT SELECT ON accuracy.v_current_calibration, accuracy.v_current_performance TO predtrack_reader, predtrack_writer;
GRANT INSERT ON accuracy.v_current_calibration TO predtrack_writer;
GRANT ALL ON accuracy.v_current_calibration, accuracy.v_current_performance TO predtrack_owner;
