-- What was said and what came of it cannot be rewritten, not even by the owner of the tables.
CREATE FUNCTION forecasts.refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'Write a new row; a correction is a revision of its own.';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON forecasts.predictions
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON forecasts.skipped_predictions
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON forecasts.outcomes
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deployment.deployments
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts.refuse_rewrite();
