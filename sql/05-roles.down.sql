-- The roles stay, for other databases of the server may use them; their rights here go.
DO $$
DECLARE
    stage text;
BEGIN
    FOREACH stage IN ARRAY ARRAY['market', 'models', 'forecasts', 'accuracy', 'deployment'] LOOP
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM predtrack_owner, predtrack_writer, predtrack_reader', stage);
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM predtrack_owner, predtrack_writer, predtrack_reader', stage);
    END LOOP;
END $$;
