"""The book's cases: what other systems got wrong, with the right value last."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D
from fractions import Fraction

import pytest

from predtrack_assets.domain.trading.book import new_book, step
from predtrack_assets.domain.trading.execution.fees import IB_FEES, NO_FEES
from predtrack_assets.domain.trading.execution.market_day import Action, Revision
from predtrack_assets.domain.trading.execution.slippage import SlippageRule
from predtrack_assets.domain.trading.holdings.corporate_actions import ratio_of
from predtrack_assets.domain.trading.rules import ExecutionRules
from predtrack_assets_tests.builders.book import (
    FREE,
    bar,
    book_of,
    day_after,
    flat,
    market_day,
    order,
)


def split(n: int, text: str, ex_open: float | None = None) -> Action:
    return Action("A", day_after(n), "split", ratio_of(text), ex_open)


def dividend(n: int, amount: str) -> Action:
    return Action("A", day_after(n), "dividend", D(amount))


def test_a_market_order_is_filled_at_the_next_open_and_at_no_other_price():
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "buy", 10),)),
        market_day(1, {"A": bar(1, 103, 105, 102, 104)}),
    ]
    state, rows = book_of(days)
    assert [fill.price for fill in rows.fills] == [D(103)]
    assert state.cash == D("98970.00")
    assert state.equity == D("98970.00") + D("1040.00")


def test_an_order_that_is_decided_within_a_session_waits_for_the_next_one():
    asked = order(0, "A", "buy", 10)._replace(
        decided_at=flat(1, 1).session.opens_at + timedelta(minutes=1)
    )
    days = [
        market_day(0, {"A": flat(0, 100)}, (asked,)),
        market_day(1, {"A": flat(1, 101)}),
        market_day(2, {"A": flat(2, 102)}),
    ]
    _, rows = book_of(days)
    assert [(fill.trading_day, fill.price) for fill in rows.fills] == [(day_after(2), D(102))]


def test_no_bar_and_no_volume_is_no_fill_and_the_state_stays_finite():
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "buy", 10),)),
        market_day(1, {}),
        market_day(2, {"A": flat(2, 101, volume=0)}),
        market_day(3, {"A": flat(3, 102)}),
    ]
    state, rows = book_of(days)
    assert [fill.price for fill in rows.fills] == [D(102)]
    assert state.equity.is_finite()


def test_a_split_is_exact():
    days = [
        market_day(0, {"A": flat(0, 70)}, (order(0, "A", "buy", 100),)),
        market_day(1, {"A": flat(1, 70)}),
        market_day(2, {"A": flat(2, 10)}, actions=(split(2, "0.142857".replace("0.142857", "7")),)),
    ]
    state, _ = book_of(days)
    assert state.positions["A"].quantity == 700
    assert state.cash == D("93000.00")
    assert state.positions["A"].cost == D("7000.00")


def test_a_reverse_split_pays_the_fraction_at_the_open_and_a_short_buys_it_back():
    days = [
        market_day(0, {"A": flat(0, 2.5)}, (order(0, "A", "sell", 9),)),
        market_day(1, {"A": flat(1, 2.5)}, (order(1, "A", "sell", 9, kind="limit", limit=D(3)),)),
        market_day(2, {"A": flat(2, 250)}, actions=(split(2, "0.01"),)),
    ]
    state, rows = book_of(days)
    assert "A" not in state.positions
    assert state.cash == D("100000.00") + D("22.50") - D("22.50")
    assert state.equity == D("100000.00")
    assert not state.open_orders
    assert rows.events[-1].event == "cancelled"


def test_a_fraction_is_paid_at_the_ex_open_not_at_cost():
    days = [
        market_day(0, {"A": flat(0, 5)}, (order(0, "A", "buy", 103),)),
        market_day(1, {"A": flat(1, 5)}),
        market_day(2, {"A": flat(2, 250)}, actions=(split(2, "1:100"),)),
    ]
    state, rows = book_of(days)
    assert state.positions["A"].quantity == 1
    assert [e.cash for e in rows.entries if e.kind == "cash_in_lieu"] == [D("7.50")]


@pytest.mark.parametrize(
    ("side", "bought_on", "cash"),
    [("buy", 0, "82.00"), ("buy", 1, None), ("sell", 0, "-82.00")],
)
def test_a_dividend_goes_to_who_held_at_the_close_before(side, bought_on, cash):
    asked = order(bought_on, "A", side, 100)
    days = [
        market_day(0, {"A": flat(0, 440)}, (asked,) if bought_on == 0 else ()),
        market_day(1, {"A": flat(1, 440)}, (asked,) if bought_on == 1 else ()),
        market_day(2, {"A": flat(2, 440)}, actions=(dividend(2, "0.82"),)),
        market_day(3, {"A": flat(3, 110)}, actions=(split(3, "4"),)),
    ]
    state, rows = book_of(days)
    posted = [e.cash for e in rows.entries if e.kind.startswith("dividend")]
    assert posted == ([] if cash is None else [D(cash)])
    assert abs(state.positions["A"].quantity) == 400


def test_a_split_that_is_learned_late_changes_what_was_held_before_it():
    """Hold 100 before a 2:1, buy 50 and sell 30 after it, then learn: 220, never 240."""
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "buy", 100),)),
        market_day(1, {"A": flat(1, 100)}, (order(1, "A", "buy", 50),)),
        market_day(2, {"A": flat(2, 50)}, (order(2, "A", "sell", 30),)),
        market_day(3, {"A": flat(3, 50)}),
        market_day(4, {"A": flat(4, 50)}, actions=(split(2, "2"),)),
    ]
    state, rows = book_of(days)
    assert state.positions["A"].quantity == 220
    assert [e.quantity for e in rows.entries if e.kind == "split"] == [D(100)]


def test_a_revised_dividend_posts_the_difference():
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "buy", 100),)),
        market_day(1, {"A": flat(1, 100)}),
        market_day(2, {"A": flat(2, 100)}, actions=(dividend(2, "0.50"),)),
        market_day(3, {"A": flat(3, 100)}, actions=(dividend(2, "0.60"),)),
    ]
    _, rows = book_of(days)
    assert [e.cash for e in rows.entries if e.kind == "dividend"] == [D("50.00"), D("10.00")]


def test_a_late_split_also_mends_the_dividend_that_followed_it():
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "buy", 100),)),
        market_day(1, {"A": flat(1, 100)}),
        market_day(2, {"A": flat(2, 50)}),
        market_day(3, {"A": flat(3, 50)}, actions=(dividend(3, "1"),)),
        market_day(4, {"A": flat(4, 50)}, actions=(split(2, "2"),)),
    ]
    state, rows = book_of(days)
    assert [e.cash for e in rows.entries if e.kind == "dividend"] == [D("100.00"), D("100.00")]
    assert state.positions["A"].quantity == 200


def test_shares_of_a_split_that_is_learned_after_the_exit_come_at_no_cost():
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "buy", 100),)),
        market_day(1, {"A": flat(1, 100)}),
        market_day(2, {"A": flat(2, 50)}, (order(2, "A", "sell", 100),)),
        market_day(3, {"A": flat(3, 50)}),
        market_day(4, {"A": flat(4, 50)}, actions=(split(2, "2"),)),
    ]
    state, _ = book_of(days)
    assert state.positions["A"].quantity == 100
    assert state.equity == D("100000.00")


def test_a_jump_blocks_the_symbol_until_its_split_is_known():
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "buy", 100),)),
        market_day(1, {"A": flat(1, 100)}),
        market_day(2, {"A": flat(2, 50)}, (order(2, "A", "buy", 1),), jumps=frozenset("A")),
        market_day(3, {"A": flat(3, 50)}, actions=(split(2, "2"),)),
    ]
    state, rows = book_of(days)
    stale = {day: p.stale for day, p in rows.positions}
    assert stale == {day_after(1): False, day_after(2): True, day_after(3): False}
    assert rows.states[2].equity == state.equity == D("100000.00")
    assert [e.event for e in rows.events][-1] == "rejected"


def test_a_delisted_symbol_is_sold_once_at_the_open_of_its_last_day():
    last = Action("A", day_after(3), "delisting", None)
    days = [
        market_day(0, {"A": flat(0, 27)}, (order(0, "A", "buy", 3670),)),
        market_day(1, {"A": flat(1, 27)}, actions=(last,)),
        market_day(2, {"A": flat(2, 26)}, (order(2, "A", "sell", 3670),)),
        market_day(3, {"A": flat(3, 25.71)}, (order(3, "A", "sell", 3670),)),
        market_day(4, {}),
    ]
    state, rows = book_of(days)
    assert [(f.side, f.price) for f in rows.fills] == [("buy", D(27)), ("sell", D("25.71"))]
    assert not state.positions
    refused = [e.reason for e in rows.events if e.event in ("cancelled", "rejected")]
    assert refused == ["the position is 0", "the symbol is delisted"]


def test_without_a_bar_for_ten_sessions_a_position_is_closed_below_its_last_close():
    quiet = [market_day(n, {}) for n in range(2, 14)]
    days = [
        market_day(0, {"A": flat(0, 10)}, (order(0, "A", "buy", 100),)),
        market_day(1, {"A": flat(1, 10)}),
        *quiet,
    ]
    state, rows = book_of(days)
    closed = [e for e in rows.entries if e.kind == "delisting"]
    assert [(e.trading_day, e.cash) for e in closed] == [(day_after(12), D("700.00"))]
    assert all(p.stale for day, p in rows.positions if day > day_after(1))
    assert not state.positions


@pytest.mark.parametrize(
    ("prices", "filled"),
    [((95, 101, 94, 100), 95), ((100, 105, 97, 100), 98), ((104.5, 105, 97, 100), 104.5)],
)
def test_stop_and_target_in_one_bar(prices, filled):
    """The stop, unless the bar opens at or beyond the target; through a gap the open."""
    exits = (
        order(1, "A", "sell", 100, kind="limit", limit=D(104), oco_group="exit"),
        order(1, "A", "sell", 100, kind="stop", stop=D(98), oco_group="exit"),
    )
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "buy", 100),)),
        market_day(1, {"A": flat(1, 100)}, exits),
        market_day(2, {"A": bar(2, *prices)}),
    ]
    state, rows = book_of(days)
    assert [fill.price for fill in rows.fills][1:] == [D(str(filled))]
    assert not state.open_orders
    assert not state.positions


@pytest.mark.parametrize(
    ("low", "filled"), [(95, [D(99)]), (99, [])], ids=["gone through", "touched"]
)
def test_a_limit_is_filled_at_itself_and_a_touch_is_not_enough(low, filled):
    asked = order(0, "A", "buy", 10, kind="limit", limit=D(99))
    days = [
        market_day(0, {"A": flat(0, 100)}, (asked,)),
        market_day(1, {"A": bar(1, 100, 100, low, 100)}),
    ]
    _, rows = book_of(days)
    assert [fill.price for fill in rows.fills] == filled


def test_an_exit_sees_only_what_lies_after_an_entry_within_the_bar():
    """A limit buy at 99 on the way down: the high of 105 may have come before it."""
    asked = (
        order(0, "A", "buy", 10, kind="limit", limit=D(99)),
        order(0, "A", "sell", 10, kind="limit", limit=D(104), reduce_only=True),
    )
    days = [
        market_day(0, {"A": flat(0, 100)}, asked),
        market_day(1, {"A": bar(1, 100, 105, 98, 100)}),
        market_day(2, {"A": bar(2, 100, 105, 100, 104)}),
    ]
    _, rows = book_of(days)
    assert [(f.trading_day, f.price) for f in rows.fills] == [
        (day_after(1), D(99)),
        (day_after(2), D(104)),
    ]


def test_participation_leaves_the_rest_open():
    rules = ExecutionRules(
        fees=NO_FEES,
        participation=D("0.025"),
        slippage=SlippageRule("volume_share", D("0.1")),
    )
    days = [
        market_day(0, {"A": flat(0, 3.5)}, (order(0, "A", "buy", 100),)),
        market_day(1, {"A": flat(1, 3.5, volume=2000)}),
    ]
    state, rows = book_of(days, rules=rules)
    assert [(f.quantity, f.price, f.rule) for f in rows.fills] == [
        (D(50), D("3.500219"), "participation")
    ]
    assert [o.filled for o in state.open_orders.values()] == [D(50)]


def test_a_gap_up_never_overdraws_the_cash():
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", None, weight=D(1)),)),
        market_day(1, {"A": flat(1, 130)}),
    ]
    state, rows = book_of(days, rules=ExecutionRules(fees=IB_FEES, participation=None))
    assert rows.fills[0].quantity == 769  # 769 * 130 + 3.85 <= 100,000 < 770 * 130
    assert state.cash == D("26.15")
    assert rows.events[-1].reason == "cash covers 769 of 997"


def test_a_short_needs_margin_and_a_breach_covers_it_at_the_next_open():
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "sell", 3000),)),
        market_day(1, {"A": flat(1, 100)}),
        market_day(2, {"A": flat(2, 131)}),
        market_day(3, {"A": flat(3, 132)}),
    ]
    state, rows = book_of(days)
    assert [(f.side, f.quantity, f.price) for f in rows.fills] == [
        ("sell", D(2000), D(100)),  # 50 % of 200,000
        ("buy", D(2000), D(132)),  # equity 38,000 below 30 % of 262,000
    ]
    assert rows.orders[-1].tag == "margin_call"
    assert state.equity == D("36000.00")


def test_a_book_without_equity_is_halted():
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "sell", 2000),)),
        market_day(1, {"A": flat(1, 100)}),
        market_day(2, {"A": flat(2, 160)}),
        market_day(3, {"A": flat(3, 160)}, (order(3, "A", "buy", 1),)),
    ]
    state, rows = book_of(days)
    assert state.halted
    assert rows.events[-1].reason == "the book is halted: its equity fell to zero"


def test_interest_is_posted_with_the_month_and_borrowing_costs_every_night():
    rules = ExecutionRules(fees=NO_FEES, interest_rate=D("0.05"), borrow_rate=D("0.03"))
    days = [
        market_day(n, {"A": flat(n, 50)}, (order(n, "A", "sell", 100),) if n == 3 else ())
        for n in (0, 3, 4, 7, 26)
    ]
    _, rows = book_of(days, rules=rules)
    borrow = [(e.trading_day, e.cash) for e in rows.entries if e.kind == "borrow"]
    assert borrow[0] == (day_after(7), D("-1.25"))  # Friday to Monday
    assert [e.trading_day for e in rows.entries if e.kind == "interest"] == [day_after(26)]


def test_a_dividend_may_be_owed_for_some_sessions():
    rules = ExecutionRules(fees=NO_FEES, dividend_delay=2)
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "buy", 100),)),
        market_day(1, {"A": flat(1, 100)}),
        market_day(2, {"A": flat(2, 99)}, actions=(dividend(2, "1"),)),
        market_day(3, {"A": flat(3, 99)}),
        market_day(4, {"A": flat(4, 99)}),
    ]
    _, rows = book_of(days, rules=rules)
    assert [row.receivable for row in rows.states] == [0, 0, 100, 100, 0]
    assert [row.equity for row in rows.states] == [D("100000.00")] * 5


@pytest.mark.parametrize("halved", [False, True], ids=["plain", "through a 2:1 split"])
def test_trades_know_their_best_and_worst(halved):
    """LEAN's case: buy 1,000 at 1.08, marks 1.075 and 1.10, sell at 1.09: MAE -5, MFE 20."""
    scale = 2 if halved else 1
    rules = ExecutionRules(fees=NO_FEES._replace(flat=D(1)), participation=None)
    days = [
        market_day(0, {"A": flat(0, 1.08)}, (order(0, "A", "buy", 1000),)),
        market_day(1, {"A": bar(1, 1.08, 1.08, 1.075, 1.075)}),
        market_day(
            2,
            {"A": flat(2, 1.10 / scale)},
            (order(2, "A", "sell", 1000 * scale),),
            (split(2, "2"),) if halved else (),
        ),
        market_day(3, {"A": flat(3, 1.09 / scale)}),
    ]
    _, rows = book_of(days, rules=rules)
    trade = rows.trades[0]
    assert (trade.gross_pnl, trade.commission, trade.mae, trade.mfe) == (10, 2, -5, 20)
    assert trade.net_pnl == 8


