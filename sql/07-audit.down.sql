DROP TABLE audit.alert_clock,
    audit.alert_messages,
    audit.alert_silences,
    audit.alerts,
    audit.api_keys,
    audit.chain_locks,
    audit.audit_trail,
    forecasts.prediction_batches,
    audit.row_encodings;
DROP FUNCTION audit.refuse_broken_chain;
