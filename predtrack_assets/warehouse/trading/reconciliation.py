"""R1 to R12 of the stored books: each statement counts, per trading day, what does not reconcile.

`domain/trading/reconciliation.py` asks the same of a book in memory; here the tables are asked.
"""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

# R1, R3, R9, R10, R11: sums of journal, fills, positions and trades up to each day, beside its state.
STATES = Query("""
    WITH moved AS (
        SELECT book, trading_day, sum(cash) AS cash,
               sum(cash) FILTER (WHERE kind IN ('buy', 'sell', 'fee')) AS traded,
               sum(cash) FILTER (WHERE kind IN ('dividend', 'dividend_short', 'interest', 'borrow', 'fee',
                                                'correction')) AS other
        FROM trading.journal GROUP BY book, trading_day
    ), filled AS (
        SELECT book, trading_day, sum(CASE side WHEN 'sell' THEN amount ELSE -amount END - fee) AS cash
        FROM trading.fills GROUP BY book, trading_day
    ), realised AS (
        SELECT book, closed AS trading_day, sum(gross_pnl) AS gross FROM trading.trades GROUP BY book, closed
    ), held AS (
        SELECT book, trading_day, sum(round(quantity * mark, 2)) AS value, sum(unrealised) AS unrealised
        FROM trading.positions GROUP BY book, trading_day
    ), days AS (
        SELECT s.*, b.capital, coalesce(moved.traded, 0) AS traded, coalesce(filled.cash, 0) AS filled,
               coalesce(held.value, 0) AS value, coalesce(held.unrealised, 0) AS unrealised,
               sum(coalesce(moved.cash, 0)) OVER until_then AS journal,
               sum(coalesce(moved.other, 0)) OVER until_then AS other,
               sum(coalesce(realised.gross, 0)) OVER until_then AS realised,
               lag(s.digest) OVER (PARTITION BY s.book ORDER BY s.trading_day) AS before
        FROM trading.portfolio_state s JOIN trading.books b USING (book)
        LEFT JOIN moved USING (book, trading_day) LEFT JOIN filled USING (book, trading_day)
        LEFT JOIN realised USING (book, trading_day) LEFT JOIN held USING (book, trading_day)
        WINDOW until_then AS (PARTITION BY s.book ORDER BY s.trading_day)
    )
    SELECT trading_day AS day,
           count(*) FILTER (WHERE cash <> journal) AS r1_cash,
           count(*) FILTER (WHERE equity <> cash + receivable + value OR long + short <> value) AS r3_equity,
           count(*) FILTER (WHERE traded <> filled) AS r9_attribution,
           count(*) FILTER (WHERE realised + unrealised + other + receivable <> equity - capital)
               AS r10_result,
           count(*) FILTER (WHERE previous_digest <> coalesce(before, decode(repeat('00', 32), 'hex')))
               AS r11_digests
    FROM days WHERE trading_day BETWEEN :first AND :last GROUP BY trading_day
""")

# R11 too: what the audit trail committed to is what is stored.
SEALED = Query("""
    SELECT (payload ->> 'last')::date AS day, count(*) AS r11_sealed
    FROM audit.audit_trail CROSS JOIN LATERAL jsonb_each_text(payload -> 'digests') AS told (book, digest)
    WHERE event_type = 'portfolio' AND (payload ->> 'last')::date BETWEEN :first AND :last
      AND NOT EXISTS (SELECT FROM trading.portfolio_state s
                      WHERE s.book = told.book AND s.digest = decode(told.digest, 'hex'))
    GROUP BY 1
""")