def test_a_step_changes_nothing_and_repeats_itself():
    first = market_day(0, {"A": flat(0, 100)}, (order(0, "A", "buy", 10),))
    second = market_day(1, {"A": flat(1, 101)})
    before, _ = step(new_book("test", D(100_000), FREE), first)
    kept = (dict(before.positions), dict(before.open_orders), before.digest)
    once, twice = step(before, second), step(before, second)
    assert once == twice
    assert kept == (before.positions, before.open_orders, before.digest)
    with pytest.raises(ValueError, match="does not come after"):
        step(once[0], second)


def test_orders_for_one_session_expire_with_it():
    asked = (
        order(0, "A", "buy", 1, kind="limit", limit=D(90), tif="day"),
        order(0, "A", "buy", 1, kind="limit", limit=D(99), tif="opg"),
        order(0, "A", "buy", 1, kind="limit", limit=D(80)),
    )
    days = [
        market_day(0, {"A": flat(0, 100)}, asked),
        market_day(1, {"A": bar(1, 100, 100, 95, 100)}),
    ]
    state, rows = book_of(days)
    assert not rows.fills
    assert [e.event for e in rows.events[-2:]] == ["expired", "expired"]
    assert len(state.open_orders) == 1


def test_a_foreign_currency_is_refused():
    days = [
        market_day(0, {"A": flat(0, 1)}, (order(0, "A", "buy", 1),), foreign=frozenset("A")),
    ]
    _, rows = book_of(days)
    assert rows.events[-1].reason == "the symbol's currency is not the book's"


