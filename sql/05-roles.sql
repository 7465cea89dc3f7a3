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

DO $$
DECLARE
    stage text;
BEGIN
    FOREACH stage IN ARRAY ARRAY['market', 'models', 'forecasts', 'accuracy', 'deployment'] LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO predtrack_reader, predtrack_writer', stage);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO predtrack_reader, predtrack_writer', stage);
        EXECUTE format('GRANT INSERT ON ALL TABLES IN SCHEMA %I TO predtrack_writer', stage);
        EXECUTE format('GRANT ALL ON SCHEMA %I TO predtrack_owner', stage);
        EXECUTE format('GRANT ALL ON ALL TABLES IN SCHEMA %I TO predtrack_owner', stage);
    END LOOP;
END $$;

-- Derived tables are recomputed, so the writer may also correct and remove there; facts only grow.
GRANT UPDATE, DELETE ON market.market_conditions, accuracy.calibration_metrics, accuracy.calibration_summary,
    accuracy.symbol_accuracy, accuracy.error_distribution TO predtrack_writer;
GRANT UPDATE, DELETE ON market.universe_members TO predtrack_writer;