# R2: shares are sums of the journal; a position that should be there and is not counts as well.
QUANTITIES = Query("""
    WITH changed AS (
        SELECT book, symbol, trading_day, sum(quantity) AS change FROM trading.journal
        WHERE quantity <> 0 GROUP BY book, symbol, trading_day
    ), sums AS (
        SELECT book, symbol, trading_day AS since, sum(change) OVER path AS quantity,
               lead(trading_day) OVER path AS next
        FROM changed WINDOW path AS (PARTITION BY book, symbol ORDER BY trading_day)
    ), expected AS (
        SELECT s.book, s.trading_day, sums.symbol, sums.quantity
        FROM trading.portfolio_state s
        JOIN sums ON sums.book = s.book AND s.trading_day >= sums.since
                 AND (sums.next IS NULL OR s.trading_day < sums.next) AND sums.quantity <> 0
        WHERE s.trading_day BETWEEN :first AND :last
    )
    SELECT trading_day AS day, count(*) AS r2_quantity
    FROM expected e FULL JOIN (SELECT * FROM trading.positions WHERE trading_day BETWEEN :first AND :last) p
        USING (book, trading_day, symbol)
    WHERE e.quantity IS DISTINCT FROM p.quantity GROUP BY trading_day
""")

# R4 to R7, of the fills of the days and of the orders that something happened to.
ORDERS = Query("""
    WITH touched AS (
        SELECT DISTINCT order_id FROM trading.order_events WHERE trading_day BETWEEN :first AND :last
    ), told AS (
        SELECT e.order_id, max(e.trading_day) AS day,
               sum(e.quantity) FILTER (WHERE event IN ('filled', 'partially_filled')) AS filled,
               count(*) FILTER (WHERE event IN ('rejected', 'filled', 'cancelled', 'expired')) AS ends,
               max(n) FILTER (WHERE event IN ('rejected', 'filled', 'cancelled', 'expired')) AS ended,
               max(n) AS latest,
               (array_agg(e.quantity ORDER BY n DESC) FILTER (WHERE event = 'split_adjusted'))[1] AS adjusted
        FROM trading.order_events e JOIN touched USING (order_id) GROUP BY e.order_id
    ), fills AS (
        SELECT order_id, sum(quantity) AS quantity FROM trading.fills JOIN touched USING (order_id) GROUP BY 1
    )
    SELECT told.day, count(*) AS r4_orders
    FROM told JOIN trading.orders o USING (order_id) LEFT JOIN fills f USING (order_id)
    WHERE coalesce(f.quantity, 0) <> coalesce(told.filled, 0) OR told.ends > 1 OR told.ended < told.latest
       OR coalesce(f.quantity, 0) > coalesce(told.adjusted, o.quantity)
    GROUP BY told.day
""")
FILLS = Query("""
    SELECT f.trading_day AS day,
           count(*) FILTER (WHERE o.order_id IS NULL OR d.book IS NULL OR f.filled_at <= d.as_of
                            OR f.bar_known <= d.as_of OR b.first_known <= d.as_of) AS r5_decisions,
           count(*) FILTER (WHERE b.low IS NULL OR f.raw_price < round(b.low::numeric, 6)
                            OR f.raw_price > round(b.high::numeric, 6)
                            OR o.limit_price IS NOT NULL AND CASE f.side
                                WHEN 'buy' THEN f.price > coalesce(a.limit_price, o.limit_price)
                                ELSE f.price < coalesce(a.limit_price, o.limit_price) END) AS r6_prices
    FROM trading.fills f LEFT JOIN trading.orders o USING (order_id)
    LEFT JOIN trading.decisions d ON d.book = o.book AND d.decided_at = o.decided_at
    LEFT JOIN LATERAL (
        SELECT e.limit_price FROM trading.order_events e
        WHERE e.order_id = f.order_id AND e.event = 'split_adjusted' AND e.trading_day <= f.trading_day
        ORDER BY e.n DESC LIMIT 1) a ON true
    LEFT JOIN LATERAL (
        SELECT (array_agg(m.low ORDER BY m.knowledge_time DESC))[1] AS low,
               (array_agg(m.high ORDER BY m.knowledge_time DESC))[1] AS high,
               min(m.knowledge_time) AS first_known
        FROM market.market_data m
        WHERE m.symbol = f.symbol AND m.trading_day = f.trading_day
          AND m.knowledge_time <= (f.trading_day + 1)::timestamp AT TIME ZONE 'UTC') b ON true
    WHERE f.trading_day BETWEEN :first AND :last GROUP BY f.trading_day
""")
PARTICIPATION = Query("""
    SELECT trading_day AS day, count(*) AS r7_participation
    FROM (SELECT book, trading_day, symbol, sum(quantity) AS quantity FROM trading.fills
          WHERE trading_day BETWEEN :first AND :last GROUP BY 1, 2, 3) f
    JOIN trading.books b USING (book)
    WHERE quantity > (b.rules ->> 'participation')::numeric * (
        SELECT m.volume::numeric FROM market.market_data m
        WHERE m.symbol = f.symbol AND m.trading_day = f.trading_day
          AND m.knowledge_time <= (f.trading_day + 1)::timestamp AT TIME ZONE 'UTC'
        ORDER BY m.knowledge_time DESC LIMIT 1)
    GROUP BY trading_day
""")

