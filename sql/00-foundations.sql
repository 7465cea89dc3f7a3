-- Roles, schemas and the functions that constraints and triggers of every room lean on.
-- A schema is a room. Facts carry knowledge_time (the first moment they could have been used) and
-- recorded_at (database clock). Views and functions for readers stand in views/<room>.sql.

-- Group roles without login: grant them to your own login roles. They belong to the whole server, so
-- several databases share them and may create them at once; hence the guard.
DO $$
DECLARE
    group_role text;
BEGIN
    FOREACH group_role IN ARRAY ARRAY['predtrack_owner', 'predtrack_writer', 'predtrack_reader'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', group_role);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        EXECUTE format('GRANT %I TO CURRENT_USER', group_role);
    END LOOP;
END $$;

-- A reader needs neither temporary tables nor large objects, which fill disks.
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO predtrack_writer, predtrack_owner', current_database());
    REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'temporary tables and large objects stay open to readers: only a superuser can close them';
END $$;

CREATE SCHEMA market;
CREATE SCHEMA features;
CREATE SCHEMA models;
CREATE SCHEMA forecasts;
CREATE SCHEMA accuracy;
CREATE SCHEMA deployment;
CREATE SCHEMA audit;
COMMENT ON SCHEMA market IS 'Daily bars, corporate actions, and the condition of the market.';
COMMENT ON SCHEMA features IS 'What is known of a symbol at the end of a day, as numbers for models.';
COMMENT ON SCHEMA models IS 'Model versions, their fits, and how each fit came about.';
COMMENT ON SCHEMA forecasts IS 'Predictions and their outcomes.';
COMMENT ON SCHEMA accuracy IS 'Scores, calibration and drift, computed from outcomes.';
COMMENT ON SCHEMA deployment IS 'Gates, champions, A/B tests, and what was changed.';
COMMENT ON SCHEMA audit IS 'The audit trail, and what the leaves of the ledger hold.';
GRANT USAGE ON SCHEMA market, features, models, forecasts, accuracy, deployment, audit
    TO predtrack_reader, predtrack_writer;
GRANT ALL ON SCHEMA market, features, models, forecasts, accuracy, deployment, audit TO predtrack_owner;

-- PostgreSQL holds NaN > 0 to be true, so every number is also tested against NaN and the infinities.
CREATE FUNCTION market.is_price(double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN $1 > 0 AND $1 < 'Infinity';
COMMENT ON FUNCTION market.is_price IS 'Positive and finite; NaN sorts above Infinity and so is refused.';

CREATE FUNCTION market.is_finite(double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN abs($1) < 'Infinity';  -- NaN is above; with $1 named once the planner inlines the body
COMMENT ON FUNCTION market.is_finite IS 'Neither NaN nor infinite.';

CREATE FUNCTION market.is_probability(double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN $1 BETWEEN 0 AND 1;
COMMENT ON FUNCTION market.is_probability IS 'Within [0, 1]; NaN is above every number and so is refused.';

-- Predictions and their outcomes cannot be rewritten, not even by the owner of the tables.
CREATE FUNCTION forecasts.refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = CASE TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME
                  WHEN 'forecasts.predictions' THEN 'What was predicted stays, and is predicted once. After a mistake register another version of the model and predict with it.'
                  WHEN 'forecasts.outcomes' THEN 'Write a new row: a correction is a revision with a later knowledge_time.'
                  ELSE 'What was written stays.' END;
END $$;
COMMENT ON FUNCTION forecasts.refuse_rewrite IS 'Of append-only tables: a correction is a new row.';
