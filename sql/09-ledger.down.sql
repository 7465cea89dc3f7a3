DROP TABLE forecasts.prediction_batches;
DROP TABLE audit.audit_trail;
DROP TABLE audit.row_encodings;
DROP FUNCTION audit.refuse_broken_chain();
DROP SCHEMA audit;
