-- requires: timescaledb
-- One chunk a year for daily bars: about 260,000 rows for a thousand symbols.
CREATE EXTENSION IF NOT EXISTS timescaledb;

SELECT create_hypertable('market.market_data', by_range('trading_day', INTERVAL '1 year'), migrate_data => true);
SELECT create_hypertable('features.feature_store', by_range('trading_day', INTERVAL '1 year'), migrate_data => true);
SELECT create_hypertable('forecasts.predictions', by_range('trading_day', INTERVAL '3 months'), migrate_data => true);
SELECT create_hypertable('forecasts.outcomes', by_range('trading_day', INTERVAL '3 months'), migrate_data => true);

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
