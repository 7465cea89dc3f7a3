-- A volatility prediction speaks about no event, so it has no confidence and no base rate.
ALTER TABLE forecasts.predictions
    ADD COLUMN predicted_volatility double precision CHECK (market.is_price(predicted_volatility)),
    ALTER COLUMN event DROP NOT NULL,
    ALTER COLUMN confidence DROP NOT NULL,
    ALTER COLUMN climatology DROP NOT NULL,
    DROP CONSTRAINT predictions_kind_check,
    DROP CONSTRAINT event_of_its_kind,
    ADD CONSTRAINT predictions_kind_check CHECK (
        kind IN ('price', 'direction', 'time_to_hit', 'volatility')),
    ADD CONSTRAINT event_of_its_kind CHECK (CASE kind
        WHEN 'volatility' THEN event IS NULL
        ELSE event IS NOT NULL
            AND (kind, event) IN (('price', 'within_5pct'), ('direction', 'up'), ('time_to_hit', 'hit')) END),
    ADD CONSTRAINT probability_of_its_event CHECK (
        (event IS NULL) = (confidence IS NULL) AND (event IS NULL) = (climatology IS NULL)),
    ADD CONSTRAINT volatility_is_complete CHECK (
        (kind = 'volatility') = (predicted_volatility IS NOT NULL));
COMMENT ON COLUMN forecasts.predictions.predicted_volatility IS 'Expected standard deviation of the daily log returns over (D, T].';

ALTER TABLE forecasts.outcomes
    ADD COLUMN realised_volatility double precision
        CHECK (realised_volatility >= 0 AND realised_volatility < 'Infinity'),
    ADD COLUMN qlike double precision CHECK (qlike >= 0 AND qlike < 'Infinity'),
    ADD COLUMN qlike_no_change double precision CHECK (qlike_no_change >= 0 AND qlike_no_change < 'Infinity'),
    ALTER COLUMN event DROP NOT NULL,
    ALTER COLUMN confidence DROP NOT NULL,
    DROP CONSTRAINT validated_has_a_result,
    ADD CONSTRAINT validated_has_a_result CHECK (CASE kind
        WHEN 'volatility' THEN occurred IS NULL AND score IS NULL
            AND (status = 'validated') = (realised_volatility IS NOT NULL AND qlike IS NOT NULL)
        ELSE (status = 'validated') = (occurred IS NOT NULL AND score IS NOT NULL) END),
    ADD CONSTRAINT probability_of_its_event CHECK (
        (kind = 'volatility') = (event IS NULL) AND (event IS NULL) = (confidence IS NULL));
COMMENT ON COLUMN forecasts.outcomes.realised_volatility IS 'sqrt(mean of squared daily log returns over (D, T]), splits undone.';
COMMENT ON COLUMN forecasts.outcomes.qlike IS 'x - ln x - 1, x = (realised / predicted)^2; qlike_no_change takes sigma as the prediction.';

-- The views list the columns that were there when they were made.
CREATE OR REPLACE VIEW forecasts.outcomes_current AS
    SELECT DISTINCT ON (trading_day, symbol, model_id, kind, horizon) *
    FROM forecasts.outcomes
    ORDER BY trading_day DESC, symbol DESC, model_id DESC, kind DESC, horizon DESC, knowledge_time DESC;

CREATE VIEW forecasts.volatility_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.predicted_volatility, p.sigma,
           p.reference_price, p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.realised_volatility, o.qlike,
           o.qlike_no_change, o.knowledge_time AS validated_at
    FROM forecasts.predictions p
    LEFT JOIN forecasts.outcomes_current o USING (trading_day, symbol, model_id, kind, horizon)
    WHERE p.kind = 'volatility';
COMMENT ON VIEW forecasts.volatility_predictions IS 'Volatility predictions beside what came of them.';

GRANT SELECT ON forecasts.volatility_predictions TO predtrack_reader, predtrack_writer;
GRANT ALL ON forecasts.volatility_predictions TO predtrack_owner;

-- Known by its bare name, it says more from now on.
UPDATE models.model_registry SET kinds = kinds || '{volatility}'::text[]
WHERE model_id = 'no_change' AND NOT 'volatility' = ANY(kinds);
