-- Symbols, bars, corporate actions, and the condition of the market. Prices are as traded; tables of facts hold revisions.

CREATE TABLE market.symbols (
    symbol       text PRIMARY KEY
        CONSTRAINT symbol_has_no_bar_and_no_control_character CHECK (symbol !~ '[\x01-\x1f\x7f|]'),
    exchange     text NOT NULL,
    asset_class  text NOT NULL CHECK (
        asset_class IN ('stock', 'fund', 'index', 'volatility', 'crypto', 'fx', 'future')),
    currency     text CHECK (currency ~ '^[A-Z]{3,4}$'),
    source       text NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE market.symbols IS 'Every symbol ever asked for; registered by the first fetch that names it.';
COMMENT ON COLUMN market.symbols.exchange IS 'Calendar on which sessions and horizons are counted (ISO MIC, 24/7 or 24/5).';
COMMENT ON COLUMN market.symbols.currency IS 'What prices are quoted in: ISO 4217, GBX, ZAC or ILA for hundredths of GBP, ZAR or ILS, a coin; NULL: not known.';

CREATE TABLE market.universe_members (
    universe     text NOT NULL,
    symbol       text NOT NULL,
    start_date   date,
    end_date     date,
    source       text NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (universe, symbol, start_date),
    CHECK (end_date >= start_date)
);
COMMENT ON TABLE market.universe_members IS 'Dated index membership: member on [start_date, end_date].';
COMMENT ON COLUMN market.universe_members.start_date IS 'NULL: unknown, so the list is biased toward survivors before the day it was drawn up.';
COMMENT ON COLUMN market.universe_members.end_date IS 'Last day of membership; NULL: still a member.';

CREATE TABLE market.market_data (
    symbol          text NOT NULL,
    trading_day     date NOT NULL,
    open            double precision NOT NULL,
    high            double precision NOT NULL,
    low             double precision NOT NULL,
    close           double precision NOT NULL,
    volume          double precision NOT NULL,
    quality         text NOT NULL,
    flag            text,
    source          text NOT NULL,
    knowledge_time  timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, trading_day, knowledge_time),
    CONSTRAINT positive_finite_prices CHECK (low > 0 AND high < 'Infinity'),
    CONSTRAINT ohlc_consistent CHECK (low <= open AND low <= close AND high >= open AND high >= close),
    CONSTRAINT volume_not_negative CHECK (volume >= 0 AND volume < 'Infinity'),
    CONSTRAINT quality_explained CHECK (quality IN ('good', 'suspect') AND (quality = 'suspect') = (flag IS NOT NULL))
);
CREATE INDEX market_data_by_day ON market.market_data (trading_day);
CREATE INDEX market_data_late ON market.market_data (knowledge_time)
    WHERE (knowledge_time AT TIME ZONE 'UTC') > (trading_day + 1)::timestamp;
COMMENT ON TABLE market.market_data IS 'Daily bars as traded; every revision is a row, no price is overwritten.';
COMMENT ON COLUMN market.market_data.trading_day IS 'Session date on the symbol''s own exchange.';
COMMENT ON COLUMN market.market_data.close IS 'As traded, in the currency of the listing; adjustment happens on read.';
COMMENT ON COLUMN market.market_data.volume IS 'Shares, as traded; 0 for indices that report none.';
COMMENT ON COLUMN market.market_data.quality IS 'good or suspect, judged by the bars before it: judged again when these change, so days loaded in any order end alike.';
COMMENT ON COLUMN market.market_data.flag IS 'Why a kept bar is suspect: jump, range, stale.';
COMMENT ON COLUMN market.market_data.knowledge_time IS 'Session close plus the source''s delay for a first sight; the moment it was seen for a correction.';
COMMENT ON INDEX market.market_data_late IS 'Bars that became known after the end of their own day: they divide history into epochs.';

CREATE TABLE market.intraday_bars (
    symbol          text NOT NULL,
    bar_end         timestamptz NOT NULL,
    minutes         smallint NOT NULL CHECK (minutes BETWEEN 1 AND 1440),
    open            double precision NOT NULL,
    high            double precision NOT NULL,
    low             double precision NOT NULL,
    close           double precision NOT NULL,
    volume          double precision NOT NULL,
    source          text NOT NULL,
    knowledge_time  timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, bar_end, minutes, knowledge_time),
    CONSTRAINT positive_finite_prices CHECK (low > 0 AND high < 'Infinity'),
    CONSTRAINT ohlc_consistent CHECK (low <= open AND low <= close AND high >= open AND high >= close),
    CONSTRAINT volume_not_negative CHECK (volume >= 0 AND volume < 'Infinity'),
    CONSTRAINT known_when_it_has_ended CHECK (knowledge_time >= bar_end)
);
CREATE INDEX intraday_bars_by_end ON market.intraday_bars (bar_end);
CREATE INDEX intraday_bars_by_knowledge ON market.intraday_bars (knowledge_time);
COMMENT ON TABLE market.intraday_bars IS 'Bars of minutes as traded; every revision is a row, nothing is overwritten.';
COMMENT ON COLUMN market.intraday_bars.bar_end IS 'The moment of its close; it began `minutes` before.';
COMMENT ON COLUMN market.intraday_bars.knowledge_time IS 'bar_end plus the source''s delay for a first sight; the moment it was seen for a correction.';

