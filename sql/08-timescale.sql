-- requires: timescaledb
-- Big tables as hypertables: one chunk a year of bars and vectors (260,000 rows for a thousand symbols), four of forecasts.
CREATE EXTENSION IF NOT EXISTS timescaledb;

-- Rows that are there move into chunks by TRUNCATE, which append-only tables refuse: their trigger rests
-- meanwhile, behind the lock that ALTER TABLE takes. The keys begin with or hold the day: no index of its own.
DO $$
DECLARE
    big         record;
    append_only boolean;
BEGIN
    FOR big IN SELECT * FROM (VALUES
        ('market.market_data', INTERVAL '1 year'),
        ('features.feature_store', INTERVAL '1 year'),
        ('forecasts.predictions', INTERVAL '3 months'),
        ('forecasts.outcomes', INTERVAL '3 months')) AS tables (name, chunk)
    LOOP
        append_only := EXISTS (
            SELECT FROM pg_trigger WHERE tgrelid = big.name::regclass AND tgname = 'append_only');
        IF append_only THEN
            EXECUTE format('ALTER TABLE %s DISABLE TRIGGER append_only', big.name);
        END IF;
        PERFORM create_hypertable(big.name::regclass, by_range('trading_day', big.chunk),
                                  create_default_indexes => false, migrate_data => true);
        IF append_only THEN
            EXECUTE format('ALTER TABLE %s ENABLE TRIGGER append_only', big.name);
        END IF;
    END LOOP;
END $$;

-- The columnstore is community-licensed: used where the server has it, and only for years vendors no longer correct.
DO $$
BEGIN
    ALTER TABLE market.market_data SET (
        timescaledb.compress, timescaledb.compress_segmentby = 'symbol',
        timescaledb.compress_orderby = 'trading_day, knowledge_time');
    PERFORM add_compression_policy('market.market_data', INTERVAL '2 years');
EXCEPTION WHEN feature_not_supported OR undefined_function OR invalid_parameter_value THEN
    RAISE NOTICE 'columnstore not available: %', SQLERRM;
END $$;

-- SkipScan plans DISTINCT ON as one descent for each distinct key. Here nearly every row is one, so that the
-- views of latest revisions are 3 to 28 times slower with it.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET timescaledb.enable_skipscan = off', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'only the owner of database % can turn SkipScan off: ALTER DATABASE % SET timescaledb.enable_skipscan = off',
        current_database(), quote_ident(current_database());
END $$;
