"""Splits and dividends on their ex-date: what they do to positions, open orders and cash."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from predtrack_assets.domain.trading.execution.market_day import Action
from predtrack_assets.domain.trading.execution.working import Working
from predtrack_assets.domain.trading.holdings.corporate_history import Event, effect, fraction_price
from predtrack_assets.domain.trading.holdings.journal import EntryKind
from predtrack_assets.domain.trading.holdings.money import (
    ZERO,
    cents,
    exact_price,
    micros,
    whole_lots,
)
from predtrack_assets.domain.trading.holdings.positions import Lot, Position, Trade, credit_dividend
from predtrack_assets.domain.trading.rules import ExecutionRules
from predtrack_assets.domain.trading.state import Receivable

_NOISE = Fraction(1, 10**12)
_ROUNDED_FACTORS = Fraction(5, 10**6)


def ratio_of(text: str) -> Fraction:
    """A split's new shares per old one, exactly: 7, 0.142857 (one seventh), 3/2, 1:10.

    A decimal that is rounded is read as the simple fraction that prints so, and as 7 what comes of
    dividing rounded adjustment factors (6.9999972). Raises ValueError for no positive number.

    >>> ratio_of("0.142857"), ratio_of("1.5"), ratio_of("1:10"), ratio_of("6.9999972")
    (Fraction(1, 7), Fraction(3, 2), Fraction(1, 10), Fraction(7, 1))
    """
    try:
        ratio = Fraction(text.replace(":", "/"))
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(
            f"{text!r} is no split: new shares per old one, like 2, 0.1 or 1:10"
        ) from error
    if ratio <= 0:
        raise ValueError(f"{text!r} is no split: new shares per old one are above 0")
    decimals = len(text.partition(".")[2])
    if decimals < 4 or "/" in text or ":" in text:
        return ratio
    simple, small = _simplest(ratio, 100), _simplest(ratio, 10)
    if abs(small / ratio - 1) <= _ROUNDED_FACTORS:
        return small
    return simple if abs(simple - ratio) <= Fraction(1, 2 * 10**decimals) else ratio


def _simplest(ratio: Fraction, most: int) -> Fraction:
    """The nearest ratio whose smaller side is at most `most`."""
    if ratio >= 1:
        return ratio.limit_denominator(most)
    return 1 / (1 / ratio).limit_denominator(most)


def as_executed(action: Action, rules: ExecutionRules) -> Action:
    """The action's value as the rules read it: LEAN rounds factors and dividends, we do not."""
    if action.kind == "split" and rules.split_digits is not None:
        assert isinstance(action.value, Fraction)
        unit = 10**rules.split_digits
        scaled = unit / action.value
        whole = round(scaled)
        if abs(scaled - whole) > _NOISE * unit:
            whole = -(-scaled.numerator // scaled.denominator)
        return action._replace(value=Fraction(unit, max(whole, 1)))
    if action.kind == "dividend" and rules.dividend_decimals is not None:
        assert isinstance(action.value, Decimal)
        places = Decimal(1).scaleb(-rules.dividend_decimals)
        return action._replace(value=action.value.quantize(places, ROUND_HALF_UP))
    return action


def apply_split(work: Working, action: Action) -> None:
    """A split on its ex-date, before anything trades."""
    adjust_orders(work, action, since_ex=False)
    symbol = action.symbol
    history, position = work.history.get(symbol), work.positions.get(symbol)
    if history is None:
        return
    bar = work.market.bars.get(symbol)
    today = bar.open if bar is not None and action.ex_date == work.day else None
    mark = ZERO if position is None else position.mark
    price = fraction_price(action, mark, work.rules.fraction_price, today)
    added, cash = effect(action, work.held(symbol), work.rules.lot, price)
    work.history[symbol] = Event(action.ex_date, "split", added, cash, action, price, history)
    if position is not None:
        post_split(work, action, added, cash)
        settle_split(work, action, added, cash, price)


def post_split(work: Working, action: Action, added: Decimal, cash: Decimal) -> None:
    """The journal entries of a split: its shares, and cash for a fraction."""
    symbol, source = action.symbol, f"split {action.ex_date}"
    if added or not cash:
        work.post("split", symbol, ZERO, added, source, action.ex_date)
    if cash:
        work.post("cash_in_lieu", symbol, cash, ZERO, source, action.ex_date)


def settle_split(
    work: Working, action: Action, added: Decimal, cash: Decimal, price: Decimal
) -> None:
    """Add a split's shares to a position and pay for its fraction; the cost keeps its total.

    Lots from before the ex-date are restated. What the shares then differ from the lots is the
    fraction, closed at `price`, or late knowledge of shares sold since, added at no cost.
    """
    symbol = action.symbol
    position = work.positions.get(symbol)
    quantity = work.held(symbol) + added
    if position is None or (quantity and (quantity > 0) != (position.quantity > 0)):
        _take_up(work, action, added, cash)
        return
    restated = _restated(position, action)
    work.put(restated)
    fraction = abs(restated.quantity) - abs(quantity)
    out = cash.copy_sign(cash * position.quantity)
    if fraction > 0 and out >= 0:
        work.close(restated, fraction, out, ZERO, price, f"split {action.ex_date}")
    elif fraction or out:
        last = restated.lots[-1]
        last = last._replace(quantity=last.quantity - fraction, cost=last.cost - out)
        work.put(
            restated._replace(
                quantity=quantity,
                cost=restated.cost - out,
                market_value=cents(quantity * restated.mark),
                lots=(*restated.lots[:-1], last),
            )
        )


def _take_up(work: Working, action: Action, added: Decimal, cash: Decimal) -> None:
    """Shares of a holding that was closed before its split was known: they come at no cost."""
    symbol = action.symbol
    if added:
        bar = work.market.bars.get(symbol)
        at = bar.open if bar is not None else action.ex_open
        price = ZERO if at is None else exact_price(at)
        amount = -cash if added > 0 else cash
        work.change(symbol, added, price, amount, ZERO, f"split {action.ex_date}")
    elif cash:
        day, nil = work.day, ZERO
        work.rows.trades.append(
            Trade(
                f"split {action.ex_date}",
                f"split {action.ex_date}",
                symbol,
                "LONG",
                nil,
                day,
                day,
                nil,
                cash,
                cash,
                nil,
                nil,
                cash,
                max(cash, nil),
                min(cash, nil),
            )
        )


def _restated(position: Position, action: Action) -> Position:
    """The position with its lots from before the ex-date in new shares, fractions included."""
    assert isinstance(action.value, Fraction)
    up, down, scaled = action.value.numerator, action.value.denominator, float(action.value)
    lots: list[Lot] = []
    before = done = total = ZERO
    for lot in position.lots:
        if lot.opened < action.ex_date:
            before += lot.quantity
            upto = micros(before * up / down)
            lot = lot._replace(quantity=upto - done, high=lot.high / scaled, low=lot.low / scaled)
            done = upto
        lots.append(lot)
        total += lot.quantity
    mark, high, low = position.mark, position.high, position.low
    if position.mark_day < action.ex_date:
        mark, high, low = micros(mark * down / up), high / scaled, low / scaled
    quantity = total.copy_sign(position.quantity)
    return position._replace(
        quantity=quantity,
        mark=mark,
        market_value=cents(quantity * mark),
        lots=tuple(lots),
        high=high,
        low=low,
    )


def adjust_orders(work: Working, action: Action, *, since_ex: bool) -> None:
    """Open orders in new shares and prices; what is left below one lot is cancelled.

    since_ex: whether some orders may have been decided on prices after the split, which stay.
    """
    assert isinstance(action.value, Fraction)
    up, down = action.value.numerator, action.value.denominator
    ex_moment = datetime.combine(action.ex_date, time(0), UTC)
    for order_id, found in list(work.open_orders.items()):
        order = found.order
        if order.symbol != action.symbol or (since_ex and order.decided_at > ex_moment):
            continue
        left = whole_lots((order.quantity - found.filled) * up / down, work.rules.lot)
        if not left:
            work.event(order_id, "cancelled", "less than one lot after a split")
            continue
        adjusted = order._replace(
            quantity=found.filled + left,
            limit=None if order.limit is None else micros(order.limit * down / up),
            stop=None if order.stop is None else micros(order.stop * down / up),
        )
        work.open_orders[order_id] = found._replace(order=adjusted)
        work.event(
            order_id,
            "split_adjusted",
            f"split {action.value}",
            quantity=adjusted.quantity,
            limit=adjusted.limit,
            stop=adjusted.stop,
        )


def apply_dividend(work: Working, action: Action) -> list[Receivable]:
    """A cash dividend on its ex-date, to what was held at the close before it; shorts pay."""
    history, position = work.history.get(action.symbol), work.positions.get(action.symbol)
    if history is None:
        return []
    cash = effect(action, work.held(action.symbol), work.rules.lot, ZERO)[1]
    work.history[action.symbol] = Event(
        action.ex_date, "dividend", ZERO, cash, action, ZERO, history
    )
    if position is None or not cash:
        return []
    work.put(credit_dividend(position, cash))
    if work.rules.dividend_delay:
        work.receivable += cash
        return [Receivable(work.rules.dividend_delay, action, cash)]
    post_dividend(work, action, cash)
    return []


def post_dividend(work: Working, action: Action, cash: Decimal) -> None:
    """The journal entry of a dividend; one that a short pays is a kind of its own."""
    kind: EntryKind = "dividend" if cash >= 0 else "dividend_short"
    source = f"dividend {action.ex_date}"
    work.post(kind, action.symbol, cash, ZERO, source, action.ex_date)


def pay_receivables(work: Working) -> list[Receivable]:
    """Dividends whose pay day has come, a session later than yesterday; returns what is owed still."""
    owed = []
    for receivable in work.state.receivables:
        if not work.market.sessions:
            owed.append(receivable)
        elif receivable.sessions > 1:
            owed.append(receivable._replace(sessions=receivable.sessions - 1))
        else:
            work.receivable -= receivable.cash
            post_dividend(work, receivable.action, receivable.cash)
    return owed
