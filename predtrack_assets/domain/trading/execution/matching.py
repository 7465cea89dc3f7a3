"""A day's bars against the open orders: who is filled first, at what price, for how many shares."""

from __future__ import annotations

from decimal import Decimal

from predtrack_assets.domain.trading.execution.fees import fee_of
from predtrack_assets.domain.trading.execution.market_day import Bar
from predtrack_assets.domain.trading.execution.orders import Fill, OpenOrder, Order
from predtrack_assets.domain.trading.execution.quotes import (
    Quote,
    after_entry,
    prices_of,
    quote_of,
    stop_reached,
)
from predtrack_assets.domain.trading.execution.sizing import affordable
from predtrack_assets.domain.trading.execution.slippage import slipped
from predtrack_assets.domain.trading.execution.working import Working
from predtrack_assets.domain.trading.holdings.money import MICRO, ZERO, cents, whole_lots

_STOPS = frozenset({"stop", "stop_limit"})

Rank = tuple[bool, int, str, int]


def execute(work: Working) -> None:
    """Phase 5 of a day: fill what its bars fill, then let expire what was for this session.

    What fills at the open comes before what is reached within the bar; within each, stops, then
    sells, then buys, each by symbol and in the order in which they were decided.
    """
    if not work.open_orders:
        return
    ranked: list[tuple[Rank, str, Quote, Bar]] = []
    waiting: list[tuple[str, Bar]] = []
    for place, (order_id, found) in enumerate(list(work.open_orders.items())):
        bar = _bar_for(work, found.order)
        if bar is None:
            continue
        quote = quote_of(found, bar)
        if quote is not None and (quote.at_open or found.order.tif != "opg"):
            ranked.append((_rank(found.order, quote, place), order_id, quote, bar))
        elif found.order.kind == "stop_limit" and stop_reached(found, bar):
            work.open_orders[order_id] = found._replace(triggered=True)
        if found.order.reduce_only:
            waiting.append((order_id, bar))
    ranked.sort()
    for _, order_id, quote, bar in ranked:
        _attempt(work, order_id, quote, bar)
    for order_id, bar in waiting:
        _attempt_after_entry(work, order_id, bar)
    _expire(work)


def _bar_for(work: Working, order: Order) -> Bar | None:
    """The bar that may fill the order: with volume, and begun and known after its decision."""
    bar = work.market.bars.get(order.symbol)
    if bar is None or not bar.volume > 0:
        return None
    if bar.session.opens_at <= order.decided_at or bar.session.known_at <= order.decided_at:
        return None
    if order.not_before is not None and work.day < order.not_before:
        return None
    jumped = order.symbol in work.state.blocked or order.symbol in work.market.jumps
    return None if jumped else bar


def _rank(order: Order, quote: Quote, place: int) -> Rank:
    urgency = 0 if order.kind in _STOPS else 1 if order.side == "sell" else 2
    return not quote.at_open, urgency, order.symbol, place


def _attempt_after_entry(work: Working, order_id: str, bar: Bar) -> None:
    """An exit that rested for a position entered within this bar: only what lies after counts."""
    found = work.open_orders.get(order_id)
    if found is None or found.order.tif == "opg":
        return
    narrowed = work.narrowed.get(found.order.symbol)
    quote = None if narrowed is None else quote_of(found, bar, narrowed)
    if quote is not None:
        _attempt(work, order_id, quote, bar)


def _attempt(work: Working, order_id: str, quote: Quote, bar: Bar) -> None:
    """Fill an order as far as its position, the bar's volume, cash and margin let it."""
    found = work.open_orders.get(order_id)
    if found is None:  # its group was cancelled by an earlier fill of this bar
        return
    order, rules = found.order, work.rules
    sign = 1 if order.side == "buy" else -1
    held = work.held(order.symbol)
    quantity = order.quantity - found.filled
    leaving = order.symbol in work.state.delistings
    if order.reduce_only or leaving:
        if held * sign >= 0:
            if leaving:
                work.event(order_id, "cancelled", "the position is 0")
            return
        quantity = min(quantity, abs(held))
    if order.kind in _STOPS and not found.triggered:
        found = found._replace(triggered=True)
        work.open_orders[order_id] = found
    volume = Decimal(repr(bar.volume))
    if rules.participation is not None:
        free = rules.participation * volume - work.used.get(order.symbol, ZERO)
        if quantity > free:
            quantity = whole_lots(max(free, ZERO), rules.lot)
    if not quantity:
        return
    if rules.exact_fills and quote.at_open:
        quote = quote._replace(price=Decimal(repr(bar.open)))
    price = _slipped(work, order, quote, quantity, volume)
    allowed = _allowed(work, order, held, quantity, price)
    if allowed < quantity:
        what = "cash covers" if order.side == "buy" else "margin allows"
        reason = f"{what} {allowed:f} of {quantity:f}"
        if allowed:
            price = _slipped(work, order, quote, allowed, volume)
            _fill(work, found, quote, bar, allowed, price)
        if order_id in work.open_orders:
            work.event(order_id, "cancelled", reason)
        return
    _fill(work, found, quote, bar, quantity, price)


