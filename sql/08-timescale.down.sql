-- Turn the hypertables back into plain tables: rows, triggers, rights, comments and names of indexes are kept.
DO $$
DECLARE
    big        text;
    plain      text;
    written    text;  -- the columns that are stored as given
    kept       text[];
    names      jsonb;  -- of indexes, by what they are of
    statement  text;
    made       record;
    definition CONSTANT text := '^CREATE (UNIQUE )?INDEX \S+ ON \S+ ';
BEGIN
    FOREACH big IN ARRAY ARRAY['market.market_data', 'features.feature_store',
                               'forecasts.predictions', 'forecasts.outcomes'] LOOP
        plain := big || '_plain';
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO written
        FROM pg_attribute
        WHERE attrelid = big::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
        SELECT array_agg(again) INTO kept FROM (
            SELECT pg_get_triggerdef(oid) FROM pg_trigger
            WHERE tgrelid = big::regclass AND NOT tgisinternal AND tgname NOT LIKE 'ts\_%'
            UNION ALL
            SELECT format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', big, tgname) FROM pg_trigger
            WHERE tgrelid = big::regclass AND tgenabled = 'A'
            UNION ALL
            SELECT format('GRANT %s ON %s TO %s', privilege_type, big,
                          CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
            FROM pg_class, aclexplode(relacl) WHERE oid = big::regclass
            UNION ALL
            SELECT format('GRANT %s (%I) ON %s TO %s', privilege_type, attname, big,
                          CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
            FROM pg_attribute, aclexplode(attacl) WHERE attrelid = big::regclass
            UNION ALL
            SELECT format('COMMENT ON TABLE %s IS %L', big, obj_description(big::regclass, 'pg_class'))
        ) AS kept (again);
        SELECT jsonb_object_agg(regexp_replace(pg_get_indexdef(indexrelid), definition, ''), relname) INTO names
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = big::regclass;

        EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', plain, big);
        EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s', plain, written, written, big);
        EXECUTE format('DROP TABLE %s', big);
        EXECUTE format('ALTER TABLE %s RENAME TO %I', plain, split_part(big, '.', 2));
        FOREACH statement IN ARRAY kept LOOP
            EXECUTE statement;
        END LOOP;
        FOR made IN
            SELECT indexrelid::regclass AS index,
                   names ->> regexp_replace(pg_get_indexdef(indexrelid), definition, '') AS name
            FROM pg_index WHERE indrelid = big::regclass
        LOOP
            EXECUTE format('ALTER INDEX %s RENAME TO %I', made.index, made.name);
        END LOOP;
    END LOOP;
    EXECUTE format('ALTER DATABASE %I RESET timescaledb.enable_skipscan', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'only the owner of the tables and of the database can do this: %', SQLERRM;
END $$;
