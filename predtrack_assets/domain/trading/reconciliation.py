"""Checks R1 to R10 and R12 of a book's rows, each recomputed from the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from predtrack_assets.domain.trading.execution.market_day import Action, Bar
from predtrack_assets.domain.trading.execution.orders import FINAL, Order
from predtrack_assets.domain.trading.holdings.corporate_actions import as_executed
from predtrack_assets.domain.trading.holdings.corporate_history import effect
from predtrack_assets.domain.trading.holdings.money import ZERO, cents, exact_price, micros
from predtrack_assets.domain.trading.state import GENESIS, BookState, Rows, day_digest

OFFENDERS = 5

BarOf = Callable[[date, str], Bar | None]


class Evidence(NamedTuple):
    """What is checked: a book from its first day, its last state, bars, and actions as known last."""

    rows: Rows
    state: BookState
    bar_of: BarOf
    actions: tuple[Action, ...]


class Check(NamedTuple):
    """A check's name, what it holds, how often it does not, and the first places where."""

    name: str
    claim: str
    faults: int
    offenders: tuple[str, ...]


def reconcile(evidence: Evidence) -> list[Check]:
    """All checks, in order; a book is sound if none has a fault."""
    found = []
    for name, claim, check in _CHECKS:
        faults = list(check(evidence))
        found.append(Check(name, claim, len(faults), tuple(faults[:OFFENDERS])))
    return found


def _cash(evidence: Evidence) -> Iterator[str]:
    moved: dict[date, Decimal] = defaultdict(lambda: ZERO)
    for entry in evidence.rows.entries:
        moved[entry.trading_day] += entry.cash
    total = ZERO
    for row in evidence.rows.states:
        total += moved[row.trading_day]
        if total != row.cash:
            yield f"{row.trading_day}: cash {row.cash}, journal {total}"


def _quantity(evidence: Evidence) -> Iterator[str]:
    moved: dict[date, dict[str, Decimal]] = defaultdict(dict)
    for entry in evidence.rows.entries:
        if entry.quantity:
            of_day = moved[entry.trading_day]
            of_day[entry.symbol] = of_day.get(entry.symbol, ZERO) + entry.quantity
    held: dict[str, Decimal] = {}
    stated = _positions_by_day(evidence)
    for row in evidence.rows.states:
        for symbol, change in moved[row.trading_day].items():
            quantity = held.pop(symbol, ZERO) + change
            if quantity:
                held[symbol] = quantity
        shown = {p.symbol: p.quantity for p in stated.get(row.trading_day, ())}
        if shown != held:
            wrong = sorted(s for s in {*shown, *held} if shown.get(s) != held.get(s))[0]
            yield (
                f"{row.trading_day} {wrong}: position {shown.get(wrong, 0)}, journal {held.get(wrong, 0)}"
            )


def _equity(evidence: Evidence) -> Iterator[str]:
    stated = _positions_by_day(evidence)
    for row in evidence.rows.states:
        value = sum((cents(p.quantity * p.mark) for p in stated.get(row.trading_day, ())), ZERO)
        expected = row.cash + row.receivable + value
        if expected != row.equity or row.long + row.short != value:
            yield f"{row.trading_day}: equity {row.equity}, cash and positions {expected}"


def _orders(evidence: Evidence) -> Iterator[str]:
    orders = {order.order_id: order for order in evidence.rows.orders}
    terms = {order_id: order.quantity for order_id, order in orders.items()}
    filled: dict[str, Decimal] = defaultdict(lambda: ZERO)
    ended: set[str] = set()
    for event in evidence.rows.events:
        if event.order_id in ended:
            yield f"order {event.order_id}: {event.event} after its end"
        if event.event == "split_adjusted" and event.quantity is not None:
            terms[event.order_id] = event.quantity
        if event.event in ("filled", "partially_filled"):
            filled[event.order_id] += event.quantity or ZERO
            if filled[event.order_id] > terms.get(event.order_id, ZERO):
                yield f"order {event.order_id}: more filled than ordered"
        if event.event in FINAL:
            ended.add(event.order_id)
    sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for fill in evidence.rows.fills:
        sums[fill.order_id] += fill.quantity
        order = orders.get(fill.order_id)
        if order is None or order.side != fill.side or order.symbol != fill.symbol:
            yield f"fill {fill.order_id}:{fill.n}: not what was ordered"
    for order_id in sums.keys() | filled.keys():
        if sums[order_id] != filled[order_id]:
            yield f"order {order_id}: fills {sums[order_id]}, events {filled[order_id]}"


