DROP TABLE models.optimization_results,
    models.optimization_attempts,
    models.optimization_tasks,
    features.feature_importance,
    models.prediction_scores,
    models.walk_forward_scores,
    models.model_artifacts,
    models.trials,
    models.training_runs,
    models.model_registry;
DROP FUNCTION models.finish_once,
    models.only_status;
