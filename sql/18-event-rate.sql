-- accuracy_rate means one thing everywhere: the share of right calls. The share of rows whose event came true is event_rate.

ALTER TABLE accuracy.calibration_summary RENAME COLUMN accuracy_rate TO event_rate;
ALTER TABLE accuracy.calibration_summary RENAME COLUMN accuracy_low TO event_low;
ALTER TABLE accuracy.calibration_summary RENAME COLUMN accuracy_high TO event_high;
ALTER TABLE accuracy.calibration_summary RENAME CONSTRAINT calibration_summary_accuracy_rate_check TO calibration_summary_event_rate_check;
ALTER TABLE accuracy.calibration_summary RENAME CONSTRAINT calibration_summary_accuracy_low_check TO calibration_summary_event_low_check;
ALTER TABLE accuracy.calibration_summary RENAME CONSTRAINT calibration_summary_accuracy_high_check TO calibration_summary_event_high_check;

ALTER TABLE accuracy.calibration_summary
    ADD COLUMN accuracy_rate  double precision CHECK (market.is_probability(accuracy_rate)),
    ADD COLUMN accuracy_low   double precision CHECK (market.is_probability(accuracy_low)),
    ADD COLUMN accuracy_high  double precision CHECK (market.is_probability(accuracy_high));
COMMENT ON COLUMN accuracy.calibration_summary.event_rate IS 'Share of the n rows whose event came true (of a direction: days up), between event_low and event_high: Wilson, 95 %, on n_eff.';
COMMENT ON COLUMN accuracy.calibration_summary.accuracy_rate IS 'Share of the n calls that came true, as in symbol_accuracy: the event of a price, the likelier side of a direction or a touch. NULL in reports of before this column.';
COMMENT ON COLUMN accuracy.calibration_summary.accuracy_low IS 'To accuracy_high: Wilson, 95 %, on the effective size of the calls, which is not that of the events.';
