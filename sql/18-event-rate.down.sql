ALTER TABLE accuracy.calibration_summary
    DROP COLUMN accuracy_rate,
    DROP COLUMN accuracy_low,
    DROP COLUMN accuracy_high;

COMMENT ON COLUMN accuracy.calibration_summary.event_rate IS NULL;
ALTER TABLE accuracy.calibration_summary RENAME COLUMN event_rate TO accuracy_rate;
ALTER TABLE accuracy.calibration_summary RENAME COLUMN event_low TO accuracy_low;
ALTER TABLE accuracy.calibration_summary RENAME COLUMN event_high TO accuracy_high;
ALTER TABLE accuracy.calibration_summary RENAME CONSTRAINT calibration_summary_event_rate_check TO calibration_summary_accuracy_rate_check;
ALTER TABLE accuracy.calibration_summary RENAME CONSTRAINT calibration_summary_event_low_check TO calibration_summary_accuracy_low_check;
ALTER TABLE accuracy.calibration_summary RENAME CONSTRAINT calibration_summary_event_high_check TO calibration_summary_accuracy_high_check;
