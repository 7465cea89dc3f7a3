DROP TABLE trading.strategy_performance,
    trading.snapshots,
    trading.portfolio_state,
    trading.trades,
    trading.positions,
    trading.journal,
    trading.fills,
    trading.order_events,
    trading.orders,
    trading.decisions,
    trading.books,
    trading.screens,
    trading.target_weights,
    trading.signals,
    trading.strategies;
DROP FUNCTION trading.refuse_broken_book,
    trading.refuse_known_bars,
    trading.is_number;
DROP SCHEMA trading;
