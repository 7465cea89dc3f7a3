"""Actions by the day they became known: due ones now, early ones later, late ones by difference."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

from predtrack_assets.domain.trading.execution.market_day import Action
from predtrack_assets.domain.trading.execution.working import Working
from predtrack_assets.domain.trading.holdings.corporate_actions import (
    adjust_orders,
    apply_dividend,
    apply_split,
    as_executed,
    pay_receivables,
    post_dividend,
    post_split,
    settle_split,
)
from predtrack_assets.domain.trading.holdings.corporate_history import (
    Event,
    fraction_price,
    linked,
    posted,
    replayed,
)
from predtrack_assets.domain.trading.holdings.money import ZERO
from predtrack_assets.domain.trading.holdings.positions import credit_dividend
from predtrack_assets.domain.trading.state import Receivable


def apply_actions(work: Working) -> tuple[tuple[Action, ...], tuple[Receivable, ...]]:
    """Phases 1 and 2 of a day: splits, then dividends, that are known and due.

    Returns the actions that still lie ahead and the dividends that are owed.
    """
    if not (work.market.actions or work.state.pending or work.state.receivables):
        return (), ()
    owed = pay_receivables(work)
    pending = {(a.symbol, a.ex_date, a.kind): a for a in work.state.pending}
    late = []
    since = work.state.day
    for given in work.market.actions:
        action = as_executed(given, work.rules)
        if action.kind == "delisting":
            work.delistings[action.symbol] = action
        elif since is not None and action.ex_date <= since:
            late.append(action)
        else:
            pending[action.symbol, action.ex_date, action.kind] = action
    for action in sorted(late, key=_in_order):
        _apply_late(work, action)
    for action in sorted((a for a in pending.values() if a.ex_date <= work.day), key=_in_order):
        del pending[action.symbol, action.ex_date, action.kind]
        if action.kind == "split":
            apply_split(work, action)
        else:
            owed += apply_dividend(work, action)
    return tuple(pending.values()), tuple(owed)


def _in_order(action: Action) -> tuple[bool, date, str]:
    return action.kind != "split", action.ex_date, action.symbol


def _apply_late(work: Working, action: Action) -> None:
    """An action, or a revision of one, whose ex-date has passed: post what differs.

    Nothing is rewound: fills are what they were. The symbol's events are replayed with the action
    in its place, so that later splits and dividends follow from the quantities that were right.
    """
    history = work.history.get(action.symbol)
    former = posted(history)
    known = former.get((action.kind, action.ex_date))
    price, relative = ZERO, action
    if action.kind == "split":
        relative = action._replace(value=_relative(action, known))
        adjust_orders(work, relative, since_ex=True)
        position = work.positions.get(action.symbol)
        mark = ZERO if position is None else position.mark
        price = fraction_price(action, mark, work.rules.fraction_price, None)
    if history is None:
        return
    events = replayed(history, action, price, work.rules.lot)
    if (last := linked(events)) is not None:
        work.history[action.symbol] = last
    added = in_lieu = ZERO
    for event in events:
        if event.action is None:
            continue
        before = former.get((event.kind, event.day))
        cash = event.cash - (before.cash if before else ZERO)
        if event.kind == "split":
            shares = event.quantity - (before.quantity if before else ZERO)
            if shares or cash:
                post_split(work, event.action, shares, cash)
            added, in_lieu = added + shares, in_lieu + cash
        elif cash:
            _post_late_dividend(work, event.action, cash)
    if action.kind == "split" and (added or in_lieu):
        settle_split(work, relative, added, in_lieu, price)


def _relative(action: Action, known: Event | None) -> Fraction:
    """How far a split differs from what was known of it before."""
    assert isinstance(action.value, Fraction)
    if known is None or known.action is None:
        return action.value
    assert isinstance(known.action.value, Fraction)
    return action.value / known.action.value


def _post_late_dividend(work: Working, action: Action, cash: Decimal) -> None:
    position = work.positions.get(action.symbol)
    if position is not None:
        work.put(credit_dividend(position, cash))
    post_dividend(work, action, cash)