def test_ratios_are_read_as_what_companies_use():
    assert ratio_of("0.333333") == Fraction(1, 3)
    assert ratio_of("1.0333") == Fraction(31, 30)
    assert ratio_of("1.2517") == Fraction(12517, 10000)
    with pytest.raises(ValueError, match="no split"):
        ratio_of("nan")


def test_a_fill_that_a_corrected_bar_makes_impossible_is_noted_and_stays():
    corrected = (Revision("A", day_after(1), 99.0, 100.5), Revision("A", day_after(0), 1.0, 2.0))
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "buy", 10),)),
        market_day(1, {"A": bar(1, 103, 105, 102, 104)}),
        market_day(2, {"A": flat(2, 104)}, revisions=corrected),
    ]
    state, rows = book_of(days)
    noted = [entry for entry in rows.entries if entry.kind == "correction"]
    fill = rows.fills[0]
    assert [(e.trading_day, e.symbol, e.cash, e.quantity) for e in noted] == [
        (day_after(2), "A", D(0), D(0))
    ]
    assert noted[0].source == f"{fill.order_id}:{fill.n}"
    assert state.cash == D("98970.00")


def test_a_correction_that_leaves_the_fill_possible_is_nothing():
    days = [
        market_day(0, {"A": flat(0, 100)}, (order(0, "A", "buy", 10),)),
        market_day(1, {"A": bar(1, 103, 105, 102, 104)}),
        market_day(2, {"A": flat(2, 104)}, revisions=(Revision("A", day_after(1), 103.0, 106.0),)),
    ]
    assert "correction" not in {entry.kind for entry in book_of(days)[1].entries}
