"""What a symbol's holding was made of: its trades and actions, so that late knowledge is exact."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, Optional

from predtrack_assets.domain.trading.execution.market_day import Action
from predtrack_assets.domain.trading.holdings.money import (
    MICRO,
    ZERO,
    cents,
    exact_price,
    whole_lots,
)

_ORDER = {"split": 0, "dividend": 1, "trade": 2}


class Event(NamedTuple):
    """A trade or an action that met a holding, linked to the one before it.

    kind: trade, split or dividend. quantity: signed shares that it added; cash: what it posted.
    price: what a split's fraction was paid at, or the bar's price of a trade. source: of a trade.
    """

    day: date
    kind: str
    quantity: Decimal
    cash: Decimal
    action: Action | None
    price: Decimal
    before: Optional[Event]  # noqa: UP045 - a forward reference cannot use |
    source: str = ""


class Split(NamedTuple):
    """What a split does to a holding: shares afterwards, and cash for the fraction."""

    quantity: Decimal
    cash: Decimal


def split_holding(quantity: Decimal, ratio: Fraction, lot: Decimal, price: Decimal) -> Split:
    """Whole lots of quantity * ratio, and the rest in cash at `price`; a short pays for its rest.

    >>> split_holding(Decimal(103), Fraction(1, 100), Decimal(1), Decimal(250))
    Split(quantity=Decimal('1'), cash=Decimal('7.50'))
    """
    exact = quantity * ratio.numerator / ratio.denominator
    whole = whole_lots(exact, lot)
    return Split(whole, cents((exact - whole) * price))


def replayed(history: Event | None, action: Action, price: Decimal, lot: Decimal) -> list[Event]:
    """The symbol's events, oldest first, as they had been if the action had been known in time.

    A revision takes the place of what was known before. Quantities and cash of splits and
    dividends are those that follow; trades are what they were.
    """
    events = [e for e in newest_first(history) if not _is_same(e.action, action)]
    events.append(Event(action.ex_date, action.kind, ZERO, ZERO, action, price, None))
    events.reverse()
    events.sort(key=lambda e: (e.day, _ORDER[e.kind]))
    held, found = ZERO, []
    for event in events:
        quantity, cash = event.quantity, event.cash
        if event.action is not None:
            quantity, cash = effect(event.action, held, lot, event.price)
        held += quantity
        found.append(event._replace(quantity=quantity, cash=cash, before=None))
    return found


def effect(action: Action, held: Decimal, lot: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
    """Shares and cash that an action adds to a holding at the close before its ex-date."""
    if action.kind == "split":
        assert isinstance(action.value, Fraction)
        after = split_holding(held, action.value, lot, price)
        return after.quantity - held, after.cash
    assert isinstance(action.value, Decimal)
    return ZERO, cents(held * action.value)


def linked(events: list[Event]) -> Event | None:
    """The events as a chain, the last one first to reach."""
    last: Event | None = None
    for event in events:
        last = event._replace(before=last)
    return last


def posted(history: Event | None) -> dict[tuple[str, date], Event]:
    """The actions that met a holding, by kind and ex-date."""
    return {(e.kind, e.day): e for e in newest_first(history) if e.action is not None}


def fraction_price(action: Action, mark: Decimal, rule: str, today: float | None) -> Decimal:
    """What a split's fraction is paid at: the ex-date's open as traded, or the close before it.

    mark: last close before the split, in old shares. today: open of the ex-date's bar.
    """
    assert isinstance(action.value, Fraction)
    opened = action.ex_open if action.ex_open is not None else today
    if rule == "ex_open" and opened is not None:
        return exact_price(opened)
    ratio = action.value
    return (mark * ratio.denominator / ratio.numerator).quantize(MICRO)


def newest_first(history: Event | None) -> Iterator[Event]:
    """A symbol's events, the last one first."""
    while history is not None:
        yield history
        history = history.before


def _is_same(one: Action | None, other: Action) -> bool:
    return one is not None and one.kind == other.kind and one.ex_date == other.ex_date
