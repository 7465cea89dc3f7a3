DROP TABLE forecasts.intake_files,
    forecasts.withdrawals,
    forecasts.intake_batches,
    forecasts.outcomes,
    forecasts.skipped_predictions,
    forecasts.predictions;
DROP FUNCTION forecasts.refuse_late_withdrawal, forecasts.prediction_id;
