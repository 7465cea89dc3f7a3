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

GRANT SELECT ON ALL TABLES IN SCHEMA trading TO predtrack_reader, predtrack_writer;
GRANT ALL ON ALL TABLES IN SCHEMA trading TO predtrack_owner;
