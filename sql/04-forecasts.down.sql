DROP TABLE forecasts.intake_batches,
    forecasts.outcomes,
    forecasts.skipped_predictions,
    forecasts.predictions;
DROP FUNCTION forecasts.prediction_id;
