"""What books are stepped by: bars, actions and corrections, each with the moment it became known."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

BOOK_BARS = Query("""
    SELECT symbol, trading_day, open, high, low, close, volume,
           ((knowledge_time - interval '1 microsecond') AT TIME ZONE 'UTC')::date AS known_day,
           coalesce(flag = 'jump', false) AS jump, knowledge_time
    FROM market.market_data_as_of(:as_of)
    WHERE symbol = ANY(:symbols) AND trading_day BETWEEN :first AND :last
""")
# Every revision: a book learns each on the day on which it became known. NULL: withdrawn.
BOOK_ACTIONS = Query("""
    SELECT symbol, ex_date, kind, value, knowledge_time FROM market.corporate_actions
    WHERE symbol = ANY(:symbols) AND knowledge_time <= :until
    ORDER BY knowledge_time, symbol, ex_date, kind
""")
CORRECTED_BARS = Query("""
    SELECT symbol, trading_day, low, high, knowledge_time FROM market.market_data b
    WHERE symbol = ANY(:symbols) AND knowledge_time > :after AND knowledge_time <= :until
      AND (knowledge_time AT TIME ZONE 'UTC') > (trading_day + 1)::timestamp
      AND EXISTS (SELECT FROM market.market_data e WHERE (e.symbol, e.trading_day) = (b.symbol, b.trading_day)
                  AND e.knowledge_time < b.knowledge_time)
    ORDER BY knowledge_time, symbol, trading_day
""")
MEMBERSHIPS = Query("""
    SELECT symbol, coalesce(start_date, '0001-01-01') AS first, coalesce(end_date, '9999-12-31') AS last
    FROM market.universe_members WHERE universe = :universe
""")
BOOK_SPANS = Query("""
    SELECT book, min(trading_day) AS first, max(trading_day) AS last
    FROM trading.portfolio_state WHERE book = ANY(:books) GROUP BY book
""")
