DROP TRIGGER roll_back_test ON deployment.deployments;
DROP FUNCTION deployment.roll_back_test();
DROP VIEW models.v_optimization_tasks;
DROP TABLE models.optimization_results;
DROP TABLE models.optimization_attempts;
DROP TABLE models.optimization_tasks;
