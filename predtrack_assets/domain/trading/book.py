"""One day of a book: a pure step from state to state, and a fold over days.

Corrections of past bars are noted first. Then the order of a day is fixed: 1 splits, 2 dividends,
3 interest and borrow fees, 4 delistings, 5 open orders against the day's bars, 6 marks at the
close, 7 risk, 8 new orders. Quantities are sized on the day's close; cash is checked again at the
fill.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal, localcontext

from predtrack_assets.domain.trading.execution.acceptance import accept_orders
from predtrack_assets.domain.trading.execution.market_day import Day
from predtrack_assets.domain.trading.execution.matching import execute
from predtrack_assets.domain.trading.execution.working import Working
from predtrack_assets.domain.trading.holdings.corrections import note_corrections
from predtrack_assets.domain.trading.holdings.delisting import arm_exits, settle_delistings
from predtrack_assets.domain.trading.holdings.financing import charge_nights
from predtrack_assets.domain.trading.holdings.late_knowledge import apply_actions
from predtrack_assets.domain.trading.holdings.money import CONTEXT, cents
from predtrack_assets.domain.trading.holdings.risk import check_risk
from predtrack_assets.domain.trading.holdings.valuation import mark_positions
from predtrack_assets.domain.trading.rules import DEFAULT_RULES, ExecutionRules
from predtrack_assets.domain.trading.state import BookState, Rows, StateRow, day_digest


def new_book(book: str, capital: Decimal, rules: ExecutionRules = DEFAULT_RULES) -> BookState:
    """A book before its first day; `capital` is paid in on it. Raises ValueError unless > 0."""
    if not capital > 0 or not capital.is_finite():
        raise ValueError(f"capital {capital} is not above 0")
    return BookState(book=book, capital=cents(capital), rules=rules)


def step(state: BookState, market: Day) -> tuple[BookState, Rows]:
    """The book after a day, and what the day adds to its tables.

    Pure: the same state and day give the same result, and neither is changed. Costs in proportion
    to the day's orders and fills and to the positions held. Raises ValueError for a day that does
    not come after the state's.
    """
    if state.day is not None and market.day <= state.day:
        raise ValueError(f"{market.day} does not come after {state.day}, the book's last day")
    with localcontext(CONTEXT):
        work = Working(state, market)
        if state.day is None:
            work.post("capital", "", state.capital, source="capital")
        note_corrections(work)
        pending, owed = apply_actions(work)
        accrued = charge_nights(work)
        settle_delistings(work)
        execute(work)
        blocked = mark_positions(work)
        halted = check_risk(work)
        arm_exits(work)
        accept_orders(work)
        return _closed(
            work,
            replace(
                state,
                day=market.day,
                pending=pending,
                receivables=owed,
                accrued=accrued,
                blocked=blocked,
                halted=halted,
            ),
        )


def run(state: BookState, days: Iterable[Day]) -> tuple[BookState, Rows]:
    """A left fold of `step` over days in order, their rows together."""
    rows = Rows()
    for market in days:
        state, added = step(state, market)
        rows.extend(added)
    return state, rows


def _closed(work: Working, state: BookState) -> tuple[BookState, Rows]:
    """The new state and the day's row of it."""
    rows, equity = work.rows, work.equity
    money = (work.cash, work.receivable, equity)
    digest = day_digest(state.digest, work.day, money, rows)
    rows.positions = [(work.day, p) for p in work.positions.values()]
    rows.states.append(
        StateRow(
            work.day,
            work.cash,
            work.receivable,
            work.value + work.short,
            -work.short,
            equity,
            len(work.open_orders),
            state.digest,
            digest,
        )
    )
    after = replace(
        state,
        cash=work.cash,
        equity=equity,
        positions=work.positions,
        open_orders=work.open_orders,
        history=work.history,
        delistings=work.delistings,
        entries=work.entries,
        digest=digest,
    )
    return after, rows