def _decisions(evidence: Evidence) -> Iterator[str]:
    orders = {order.order_id: order for order in evidence.rows.orders}
    for fill in evidence.rows.fills:
        order = orders.get(fill.order_id)
        if order is None:
            yield f"fill {fill.order_id}:{fill.n}: no order"
        elif not (fill.as_of == order.decided_at < fill.filled_at <= fill.bar_known):
            yield f"fill {fill.order_id}:{fill.n}: its bar had begun or was known at the decision"


def _prices(evidence: Evidence) -> Iterator[str]:
    limits = {order.order_id: order.limit for order in evidence.rows.orders}
    adjusted: dict[str, list[tuple[date, Decimal | None]]] = defaultdict(list)
    for event in evidence.rows.events:
        if event.event == "split_adjusted":
            adjusted[event.order_id].append((event.trading_day, event.limit))
    orders: dict[str, Order] = {order.order_id: order for order in evidence.rows.orders}
    for fill in evidence.rows.fills:
        bar = evidence.bar_of(fill.trading_day, fill.symbol)
        if bar is None or not exact_price(bar.low) <= micros(fill.raw_price) <= exact_price(
            bar.high
        ):
            yield f"fill {fill.order_id}:{fill.n}: {fill.raw_price} is outside its bar"
        limit = limits.get(fill.order_id)
        for day, changed in adjusted.get(fill.order_id, ()):
            if day <= fill.trading_day:
                limit = changed
        sign = 1 if fill.side == "buy" else -1
        if limit is not None and sign * fill.price > sign * limit and fill.order_id in orders:
            yield f"fill {fill.order_id}:{fill.n}: {fill.price} is beyond the limit {limit}"


def _participation(evidence: Evidence) -> Iterator[str]:
    cap = evidence.state.rules.participation
    if cap is None:
        return
    taken: dict[tuple[date, str], Decimal] = defaultdict(lambda: ZERO)
    for fill in evidence.rows.fills:
        taken[fill.trading_day, fill.symbol] += fill.quantity
    for (day, symbol), quantity in taken.items():
        bar = evidence.bar_of(day, symbol)
        if bar is None or quantity > cap * Decimal(repr(bar.volume)):
            yield f"{day} {symbol}: {quantity} filled, more than {cap} of the volume"


def _actions(evidence: Evidence) -> Iterator[str]:
    state = evidence.state
    last = state.day
    known = {
        (a.symbol, a.ex_date, a.kind): as_executed(a, state.rules)
        for a in evidence.actions
        if a.kind != "delisting" and last is not None and a.ex_date <= last
    }
    cash: dict[tuple[str, date, str], Decimal] = defaultdict(lambda: ZERO)
    shares: dict[tuple[str, date, str], Decimal] = defaultdict(lambda: ZERO)
    moves: dict[str, list[tuple[date, bool, Decimal]]] = defaultdict(list)
    for owed in state.receivables:
        cash[owed.action.symbol, owed.action.ex_date, "dividend"] += owed.cash
    for entry in evidence.rows.entries:
        if entry.ex_date is None:
            if entry.quantity:
                moves[entry.symbol].append((entry.trading_day, True, entry.quantity))
            continue
        kind = "dividend" if entry.kind.startswith("dividend") else "split"
        key = entry.symbol, entry.ex_date, kind
        if key not in known:
            yield f"entry {entry.entry_id}: no {kind} of {entry.symbol} on {entry.ex_date}"
        if kind == "dividend":
            cash[key] += entry.cash
        elif entry.quantity:
            shares[key] += entry.quantity
            moves[entry.symbol].append((entry.ex_date, False, entry.quantity))
    for key, action in known.items():
        symbol, ex_date, kind = key
        held = ZERO  # trades before the ex-date; splits before it, and on it before a dividend
        for day, is_trade, quantity in moves.get(symbol, ()):
            before = day < ex_date or (day == ex_date and not is_trade and kind == "dividend")
            held += quantity if before else ZERO
        expected = effect(action, held, state.rules.lot, ZERO)
        stated = cash[key] if kind == "dividend" else shares[key]
        if stated != expected[kind == "dividend"]:
            yield f"{kind} of {symbol} on {ex_date}: {stated} posted, {held} were held"


