-- The view as in 22-fast-views.
CREATE OR REPLACE VIEW forecasts.prediction_status AS
    SELECT p.prediction_id, p.model_id, p.kind, p.symbol, p.trading_day, p.horizon, p.due_day,
           coalesce(o.status, 'pending') AS status, NULL::text AS reason
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(p.trading_day, p.symbol, p.model_id, p.kind, p.horizon) o ON true
    UNION ALL
    SELECT NULL, model_id, kind, symbol, trading_day, horizon, NULL, 'skipped', reason
    FROM forecasts.skipped_predictions s
    WHERE NOT EXISTS (  -- once refused, written since
        SELECT FROM forecasts.predictions p
        WHERE (p.trading_day, p.symbol, p.model_id) = (s.trading_day, s.symbol, s.model_id)
          AND (s.kind = '*' OR (p.kind, p.horizon) = (s.kind, s.horizon)));

ALTER TABLE forecasts.outcomes DROP COLUMN reason;

ALTER TABLE forecasts.predictions RENAME CONSTRAINT kind_is_known TO predictions_kind_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT horizon_is_1_to_252_sessions TO predictions_horizon_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT origin_is_live_or_replay TO predictions_origin_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT quantiles_are_in_order TO quantiles_ordered;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT target_is_complete_and_on_its_side TO target_is_complete;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT confidence_is_0_to_1 TO predictions_confidence_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT climatology_is_0_to_1 TO predictions_climatology_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT p_within_band_is_0_to_1 TO predictions_p_within_band_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT reference_price_is_positive TO predictions_reference_price_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT sigma_is_positive TO predictions_sigma_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predicted_price_is_positive TO predictions_predicted_price_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT target_price_is_positive TO predictions_target_price_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predicted_days_is_positive TO predictions_predicted_days_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predicted_volatility_is_positive TO predictions_predicted_volatility_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT q05_is_finite TO predictions_q05_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT q10_is_finite TO predictions_q10_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT q25_is_finite TO predictions_q25_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT q50_is_finite TO predictions_q50_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT q75_is_finite TO predictions_q75_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT q90_is_finite TO predictions_q90_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT q95_is_finite TO predictions_q95_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT side_is_above_or_below TO predictions_side_check;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT hit_rule_is_touch_or_close TO predictions_hit_rule_check;
ALTER TABLE forecasts.predictions
    ADD CONSTRAINT predictions_check CHECK (due_day > trading_day),
    DROP CONSTRAINT as_of_is_24_00_utc_of_the_trading_day,
    DROP CONSTRAINT due_day_fits_the_horizon,
    DROP CONSTRAINT knowable_at_is_by_the_end_of_the_due_day,
    DROP CONSTRAINT knowable_at_of_a_path_is_the_next_opening,
    DROP CONSTRAINT model_id_has_1_to_100_characters,
    DROP CONSTRAINT symbol_has_1_to_32_characters_and_no_space,
    DROP CONSTRAINT artifact_id_has_at_most_200_characters,
    DROP CONSTRAINT live_is_recorded_before_it_is_knowable;
REVOKE INSERT ON forecasts.predictions FROM predtrack_writer;
GRANT INSERT ON forecasts.predictions TO predtrack_writer;
COMMENT ON COLUMN forecasts.predictions.reference_price IS 'S0: last close known at as_of, as traded on D.';
COMMENT ON COLUMN forecasts.predictions.origin IS 'live: committed before knowable_at, the first moment its outcome could be known. Otherwise replay.';
COMMENT ON COLUMN forecasts.predictions.knowable_at IS NULL;
