DROP VIEW accuracy.v_success_metrics;
DROP VIEW forecasts.v_origins;
DROP VIEW forecasts.model_predictions;
DROP VIEW forecasts.price_predictions;
CREATE VIEW forecasts.price_predictions AS
    SELECT p.prediction_id AS id, p.model_id, p.symbol, p.predicted_price, p.confidence AS confidence_score,
           p.reference_price, p.as_of AS prediction_date, p.due_day AS validation_date, p.horizon,
           coalesce(o.status, 'pending') AS validation_status, o.actual_price, o.accuracy_pct,
           abs(o.relative_error) AS error_magnitude, o.error_direction, o.log_error,
           o.occurred AS within_5pct, o.within_band, o.knowledge_time AS validated_at, p.trading_day
    FROM forecasts.predictions p
    LEFT JOIN LATERAL forecasts.latest_outcome(p.trading_day, p.symbol, p.model_id, p.kind, p.horizon) o ON true
    WHERE p.kind = 'price';
COMMENT ON VIEW forecasts.price_predictions IS 'Price predictions beside what came of them.';
GRANT SELECT ON forecasts.price_predictions TO predtrack_reader, predtrack_writer;
GRANT ALL ON forecasts.price_predictions TO predtrack_owner;
DROP VIEW forecasts.recommendations;
DROP FUNCTION forecasts.probability_below;
DROP FUNCTION forecasts.was_right;
DROP FUNCTION forecasts.advised;
DROP FUNCTION forecasts.implied_median;
DROP FUNCTION forecasts.normal_quantile;
DROP FUNCTION forecasts.recommendation_cost;
DROP FUNCTION forecasts.recommendation_band;
