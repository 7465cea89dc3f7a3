DROP TRIGGER append_only ON deployment.deployments;
DROP TRIGGER append_only ON forecasts.outcomes;
DROP TRIGGER append_only ON forecasts.skipped_predictions;
DROP TRIGGER append_only ON forecasts.predictions;
DROP FUNCTION forecasts.refuse_rewrite();
