DROP VIEW accuracy.v_degraded_models;
DROP VIEW accuracy.v_open_drift_alerts;
DROP VIEW accuracy.v_drift_alerts;
DROP FUNCTION accuracy.drift_alerts_at(date);
DROP TABLE accuracy.drift_alerts;
DROP TABLE accuracy.drift_metrics;