def _attribution(evidence: Evidence) -> Iterator[str]:
    sums: dict[date, Decimal] = defaultdict(lambda: ZERO)
    for fill in evidence.rows.fills:
        traded = fill.amount if fill.side == "sell" else -fill.amount  # slippage included
        sums[fill.trading_day] += traded - fill.fee
    for entry in evidence.rows.entries:
        if entry.kind not in ("buy", "sell", "fee"):
            sums[entry.trading_day] += entry.cash
    stated = _positions_by_day(evidence)
    before = (ZERO, ZERO, ZERO)
    for row in evidence.rows.states:
        value = sum((p.market_value for p in stated.get(row.trading_day, ())), ZERO)
        explained = sums[row.trading_day] + value - before[0] + row.receivable - before[1]
        if row.equity - before[2] != explained:
            yield f"{row.trading_day}: equity changed by {row.equity - before[2]}, explained {explained}"
        before = (value, row.receivable, row.equity)


def _result(evidence: Evidence) -> Iterator[str]:
    state = evidence.state
    realised = sum((t.gross_pnl for t in evidence.rows.trades), ZERO)
    unrealised = sum((p.unrealised for p in state.positions.values()), ZERO)
    kinds = ("dividend", "dividend_short", "interest", "borrow", "fee", "correction")
    other = sum((e.cash for e in evidence.rows.entries if e.kind in kinds), state.receivable)
    if realised + unrealised + other != state.equity - state.capital and state.day is not None:
        yield (
            f"realised {realised}, unrealised {unrealised}, income less costs {other}:"
            f" not the {state.equity - state.capital} that the book made"
        )


def _digests(evidence: Evidence) -> Iterator[str]:
    days: dict[date, Rows] = defaultdict(Rows)
    for entry in evidence.rows.entries:
        days[entry.trading_day].entries.append(entry)
    ordered = {event.order_id: event.trading_day for event in evidence.rows.events if not event.n}
    for order in evidence.rows.orders:
        days[ordered[order.order_id]].orders.append(order)
    for event in evidence.rows.events:
        days[event.trading_day].events.append(event)
    previous = GENESIS
    for row in evidence.rows.states:
        day = row.trading_day
        money = (row.cash, row.receivable, row.equity)
        digest = day_digest(previous, day, money, days[day])
        if row.previous_digest != previous or row.digest != digest:
            yield f"{day}: the digest does not continue the chain"
        previous = row.digest


def _stale(evidence: Evidence) -> Iterator[str]:
    for day, position in evidence.rows.positions:
        if not position.stale and evidence.bar_of(day, position.symbol) is None:
            yield f"{day} {position.symbol}: marked without a bar"


def _positions_by_day(evidence: Evidence) -> dict[date, list]:
    stated: dict[date, list] = defaultdict(list)
    for day, position in evidence.rows.positions:
        stated[day].append(position)
    return stated


_CHECKS: tuple[tuple[str, str, Callable[[Evidence], Iterator[str]]], ...] = (
    ("R1", "cash is the sum of the journal, to the cent", _cash),
    ("R2", "quantities are the sums of the journal", _quantity),
    ("R3", "equity is cash, receivable and each position at its mark", _equity),
    ("R4", "fills stay within their orders, and none comes after an order's end", _orders),
    ("R5", "no fill by a bar that had begun or was known at the decision", _decisions),
    ("R6", "raw prices lie within their bars, limits are respected", _prices),
    ("R7", "fills stay within their share of the bar's volume", _participation),
    ("R8", "every split and dividend of a holding is posted, once and in full", _actions),
    ("R9", "each day's change of equity is explained without a residual", _attribution),
    ("R10", "realised, unrealised, income and costs make up the result", _result),
    ("R11", "digests chain from the first day to the last", _digests),
    ("R12", "a position without a bar is flagged stale", _stale),
)