def _slipped(
    work: Working, order: Order, quote: Quote, quantity: Decimal, volume: Decimal
) -> Decimal:
    """The price to six decimals; a limit order is never filled beyond its quote."""
    if order.limit is not None or not work.rules.slippage.coefficient:
        return quote.price
    sign = 1 if order.side == "buy" else -1
    liquidity = work.market.liquidity.get(order.symbol)
    price = slipped(work.rules.slippage, sign, quote.price, quantity, volume, liquidity)
    return price if work.rules.exact_fills else price.quantize(MICRO)


def _allowed(
    work: Working, order: Order, held: Decimal, quantity: Decimal, price: Decimal
) -> Decimal:
    """How many of the shares cash (to buy) or margin (to go short) allow.

    Closing shares are always allowed. Cash that shorts brought in is not there to buy with.
    """
    rules = work.rules
    is_buy = order.side == "buy"
    closing = min(quantity, abs(held)) if (held < 0) == is_buy and held else ZERO
    opening = quantity - closing
    if not opening or (rules.leverage if is_buy else rules.initial_margin is None):
        return quantity
    if is_buy:
        free = work.cash - work.short
        if closing:
            mark = work.positions[order.symbol].mark
            free += cents(closing * (mark - price)) - fee_of(rules.fees, closing, price)
        return closing + affordable(rules.fees, rules.lot, price, free, opening)
    assert rules.initial_margin is not None
    room = (work.equity / rules.initial_margin - work.short) / price
    return quantity if opening <= room else closing + whole_lots(max(room, ZERO), rules.lot)


def _fill(
    work: Working, found: OpenOrder, quote: Quote, bar: Bar, quantity: Decimal, price: Decimal
) -> None:
    """Write the fill, its journal entries and events, and change the position."""
    order, symbol = found.order, found.order.symbol
    amount = quantity * price
    if not work.rules.exact_fills:
        amount = cents(amount)
    fee = fee_of(work.rules.fees, quantity, price)
    is_buy = order.side == "buy"
    slippage = ZERO
    if price != quote.price:
        slippage = cents(abs(quantity * (price - quote.price)))
    filled = found.filled + quantity
    rule = quote.rule if filled == order.quantity else "participation"
    session = bar.session
    work.rows.fills.append(
        Fill(
            order.order_id,
            found.fills,
            work.day,
            session.opens_at,
            symbol,
            order.side,
            quantity,
            price,
            quote.price,
            slippage,
            amount,
            fee,
            order.decided_at,
            session.known_at,
            rule,
        )
    )
    source = f"{order.order_id}:{found.fills}"
    signed = quantity if is_buy else -quantity
    if is_buy:
        work.post("buy", symbol, -amount, quantity, source)
    else:
        work.post("sell", symbol, amount, signed, source)
    if fee:
        work.post("fee", symbol, -fee, ZERO, source)
    work.used[symbol] = work.used.get(symbol, ZERO) + quantity
    opens = work.held(symbol) * signed >= 0
    work.trade(symbol, signed, price, amount, fee, source, quote.price)
    if opens and not quote.at_open:
        before = work.narrowed.get(symbol) or prices_of(bar)
        work.narrowed[symbol] = after_entry(before, quote.price, quote.rule, 1 if is_buy else -1)
    done = filled == order.quantity
    if not done:
        work.open_orders[order.order_id] = found._replace(filled=filled, fills=found.fills + 1)
    work.event(order.order_id, "filled" if done else "partially_filled", quantity=quantity)
    if order.oco_group is not None:
        _cancel_group(work, order)


def _cancel_group(work: Working, order: Order) -> None:
    for order_id, other in list(work.open_orders.items()):
        if other.order.oco_group == order.oco_group and order_id != order.order_id:
            work.event(order_id, "cancelled", "another order of its group was filled")


def _expire(work: Working) -> None:
    """Orders for one session, whose session this was, filled or not."""
    for order_id, found in list(work.open_orders.items()):
        order = found.order
        if order.tif == "gtc":
            continue
        session = work.market.session_of(order.symbol)
        if session is not None and session.opens_at > order.decided_at:
            work.event(order_id, "expired", f"{order.tif} order, and its session is over")
