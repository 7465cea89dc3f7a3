-- Orders as they stand, and what is held now.

CREATE VIEW trading.order_status AS
SELECT o.*, e.event AS status, e.reason, e.trading_day AS status_day, coalesce(f.filled, 0) AS filled
FROM trading.orders o
JOIN LATERAL (
    SELECT event, reason, trading_day FROM trading.order_events e
    WHERE e.order_id = o.order_id ORDER BY n DESC LIMIT 1) e ON true
LEFT JOIN LATERAL (
    SELECT sum(quantity) AS filled FROM trading.fills f WHERE f.order_id = o.order_id) f ON true;
COMMENT ON VIEW trading.order_status IS 'Each order with its latest event and the shares that were filled.';
COMMENT ON COLUMN trading.order_status.filled IS 'Shares, as traded on the day of each fill.';

CREATE VIEW trading.positions_current AS
SELECT p.* FROM trading.positions p
JOIN (SELECT book, max(trading_day) AS trading_day FROM trading.portfolio_state GROUP BY book) last
    USING (book, trading_day);
COMMENT ON VIEW trading.positions_current IS 'Holdings at the last day of each book.';

CREATE VIEW trading.trade_outcomes AS
SELECT md5(t.book || '|' || t.trade_id || '|' || t.exit_id || '|' || t.closed)::uuid AS trade_id,
       b.strategy_id, s.version AS model_version, t.book, t.symbol, t.direction,
       coalesce(entry.filled_at, t.opened::timestamp AT TIME ZONE 'UTC') AS entry_time,
       coalesce(leaving.filled_at, t.closed::timestamp AT TIME ZONE 'UTC') AS exit_time,
       round(t.entry_amount / nullif(t.quantity, 0), 8) AS entry_price,
       round(t.exit_amount / nullif(t.quantity, 0), 8) AS exit_price,
       t.quantity, t.gross_pnl, t.net_pnl, t.commission, t.dividends,
       round(coalesce(entry.slippage * least(t.quantity / entry.quantity, 1), 0)
             + coalesce(leaving.slippage * least(t.quantity / leaving.quantity, 1), 0), 8) AS slippage,
       extract(epoch FROM coalesce(leaving.filled_at, t.closed::timestamp AT TIME ZONE 'UTC')
               - coalesce(entry.filled_at, t.opened::timestamp AT TIME ZONE 'UTC'))::bigint AS duration_seconds,
       t.mfe AS max_favorable_excursion, t.mae AS max_adverse_excursion, t.outcome_type
FROM trading.trades t JOIN trading.books b USING (book)
LEFT JOIN trading.strategies s USING (strategy_id)
LEFT JOIN trading.fills entry ON entry.book = t.book
    AND replace(entry.order_id::text, '-', '') || ':' || entry.n = t.trade_id
LEFT JOIN trading.fills leaving ON leaving.book = t.book
    AND replace(leaving.order_id::text, '-', '') || ':' || leaving.n = t.exit_id
UNION ALL
SELECT md5(p.book || '|' || p.symbol || '|open')::uuid, b.strategy_id, s.version, p.book, p.symbol,
       CASE WHEN p.quantity > 0 THEN 'LONG' ELSE 'SHORT' END,
       (SELECT max(f.filled_at) FROM trading.fills f WHERE f.book = p.book AND f.symbol = p.symbol
           AND f.side = CASE WHEN p.quantity > 0 THEN 'buy' ELSE 'sell' END), NULL,
       round(p.cost / abs(p.quantity), 8), NULL, abs(p.quantity), p.unrealised, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, 'OPEN'
FROM trading.positions_current p JOIN trading.books b USING (book)
LEFT JOIN trading.strategies s USING (strategy_id);
COMMENT ON VIEW trading.trade_outcomes IS 'Closed trades under the names of document C, and what is still open, unrealised (outcome_type OPEN).';
COMMENT ON COLUMN trading.trade_outcomes.entry_time IS 'Open of the bar that filled it; of an open position its latest entry.';
COMMENT ON COLUMN trading.trade_outcomes.entry_price IS 'A share of the exit''s basis, slippage included.';
COMMENT ON COLUMN trading.trade_outcomes.slippage IS 'Money of entry and exit that slippage took; contained in gross_pnl.';
COMMENT ON COLUMN trading.trade_outcomes.model_version IS 'Version of the strategy.';

CREATE VIEW trading.open_orders AS SELECT * FROM trading.order_status
WHERE status NOT IN ('rejected', 'filled', 'cancelled', 'expired');
COMMENT ON VIEW trading.open_orders IS 'Orders that a coming bar may fill.';

GRANT SELECT ON ALL TABLES IN SCHEMA trading TO predtrack_reader, predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA trading TO predtrack_owner;
