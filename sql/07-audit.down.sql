DROP PROCEDURE audit.note_changes_of;
DROP FUNCTION audit.note_change CASCADE;
DROP FUNCTION audit.has_nothing_new;
DROP TABLE audit.completed_steps,
    audit.table_changes,
    audit.alert_clock,
    audit.alert_messages,
    audit.alert_silences,
    audit.alerts,
    audit.api_keys,
    audit.chain_locks,
    audit.audit_trail,
    forecasts.prediction_batches,
    audit.row_encodings;
DROP FUNCTION audit.refuse_broken_chain;