# R8: each split and dividend of a holding is posted, once and in full, as it is known at the book's
# last day. Of books whose dividends are exact and paid on the ex-date; splits to a lot.
ACTIONS = Query("""
    WITH books AS (
        SELECT b.book, min(s.trading_day) AS first, max(s.trading_day) AS last
        FROM trading.books b JOIN trading.portfolio_state s USING (book)
        WHERE b.rules ->> 'dividend_decimals' IS NULL AND (b.rules ->> 'dividend_delay')::int = 0
        GROUP BY b.book
    ), traded AS (
        SELECT DISTINCT book, symbol FROM trading.journal WHERE quantity <> 0
    ), due AS (
        SELECT b.book, b.last, a.symbol, a.ex_date, a.kind, a.value::numeric AS value
        FROM books b JOIN traded t USING (book) JOIN LATERAL (
            SELECT DISTINCT ON (c.ex_date, c.kind) c.* FROM market.corporate_actions c
            WHERE c.symbol = t.symbol AND c.knowledge_time <= (b.last + 1)::timestamp AT TIME ZONE 'UTC'
            ORDER BY c.ex_date, c.kind, c.knowledge_time DESC) a ON a.value IS NOT NULL
        WHERE a.ex_date BETWEEN b.first AND b.last AND a.ex_date BETWEEN :first AND :last
    ), found AS (
        SELECT d.*, coalesce(h.held, 0) AS held, coalesce(h.cash, 0) AS cash, coalesce(h.shares, 0) AS shares
        FROM due d LEFT JOIN LATERAL (
            SELECT sum(j.quantity) FILTER (
                       WHERE CASE WHEN j.ex_date IS NULL THEN j.trading_day < d.ex_date
                             ELSE j.ex_date < d.ex_date OR j.ex_date = d.ex_date AND d.kind = 'dividend'
                             END) AS held,
                   sum(j.cash) FILTER (WHERE j.ex_date = d.ex_date AND j.kind LIKE 'dividend%') AS cash,
                   sum(j.quantity) FILTER (WHERE j.ex_date = d.ex_date AND j.kind = 'split') AS shares
            FROM trading.journal j WHERE j.book = d.book AND j.symbol = d.symbol) h ON true
    )
    SELECT ex_date AS day, count(*) AS r8_actions FROM found
    WHERE CASE kind WHEN 'dividend' THEN cash <> round(held * value, 2)
               ELSE abs(shares - (trunc(held * value) - held)) > 1 END
    GROUP BY ex_date
""")
STALE = Query("""
    SELECT trading_day AS day, count(*) AS r12_stale FROM trading.positions p
    WHERE trading_day BETWEEN :first AND :last AND NOT stale AND NOT EXISTS (
        SELECT FROM market.market_data m WHERE m.symbol = p.symbol AND m.trading_day = p.trading_day
          AND m.knowledge_time <= (p.trading_day + 1)::timestamp AT TIME ZONE 'UTC')
    GROUP BY trading_day
""")

ALL = (STATES, SEALED, QUANTITIES, ORDERS, FILLS, PARTICIPATION, ACTIONS, STALE)
