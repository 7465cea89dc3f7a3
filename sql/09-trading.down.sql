DROP TABLE trading.portfolio_state,
    trading.positions,
    trading.journal,
    trading.fills,
    trading.order_events,
    trading.orders,
    trading.decisions,
    trading.books;
DROP FUNCTION trading.refuse_broken_book,
    trading.refuse_known_bars,
    trading.is_number;
DROP SCHEMA trading;
