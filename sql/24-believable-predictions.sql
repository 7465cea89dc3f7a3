-- What no prediction can be, whoever writes it: CHECKs hold for superusers too, with triggers off. Their names
-- are what a writer reads, so they are the rules (docs/predictions.md).

-- AT TIME ZONE INTERVAL '0' is UTC without looking a zone up.
ALTER TABLE forecasts.predictions
    DROP CONSTRAINT predictions_check,  -- due_day > trading_day: due_day_fits_the_horizon says more
    ADD CONSTRAINT as_of_is_24_00_utc_of_the_trading_day CHECK (
        as_of AT TIME ZONE INTERVAL '0' = trading_day + 1) NOT VALID,
    -- No exchange closed for longer than a week, five days in seven are sessions: a fortnight on top is generous.
    ADD CONSTRAINT due_day_fits_the_horizon CHECK (
        due_day - trading_day BETWEEN horizon AND horizon * 3 / 2 + 14) NOT VALID,
    -- A close can be known on the due day, a touch or a range from the first session on.
    ADD CONSTRAINT knowable_at_is_by_the_end_of_the_due_day CHECK (
        knowable_at AT TIME ZONE INTERVAL '0' BETWEEN trading_day AND due_day + 1) NOT VALID,
    ADD CONSTRAINT knowable_at_of_a_path_is_the_next_opening CHECK (
        kind IN ('price', 'direction') OR knowable_at AT TIME ZONE INTERVAL '0' <= trading_day + 15) NOT VALID,
    ADD CONSTRAINT model_id_has_1_to_100_characters CHECK (length(model_id) BETWEEN 1 AND 100) NOT VALID,
    ADD CONSTRAINT symbol_has_1_to_32_characters_and_no_space CHECK (
        length(symbol) BETWEEN 1 AND 32 AND strpos(symbol, ' ') = 0) NOT VALID,
    ADD CONSTRAINT artifact_id_has_at_most_200_characters CHECK (length(artifact_id) <= 200) NOT VALID,
    ADD CONSTRAINT live_is_recorded_before_it_is_knowable CHECK (origin = 'replay' OR recorded_at < knowable_at) NOT VALID;

-- A home that holds rows against the rules keeps them; it takes no more of them.
DO $$
BEGIN
    ALTER TABLE forecasts.predictions
        VALIDATE CONSTRAINT as_of_is_24_00_utc_of_the_trading_day,
        VALIDATE CONSTRAINT due_day_fits_the_horizon,
        VALIDATE CONSTRAINT knowable_at_is_by_the_end_of_the_due_day,
        VALIDATE CONSTRAINT knowable_at_of_a_path_is_the_next_opening,
        VALIDATE CONSTRAINT model_id_has_1_to_100_characters,
        VALIDATE CONSTRAINT symbol_has_1_to_32_characters_and_no_space,
        VALIDATE CONSTRAINT artifact_id_has_at_most_200_characters,
        VALIDATE CONSTRAINT live_is_recorded_before_it_is_knowable;
EXCEPTION WHEN check_violation THEN
    RAISE WARNING 'stored predictions break a rule that is new, and stay as they are: %', SQLERRM;
END $$;

ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_kind_check TO kind_is_known;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_horizon_check TO horizon_is_1_to_252_sessions;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_origin_check TO origin_is_live_or_replay;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT quantiles_ordered TO quantiles_are_in_order;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT target_is_complete TO target_is_complete_and_on_its_side;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_confidence_check TO confidence_is_0_to_1;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_climatology_check TO climatology_is_0_to_1;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_p_within_band_check TO p_within_band_is_0_to_1;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_reference_price_check TO reference_price_is_positive;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_sigma_check TO sigma_is_positive;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_predicted_price_check TO predicted_price_is_positive;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_target_price_check TO target_price_is_positive;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_predicted_days_check TO predicted_days_is_positive;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_predicted_volatility_check TO predicted_volatility_is_positive;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_q05_check TO q05_is_finite;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_q10_check TO q10_is_finite;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_q25_check TO q25_is_finite;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_q50_check TO q50_is_finite;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_q75_check TO q75_is_finite;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_q90_check TO q90_is_finite;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_q95_check TO q95_is_finite;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_side_check TO side_is_above_or_below;
ALTER TABLE forecasts.predictions RENAME CONSTRAINT predictions_hit_rule_check TO hit_rule_is_touch_or_close;

-- When a row was written is the database's to say.
REVOKE INSERT ON forecasts.predictions FROM predtrack_writer;
GRANT INSERT (model_id, kind, symbol, trading_day, as_of, horizon, due_day, event, confidence, reference_price, sigma,
              climatology, predicted_price, q05, q10, q25, q50, q75, q90, q95, p_within_band, target_price, side,
              hit_rule, predicted_days, feature_digest, knowable_at, origin, predicted_volatility, artifact_id)
    ON forecasts.predictions TO predtrack_writer;

COMMENT ON COLUMN forecasts.predictions.reference_price IS 'S0: close of D known at as_of, as traded. Another one is not scored.';
COMMENT ON COLUMN forecasts.predictions.knowable_at IS 'First moment the outcome could be known: close of the due day, or of a touch or a volatility the opening of the session after D. Sealing takes the earlier of this and the calendar''s.';
COMMENT ON COLUMN forecasts.predictions.origin IS 'What the writer says, live only if recorded before knowable_at. What is proven is the origin of its batch in forecasts.prediction_batches.';

-- Why a prediction ended without a result, where it is not for want of a price.
ALTER TABLE forecasts.outcomes ADD COLUMN reason text,
    ADD CONSTRAINT reason_of_what_has_no_result CHECK (
        reason IS NULL OR (status = 'expired' AND reason IN ('reference_price_is_not_the_close')));
COMMENT ON COLUMN forecasts.outcomes.reason IS 'Of an expired one: reference_price_is_not_the_close, where S0 was no close of D known at as_of. NULL: no price came.';

CREATE OR REPLACE VIEW forecasts.prediction_status AS
    SELECT p.prediction_id, p.model_id, p.kind, p.symbol, p.trading_day, p.horizon, p.due_day,
           coalesce(o.status, 'pending') AS status, o.reason
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(p.trading_day, p.symbol, p.model_id, p.kind, p.horizon) o ON true
    UNION ALL
    SELECT NULL, model_id, kind, symbol, trading_day, horizon, NULL, 'skipped', reason
    FROM forecasts.skipped_predictions s
    WHERE NOT EXISTS (  -- once refused, written since
        SELECT FROM forecasts.predictions p
        WHERE (p.trading_day, p.symbol, p.model_id) = (s.trading_day, s.symbol, s.model_id)
          AND (s.kind = '*' OR (p.kind, p.horizon) = (s.kind, s.horizon)));
