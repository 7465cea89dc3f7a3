"""Marks at the close: what positions are worth, and which of them have no price of the day."""

from __future__ import annotations

from predtrack_assets.domain.trading.execution.working import Working
from predtrack_assets.domain.trading.holdings.money import ZERO, cents, exact_price
from predtrack_assets.domain.trading.holdings.positions import Position


def mark_positions(work: Working) -> frozenset[str]:
    """Phase 6 of a day: mark every position at its close; without a good one it stays and is stale.

    Returns the symbols that are blocked: their bar moved as if split, and no split is known yet.
    """
    market, day = work.market, work.day
    blocked = work.state.blocked | market.jumps
    if blocked:
        split = {a.symbol for a in market.actions if a.kind == "split"}
        blocked -= split | market.confirmed
    value = short = ZERO
    positions = work.positions
    for symbol, held in positions.items():
        bar = market.bars.get(symbol)
        if bar is None or symbol in blocked:
            closed = market.session_of(symbol) is None
            missed = held.missed if closed or bar is not None else held.missed + 1
            positions[symbol] = held._replace(stale=True, missed=missed)
            worth = held.market_value
        else:
            mark = exact_price(bar.close)
            worth = cents(held.quantity * mark)
            high, low = bar.high, bar.low
            if symbol in work.narrowed:
                after = work.narrowed[symbol]
                high, low = float(after.high), float(after.low)
            positions[symbol] = Position(
                symbol,
                held.quantity,
                held.cost,
                mark,
                day,
                False,
                worth,
                0,
                max(high, held.high),
                min(low, held.low),
                held.lots,
            )
        value += worth
        if worth < 0:
            short -= worth
    work.value, work.short = value, short
    return blocked
