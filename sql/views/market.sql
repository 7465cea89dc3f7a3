-- Bars and actions as they were known. "Current" is the latest revision; "as of" is the latest revision known by then.
-- Sorting backward lets both walk the primary key without a sort.
CREATE FUNCTION market.market_data_as_of(as_of timestamptz) RETURNS SETOF market.market_data
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT DISTINCT ON (symbol, trading_day) *
    FROM market.market_data
    WHERE knowledge_time <= as_of
    ORDER BY symbol DESC, trading_day DESC, knowledge_time DESC
$$;
COMMENT ON FUNCTION market.market_data_as_of IS 'Bars as they were known at a moment. Filter by symbol or trading_day: both reach the indexes.';

CREATE FUNCTION market.corporate_actions_as_of(as_of timestamptz) RETURNS SETOF market.corporate_actions
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT * FROM (
        SELECT DISTINCT ON (symbol, ex_date, kind) *
        FROM market.corporate_actions
        WHERE knowledge_time <= as_of
        ORDER BY symbol DESC, ex_date DESC, kind DESC, knowledge_time DESC
    ) latest
    WHERE value IS NOT NULL
$$;
COMMENT ON FUNCTION market.corporate_actions_as_of IS 'Splits and dividends known at a moment, withdrawn ones left out.';

CREATE FUNCTION market.adjusted_bars_as_of(as_of timestamptz, of_symbol text)
RETURNS TABLE (symbol text, trading_day date, open double precision, high double precision,
               low double precision, close double precision, volume double precision)
    LANGUAGE sql STABLE AS $$
    WITH bars AS (
        SELECT b.* FROM market.market_data_as_of(as_of) b WHERE b.symbol = of_symbol
    ), factors AS (
        SELECT b.trading_day, coalesce(exp(sum(ln(a.value))), 1) AS split_factor
        FROM bars b
        LEFT JOIN market.corporate_actions_as_of(as_of) a
            ON a.symbol = b.symbol AND a.kind = 'split' AND a.ex_date > b.trading_day
            AND a.ex_date <= (as_of AT TIME ZONE 'UTC')::date
        GROUP BY b.trading_day
    )
    SELECT b.symbol, b.trading_day, b.open / split_factor, b.high / split_factor, b.low / split_factor,
           b.close / split_factor, b.volume * split_factor
    FROM bars b JOIN factors USING (trading_day)
    ORDER BY b.trading_day
$$;
COMMENT ON FUNCTION market.adjusted_bars_as_of IS 'One symbol''s history in the share basis of a moment: splits known by then are applied.';

CREATE FUNCTION market.check_data_completeness(
    first_day date DEFAULT '-infinity', last_day date DEFAULT 'infinity')
RETURNS TABLE (symbol text, missing_dates date[]) LANGUAGE sql STABLE AS $$
    WITH bars AS MATERIALIZED (
        SELECT DISTINCT b.symbol, b.trading_day FROM market.market_data b
        WHERE b.trading_day BETWEEN first_day AND last_day
    ), spans AS (
        SELECT b.symbol, s.exchange, min(b.trading_day) AS first, max(b.trading_day) AS last
        FROM bars b JOIN market.symbols s USING (symbol) GROUP BY b.symbol, s.exchange
    ), sessions AS (
        SELECT DISTINCT s.exchange, b.trading_day FROM bars b JOIN market.symbols s USING (symbol)
    )
    SELECT p.symbol, array_agg(d.trading_day ORDER BY d.trading_day)
    FROM spans p JOIN sessions d ON d.exchange = p.exchange AND d.trading_day BETWEEN p.first AND p.last
    WHERE NOT EXISTS (SELECT FROM bars b WHERE b.symbol = p.symbol AND b.trading_day = d.trading_day)
    GROUP BY p.symbol ORDER BY p.symbol
$$;
COMMENT ON FUNCTION market.check_data_completeness IS 'Days without a bar between a symbol''s first and last, on which another symbol of its exchange has one. `predtrack gaps` knows the exchange''s calendar too.';

CREATE VIEW market.market_data_current AS
    SELECT DISTINCT ON (symbol, trading_day) *
    FROM market.market_data
    ORDER BY symbol DESC, trading_day DESC, knowledge_time DESC;
COMMENT ON VIEW market.market_data_current IS 'The latest revision of every bar.';

CREATE VIEW market.corporate_actions_current AS
    SELECT * FROM market.corporate_actions_as_of('infinity');
COMMENT ON VIEW market.corporate_actions_current IS 'The latest revision of every split and dividend, withdrawn ones left out.';

CREATE VIEW market.v_current_market AS
    SELECT * FROM market.market_conditions ORDER BY trading_day DESC LIMIT 1;
COMMENT ON VIEW market.v_current_market IS 'Market conditions of the newest trading day.';

CREATE VIEW market.v_last_bars AS
    SELECT s.symbol, s.exchange, b.trading_day AS last_bar,
           max(b.trading_day) OVER (PARTITION BY s.exchange) AS exchange_last_bar
    FROM market.symbols s LEFT JOIN LATERAL (
        SELECT m.trading_day FROM market.market_data m WHERE m.symbol = s.symbol
        ORDER BY m.trading_day DESC LIMIT 1) b ON true;
COMMENT ON VIEW market.v_last_bars IS 'The last day with a bar, of each symbol and of any symbol of its exchange.';

GRANT SELECT ON ALL TABLES IN SCHEMA market TO predtrack_reader, predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA market TO predtrack_owner;
