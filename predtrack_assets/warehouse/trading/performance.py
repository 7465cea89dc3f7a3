"""What performance is computed from: days, trades and fills of the strategies' books."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

STATES = Query("""
    SELECT book, trading_day, equity::float8 AS equity,
           ((long - short) / nullif(equity, 0))::float8 AS gross,
           ((long + short) / nullif(equity, 0))::float8 AS net,
           CASE WHEN trading_day = min(trading_day) OVER (PARTITION BY book) THEN capital::float8
           END AS capital
    FROM trading.portfolio_state JOIN trading.books USING (book)
    WHERE strategy_id IS NOT NULL AND trading_day BETWEEN :first AND :last
    ORDER BY book, trading_day
""")
TRADES = Query("""
    SELECT book, closed, net_pnl::float8 AS net_pnl
    FROM trading.trades JOIN trading.books USING (book)
    WHERE strategy_id IS NOT NULL AND closed BETWEEN :first AND :last ORDER BY book, closed, trade_id, exit_id
""")
FILLS = Query("""
    SELECT book, trading_day, amount::float8 AS amount, fee::float8 AS fee, slippage::float8 AS slippage
    FROM trading.fills JOIN trading.books USING (book)
    WHERE strategy_id IS NOT NULL AND trading_day BETWEEN :first AND :last
    ORDER BY book, trading_day, order_id, n
""")
BOOKS = Query("""
    SELECT b.book, s.strategy_id, s.family, b.capital::float8 AS capital,
           (SELECT count(*) FROM trading.strategies f WHERE f.family = s.family)
           + coalesce((SELECT sum(trials) FROM (  -- a month's search is repeated at each of its decisions
               SELECT max(c.trials) AS trials
               FROM trading.screens c JOIN trading.strategies f USING (strategy_id)
               WHERE f.family = s.family
               GROUP BY strategy_id, date_trunc('month', c.trading_day)) months), 0)::bigint AS trials,
           (SELECT count(*) FROM trading.decisions d WHERE d.book = b.book AND d.origin = 'live') AS live
    FROM trading.books b JOIN trading.strategies s USING (strategy_id)
    ORDER BY s.strategy_id
""")
