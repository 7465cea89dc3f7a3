-- The predictions of the kind go with it, and with them the views over their columns.
DROP VIEW forecasts.volatility_predictions;
DROP VIEW forecasts.time_predictions;
DROP VIEW forecasts.direction_predictions;
DROP VIEW forecasts.price_predictions;
DROP VIEW forecasts.prediction_status;
DROP VIEW forecasts.outcomes_current;

UPDATE models.model_registry SET kinds = array_remove(kinds, 'volatility');
ALTER TABLE forecasts.outcomes DISABLE TRIGGER append_only;
ALTER TABLE forecasts.predictions DISABLE TRIGGER append_only;
DELETE FROM forecasts.outcomes WHERE kind = 'volatility';
DELETE FROM forecasts.predictions WHERE kind = 'volatility';
ALTER TABLE forecasts.outcomes ENABLE TRIGGER append_only;
ALTER TABLE forecasts.predictions ENABLE TRIGGER append_only;

ALTER TABLE forecasts.outcomes
    DROP CONSTRAINT probability_of_its_event,
    DROP CONSTRAINT validated_has_a_result,
    ADD CONSTRAINT validated_has_a_result CHECK ((status = 'validated') = (occurred IS NOT NULL AND score IS NOT NULL)),
    ALTER COLUMN event SET NOT NULL,
    ALTER COLUMN confidence SET NOT NULL,
    DROP COLUMN realised_volatility,
    DROP COLUMN qlike,
    DROP COLUMN qlike_no_change;
ALTER TABLE forecasts.predictions
    DROP CONSTRAINT probability_of_its_event,
    DROP CONSTRAINT volatility_is_complete,
    DROP CONSTRAINT predictions_kind_check,
    DROP CONSTRAINT event_of_its_kind,
    ADD CONSTRAINT predictions_kind_check CHECK (kind IN ('price', 'direction', 'time_to_hit')),
    ADD CONSTRAINT event_of_its_kind CHECK (
        (kind, event) IN (('price', 'within_5pct'), ('direction', 'up'), ('time_to_hit', 'hit'))),
    ALTER COLUMN event SET NOT NULL,
    ALTER COLUMN confidence SET NOT NULL,
    ALTER COLUMN climatology SET NOT NULL,
    DROP COLUMN predicted_volatility;

-- As in 04-views-and-functions and 05-roles.
CREATE VIEW forecasts.outcomes_current AS
    SELECT DISTINCT ON (trading_day, symbol, model_id, kind, horizon) *
    FROM forecasts.outcomes
    ORDER BY trading_day DESC, symbol DESC, model_id DESC, kind DESC, horizon DESC, knowledge_time DESC;
COMMENT ON VIEW forecasts.outcomes_current IS 'The latest revision of every outcome.';

CREATE VIEW forecasts.prediction_status AS
    SELECT p.prediction_id, p.model_id, p.kind, p.symbol, p.trading_day, p.horizon, p.due_day,
           coalesce(o.status, 'pending') AS status, NULL::text AS reason
    FROM forecasts.predictions p
    LEFT JOIN forecasts.outcomes_current o USING (trading_day, symbol, model_id, kind, horizon)
    UNION ALL
    SELECT NULL, model_id, kind, symbol, trading_day, horizon, NULL, 'skipped', reason
    FROM forecasts.skipped_predictions s
    WHERE NOT EXISTS (  -- once refused, written since
        SELECT FROM forecasts.predictions p
        WHERE (p.trading_day, p.symbol, p.model_id, p.kind, p.horizon)
            = (s.trading_day, s.symbol, s.model_id, s.kind, s.horizon));
COMMENT ON VIEW forecasts.prediction_status IS 'Every prediction in exactly one of pending, validated, expired, skipped.';

CREATE VIEW forecasts.price_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.predicted_price, p.confidence AS confidence_score,
           p.reference_price, p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.actual_price, o.accuracy_pct,
           abs(o.relative_error) AS error_magnitude, o.error_direction, o.log_error,
           o.occurred AS within_5pct, o.within_band, o.knowledge_time AS validated_at
    FROM forecasts.predictions p
    LEFT JOIN forecasts.outcomes_current o USING (trading_day, symbol, model_id, kind, horizon)
    WHERE p.kind = 'price';
COMMENT ON VIEW forecasts.price_predictions IS 'Price predictions beside what came of them.';

CREATE VIEW forecasts.direction_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.confidence AS p_up, p.reference_price,
           p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.occurred AS went_up,
           o.actual_return, o.knowledge_time AS validated_at
    FROM forecasts.predictions p
    LEFT JOIN forecasts.outcomes_current o USING (trading_day, symbol, model_id, kind, horizon)
    WHERE p.kind = 'direction';
COMMENT ON VIEW forecasts.direction_predictions IS 'Direction predictions beside what came of them.';

CREATE VIEW forecasts.time_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.target_price, p.side, p.hit_rule, p.predicted_days,
           p.confidence AS p_hit, p.reference_price, p.as_of AS prediction_date, p.due_day AS deadline, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.occurred AS hit, o.actual_days,
           o.days_error, o.error_category, o.knowledge_time AS validated_at
    FROM forecasts.predictions p
    LEFT JOIN forecasts.outcomes_current o USING (trading_day, symbol, model_id, kind, horizon)
    WHERE p.kind = 'time_to_hit';
COMMENT ON VIEW forecasts.time_predictions IS 'Time-to-hit predictions beside what came of them.';

GRANT SELECT ON forecasts.outcomes_current, forecasts.prediction_status, forecasts.price_predictions,
    forecasts.direction_predictions, forecasts.time_predictions TO predtrack_reader, predtrack_writer;
GRANT INSERT ON forecasts.outcomes_current, forecasts.prediction_status, forecasts.price_predictions,
    forecasts.direction_predictions, forecasts.time_predictions TO predtrack_writer;
GRANT ALL ON forecasts.outcomes_current, forecasts.prediction_status, forecasts.price_predictions,
    forecasts.direction_predictions, forecasts.time_predictions TO predtrack_owner;
