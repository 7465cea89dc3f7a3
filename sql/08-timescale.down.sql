-- Turn the hypertables back into plain tables, rows kept.
DO $$
DECLARE
    big regclass;
BEGIN
    FOREACH big IN ARRAY ARRAY['market.market_data', 'forecasts.predictions', 'forecasts.outcomes']::regclass[] LOOP
        EXECUTE format('CREATE TABLE %s_plain (LIKE %s INCLUDING ALL)', big, big);
        EXECUTE format('INSERT INTO %s_plain OVERRIDING SYSTEM VALUE SELECT * FROM %s', big, big);
        EXECUTE format('DROP TABLE %s CASCADE', big);
        EXECUTE format('ALTER TABLE %s_plain RENAME TO %s', big, split_part(big::text, '.', 2));
    END LOOP;
END $$;
