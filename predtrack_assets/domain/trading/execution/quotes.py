"""At which price of a bar an order can be filled, before slippage; never one that the bar hides."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from predtrack_assets.domain.trading.execution.market_day import Bar
from predtrack_assets.domain.trading.execution.orders import OpenOrder
from predtrack_assets.domain.trading.holdings.money import exact_price


class Prices(NamedTuple):
    """What of a bar may count: all of it, or after an entry within it what must lie after that.

    open: the first price that counts, after an entry the entry's; whole: whether it is the bar's.
    """

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    whole: bool = True


class Quote(NamedTuple):
    """raw price; rule: open, gap, stop or limit; at_open: whether it is the bar's first price."""

    price: Decimal
    rule: str
    at_open: bool


def prices_of(bar: Bar) -> Prices:
    """A whole bar, exactly."""
    return Prices(
        exact_price(bar.open), exact_price(bar.high), exact_price(bar.low), exact_price(bar.close)
    )


def after_entry(prices: Prices, entry: Decimal, rule: str, sign: int) -> Prices:
    """What must lie after an entry within the bar: its close, and the way that led to the entry.

    A limit buy is reached by falling, so the low comes at or after it and the high may have come
    before; a stop buy is reached by rising. Sales are mirrored (sign 1 buy, -1 sale).
    """
    falling = (sign > 0) == (rule == "limit")
    high = max(entry, prices.close) if falling else prices.high
    low = prices.low if falling else min(entry, prices.close)
    return Prices(entry, high, low, prices.close, whole=False)


def quote_of(open_order: OpenOrder, bar: Bar, narrowed: Prices | None = None) -> Quote | None:
    """The fill that a bar with volume gives an order, or None.

    market: open. limit: the open if it is at least as good, else the limit if the bar went beyond
    it (a touch is not enough). stop: the open if it is at or beyond the stop, else the stop if the
    bar touched it; a stop that an earlier bar triggered is a market order by now.
    """
    order = open_order.order
    if order.kind == "market" or (order.kind == "stop" and open_order.triggered):
        return None if narrowed else Quote(exact_price(bar.open), "open", True)
    prices = narrowed or prices_of(bar)
    sign = 1 if order.side == "buy" else -1
    if order.kind == "limit" or open_order.triggered:
        return _limit(prices, order.limit, sign)
    stopped = _stop(prices, order.stop, sign)
    if stopped is None or order.kind == "stop":
        return stopped
    return _limit_after_stop(prices, order.limit, sign, stopped)


def stop_reached(open_order: OpenOrder, bar: Bar) -> bool:
    """Whether a stop or stop_limit order's stop was reached in a bar, filled or not."""
    return (
        open_order.triggered
        or _stop(prices_of(bar), open_order.order.stop, 1 if open_order.order.side == "buy" else -1)
        is not None
    )


def _limit(prices: Prices, limit: Decimal | None, sign: int) -> Quote | None:
    assert limit is not None
    if sign * prices.open <= sign * limit:
        return Quote(prices.open, "gap" if prices.open != limit else "limit", prices.whole)
    best = prices.low if sign > 0 else prices.high
    return Quote(limit, "limit", False) if sign * best < sign * limit else None


def _stop(prices: Prices, stop: Decimal | None, sign: int) -> Quote | None:
    assert stop is not None
    if sign * prices.open >= sign * stop:
        return Quote(prices.open, "gap" if prices.open != stop else "stop", prices.whole)
    worst = prices.high if sign > 0 else prices.low
    return Quote(stop, "stop", False) if sign * worst >= sign * stop else None


def _limit_after_stop(
    prices: Prices, limit: Decimal | None, sign: int, stopped: Quote
) -> Quote | None:
    """A stop_limit whose stop was reached: as a limit order from then on, in what lies after."""
    assert limit is not None
    if sign * stopped.price <= sign * limit:
        return stopped
    if stopped.at_open:  # the rest of the bar lies after it
        return _limit(prices, limit, sign)
    return Quote(limit, "limit", False) if sign * prices.close < sign * limit else None
