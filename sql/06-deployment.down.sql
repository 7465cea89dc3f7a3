DROP TABLE deployment.event_notifications,
    deployment.improvement_events,
    deployment.ab_tests,
    deployment.deployments,
    deployment.gate_overrides,
    deployment.deployment_gates;
DROP FUNCTION deployment.name_gate,
    deployment.guard_symbol_gate,
    deployment.guard_override,
    deployment.guard_deployment,
    deployment.record_deployment,
    deployment.roll_back_test;
