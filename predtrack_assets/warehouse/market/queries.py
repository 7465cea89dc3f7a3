"""Statements about bars, actions and symbols."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

LATE_KNOWLEDGE = Query("""
    SELECT trading_day, knowledge_time FROM market.market_data
    WHERE (knowledge_time AT TIME ZONE 'UTC') > (trading_day + 1)::timestamp
      AND knowledge_time > :after AND knowledge_time <= :until
    UNION ALL
    SELECT ex_date, knowledge_time FROM market.corporate_actions
    WHERE (knowledge_time AT TIME ZONE 'UTC') > (ex_date + 1)::timestamp
      AND knowledge_time > :after AND knowledge_time <= :until
""")
SYMBOLS = Query(
    "SELECT symbol, exchange, asset_class, currency FROM market.symbols ORDER BY symbol"
)
SOURCES = Query("SELECT DISTINCT source FROM market.symbols ORDER BY source")
MEMBERS = Query("""
    SELECT DISTINCT symbol FROM market.universe_members
    WHERE universe = :universe AND coalesce(start_date, '-infinity') <= :last
      AND coalesce(end_date, 'infinity') >= :first
    ORDER BY symbol
""")
LOADED_UNIVERSES = Query(
    "SELECT DISTINCT universe FROM market.universe_members WHERE source <> 'builtin'"
)


COVERED_SYMBOLS = Query("""
    SELECT symbol FROM market.fetch_log
    WHERE source = :source AND symbol = ANY(:symbols) AND status IN ('ok', 'empty')
    GROUP BY symbol
    HAVING range_agg(daterange(first_day, last_day, '[]')) @> daterange(:first, :last, '[]')
""")
LAST_CLOSES = Query("""
    SELECT DISTINCT ON (symbol) symbol, trading_day, close
    FROM market.market_data_as_of('infinity')
    WHERE symbol = ANY(:symbols) AND trading_day < :before AND trading_day >= :since
    ORDER BY symbol, trading_day DESC
""")
# Days stored where a batch lies or soon after it, and the first day after it on which a symbol traded.
NEIGHBOURS = Query("""
    SELECT asked.symbol, near.days, later.first_traded
    FROM unnest(:symbols::text[]) AS asked (symbol)
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT trading_day) AS days FROM market.market_data b
        WHERE b.symbol = asked.symbol AND b.trading_day BETWEEN :first AND :until) near
    LEFT JOIN LATERAL (
        SELECT trading_day AS first_traded FROM market.market_data b
        WHERE b.symbol = asked.symbol AND b.trading_day > :last AND b.volume > 0
        ORDER BY trading_day LIMIT 1) later ON true
""")
CURRENT_BARS = Query("""
    SELECT symbol, trading_day, open, high, low, close, volume
    FROM market.market_data_as_of('infinity')
    WHERE symbol = ANY(:symbols) AND trading_day BETWEEN :first AND :last
""")
CURRENT_FLAGS = Query("""
    SELECT symbol, trading_day, flag FROM market.market_data b
    WHERE symbol = ANY(:symbols) AND trading_day BETWEEN :first AND :last AND flag IS NOT NULL
      AND NOT EXISTS (SELECT FROM market.market_data r
                      WHERE r.symbol = b.symbol AND r.trading_day = b.trading_day
                        AND r.knowledge_time > b.knowledge_time)
""")
# A file that lists some of these symbols was asked for everything it had.
ASKED_OF_SOURCE = Query("""
    SELECT first_day, last_day, min(fetched_at) AS fetched_at FROM market.fetch_log
    WHERE source = :source AND symbol = ANY(:symbols) AND first_day <= :last AND last_day >= :first
    GROUP BY first_day, last_day
""")
TRADED = Query("""
    SELECT asked.symbol FROM unnest(:symbols::text[]) AS asked (symbol)
    WHERE EXISTS (SELECT FROM market.market_data b
                  WHERE b.symbol = asked.symbol AND b.trading_day < :before AND b.volume > 0)
""")
BARS_AS_OF = Query("""
    SELECT symbol, trading_day, open, high, low, close, volume,
           ((knowledge_time - interval '1 microsecond') AT TIME ZONE 'UTC')::date AS known_day
    FROM market.market_data_as_of(:as_of)
    WHERE symbol = ANY(:symbols) AND trading_day BETWEEN :first AND :last
""")
INTRADAY_BARS = Query("""
    SELECT symbol, bar_end, minutes, high, low, close, knowledge_time FROM market.intraday_bars
    WHERE symbol = ANY(:symbols) AND bar_end > :after AND bar_end <= :until AND knowledge_time <= :until
""")
ACTIONS_AS_OF = Query("""
    SELECT symbol, ex_date, kind, value
    FROM market.corporate_actions_as_of(:as_of)
    WHERE symbol = ANY(:symbols) AND ex_date BETWEEN :first AND :last
""")
MARKET_RETURNS = Query("""
    SELECT trading_day, daily_return FROM market.market_conditions
    WHERE benchmark = :benchmark AND trading_day BETWEEN :first AND :last ORDER BY trading_day
""")
SPAN = Query("""
    SELECT min(trading_day) AS first, max(trading_day) AS last, count(DISTINCT symbol) AS symbols
    FROM market.market_data
""")
QUARANTINE_REASONS = Query("""
    SELECT reason, count(*) AS rows, count(DISTINCT symbol) AS symbols
    FROM market.quarantine GROUP BY reason ORDER BY rows DESC, reason
""")
SUSPECT_FLAGS = Query("""
    SELECT flag, count(*) AS rows, count(DISTINCT symbol) AS symbols
    FROM market.market_data_current WHERE quality = 'suspect' GROUP BY flag ORDER BY rows DESC, flag
""")
FORGET_UNIVERSE = Query("""
    WITH gone AS (DELETE FROM market.universe_members WHERE universe = :universe RETURNING 1)
    SELECT count(*) AS rows FROM gone
""")

# Every revision that was known by then: who predicted in the evening knew no correction of the night.
KNOWN_CLOSES = Query("""
    SELECT symbol, trading_day, close FROM market.market_data
    WHERE symbol = ANY(:symbols) AND trading_day BETWEEN :first AND :last
      AND knowledge_time AT TIME ZONE 'UTC' <= trading_day + 1
""")
# Changes whenever rows of the market's tables do, some seconds later at most: the server counts the
# rows that were written, those of chunks (TimescaleDB) under a schema of their own.
STATE = Query("""
    SELECT (SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS database,
           pg_postmaster_start_time()::text AS server,
           coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint AS rows_written
    FROM pg_stat_all_tables
    WHERE schemaname IN ('_timescaledb_internal')
       OR (schemaname = 'market' AND relname IN ('market_data', 'corporate_actions', 'symbols'))
""")
