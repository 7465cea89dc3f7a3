DROP TABLE accuracy.drift_alerts,
    accuracy.drift_metrics,
    accuracy.accuracy_correlation,
    accuracy.survival_curves,
    accuracy.error_distribution,
    accuracy.symbol_accuracy,
    accuracy.calibration_summary,
    accuracy.day_sums;
