"""Fees, slippage and rules as data."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from predtrack_assets.domain.trading.execution.fees import IB_FEES, fee_of, parse_fees
from predtrack_assets.domain.trading.execution.sizing import affordable, target_quantity
from predtrack_assets.domain.trading.execution.slippage import Liquidity, SlippageRule, slipped
from predtrack_assets.domain.trading.rules import DEFAULT_RULES, LEAN_RULES, rules_of


@pytest.mark.parametrize(
    ("quantity", "price", "fee"),
    [(1000, "27.22", "5.00"), (154, "650", "1.00"), (512, "97.84", "2.56"), (1000, "0.5", "2.50")],
)
def test_ib_fees(quantity, price, fee):
    assert fee_of(IB_FEES, D(quantity), D(price)) == D(fee)


def test_zipline_slippage_by_volume_share():
    rule = SlippageRule("volume_share", D("0.1"))
    for sign, expected in ((1, "3.50021875"), (-1, "3.49978125")):
        assert slipped(rule, sign, D("3.5"), D(50), D(2000), None) == D(expected)


def test_square_root_slippage_of_one_percent_of_volume_is_twenty_basis_points():
    liquidity = Liquidity(D("0.02"), D(1_000_000), D("0.01"))
    price = slipped(SlippageRule("square_root", D(1)), 1, D(100), D(10_000), D(1), liquidity)
    assert price == D("100.20")
    with pytest.raises(ValueError, match="liquidity"):
        slipped(SlippageRule("half_spread", D(1)), 1, D(100), D(1), D(1), None)


@pytest.mark.parametrize("text", ["", "bps", "bps:x", "bps:-1", "bps:nan", "IB"])
def test_fees_that_do_not_exist_are_named(text):
    with pytest.raises(ValueError, match="none, ib or bps:N"):
        parse_fees(text)


def test_sizing_hits_leans_share_counts():
    """SPY 512, AAPL 154, AAA 3,670 of 100,000."""
    for weight, close, shares in (
        ("0.5", "97.36", 512),
        ("-1", "647.35", -154),
        ("1", "27.17", 3670),
    ):
        assert target_quantity(LEAN_RULES, D(weight), D(100_000), D(close)) == shares


def test_what_is_affordable_is_the_most_that_fits():
    for cash in (0, 1, 99, 100, 101, 12_345):
        most = affordable(IB_FEES, D(1), D("9.99"), D(cash), D(10_000))
        assert most == 0 or most * D("9.99") + fee_of(IB_FEES, most, D("9.99")) <= cash
        more = most + 1
        assert more * D("9.99") + fee_of(IB_FEES, more, D("9.99")) > cash


def test_rules_come_from_a_profile_and_what_differs():
    rules = rules_of({"profile": "lean", "borrow_rate": "0.03", "fees": "bps:1", "leverage": False})
    assert (rules.borrow_rate, rules.fees.bps, rules.leverage) == (D("0.03"), D(1), False)
    assert rules.split_digits == LEAN_RULES.split_digits
    assert rules_of({}) == DEFAULT_RULES


@pytest.mark.parametrize(
    "settings",
    [
        {"profile": "zipline"},
        {"commission": 1},
        {"lot": 0},
        {"leverage": "yes"},
        {"dividend_delay": -1},
        {"slippage": {"kind": "magic"}},
        {"fees": {"perShare": 1}},
        {"fraction_price": "close"},
        {"interest_rate": "NaN"},
    ],
)
def test_rules_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=r"\w"):
        rules_of(settings)