CREATE TABLE market.corporate_actions (
    symbol          text NOT NULL,
    ex_date         date NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('split', 'dividend')),
    value           double precision CHECK (market.is_price(value)),
    inferred        boolean NOT NULL,
    source          text NOT NULL,
    knowledge_time  timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, ex_date, kind, knowledge_time)
);
COMMENT ON TABLE market.corporate_actions IS 'Splits and cash dividends, as revisions.';
COMMENT ON COLUMN market.corporate_actions.value IS 'Split: new shares per old. Dividend: cash per share as traded on the ex-date. NULL: withdrawn by the source.';
COMMENT ON COLUMN market.corporate_actions.inferred IS 'True when derived from Adj Close / Close rather than reported.';

CREATE TABLE market.fetch_log (
    fetch_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id      text NOT NULL,
    source      text NOT NULL,
    symbol      text NOT NULL,
    first_day   date NOT NULL,
    last_day    date NOT NULL CHECK (last_day >= first_day),
    status      text NOT NULL CHECK (status IN ('ok', 'empty', 'failed')),
    category    text CHECK (category IN ('DELISTED', 'RATE_LIMIT', 'TIMEOUT', 'NETWORK', 'MALFORMED', 'EMPTY')),
    attempts    integer NOT NULL,
    rows        bigint NOT NULL,
    message     text,
    fetched_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX fetch_log_by_symbol ON market.fetch_log (symbol, first_day, last_day);
COMMENT ON TABLE market.fetch_log IS 'One row for each request that asked a source for a symbol, failed or not.';

CREATE TABLE market.quarantine (
    quarantine_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol          text,
    trading_day     date,
    reason          text NOT NULL,
    payload         jsonb NOT NULL,
    source          text NOT NULL,
    payload_digest  text NOT NULL GENERATED ALWAYS AS (md5(payload::text)) STORED,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (symbol, trading_day, reason, source, payload_digest)
);
COMMENT ON TABLE market.quarantine IS 'Bars that were refused, with the reason and the row as it came.';

CREATE TABLE market.market_conditions (
    trading_day       date PRIMARY KEY,
    market_regime     text NOT NULL CHECK (market_regime IN ('bull', 'bear', 'sideways', 'volatile')),
    benchmark         text NOT NULL,
    daily_return      double precision CHECK (market.is_finite(daily_return)),
    weekly_return     double precision CHECK (market.is_finite(weekly_return)),
    distance_to_ma50  double precision CHECK (market.is_finite(distance_to_ma50)),
    vix_level         double precision CHECK (market.is_price(vix_level)),
    vix_category      text CHECK (vix_category IN ('low', 'moderate', 'high', 'extreme')),
    vix_source        text CHECK (vix_source IN ('implied', 'realised')),
    market_breadth    double precision CHECK (market.is_probability(market_breadth)),
    symbols_counted   integer NOT NULL CHECK (symbols_counted >= 0),
    recorded_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE market.market_conditions IS 'The market as of each day''s close, from rows known by the end of that day.';
COMMENT ON COLUMN market.market_conditions.distance_to_ma50 IS 'close / mean of the last 50 closes - 1, of the benchmark.';
COMMENT ON COLUMN market.market_conditions.vix_level IS 'Percent a year: the VIX close, or the benchmark''s 21-session realised volatility where there is none.';
COMMENT ON COLUMN market.market_conditions.market_breadth IS 'Share of stocks above their own 50-session mean.';

GRANT SELECT ON ALL TABLES IN SCHEMA market TO predtrack_reader, predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA market TO predtrack_owner;
-- When a row was written is the database's to say.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('GRANT INSERT (%s) ON %s TO predtrack_writer',
                      string_agg(quote_ident(attname), ', ' ORDER BY attnum), attrelid::regclass)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'market'::regnamespace AND relkind = 'r' AND attnum > 0
          AND attgenerated = '' AND attidentity = '' AND attname NOT IN ('recorded_at', 'fetched_at')
        GROUP BY attrelid
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;
-- Derived tables are recomputed, so the writer may also correct and remove there; facts only grow.
GRANT UPDATE, DELETE ON market.universe_members, market.market_conditions TO predtrack_writer;
GRANT UPDATE (quality, flag) ON market.market_data TO predtrack_writer;
