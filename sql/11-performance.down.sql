DROP VIEW accuracy.v_current_performance;
DROP TABLE accuracy.performance_analytics;
