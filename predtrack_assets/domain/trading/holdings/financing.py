"""Interest on cash and the fee for borrowed shares, for every night since the last session."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from predtrack_assets.domain.trading.execution.working import Working
from predtrack_assets.domain.trading.holdings.money import ZERO, cents

_YEAR = Decimal(360)  # act/360
_ACCRUAL = Decimal("0.00000001")


def charge_nights(work: Working) -> Decimal:
    """Phase 3 of a day: accrue interest, post a past month's, post the borrow fee.

    Interest on cash above zero at the rate less the spread, never below 0; below zero at the rate
    plus the spread. Accrued at eight decimals and posted on the first day of another month. The
    borrow fee is of each short's value at the prior close. Returns the interest not posted yet.
    """
    rules, last = work.rules, work.state.day
    if last is None or not (rules.interest_rate or rules.interest_spread or rules.borrow_rate):
        return work.state.accrued
    nights = Decimal((work.day - last).days)
    accrued = work.state.accrued + interest(
        work.state.cash, rules.interest_rate, rules.interest_spread, nights
    )
    if (last.year, last.month) != (work.day.year, work.day.month):
        posted = cents(accrued)
        if posted:
            work.post("interest", "", posted, source=f"interest to {work.day}")
            accrued -= posted
    if rules.borrow_rate:
        for position in work.state.positions.values():
            if position.quantity < 0:
                fee = borrow_fee(position.market_value, rules.borrow_rate, nights)
                if fee:
                    work.post("borrow", position.symbol, -fee, source=f"borrow to {work.day}")
    return accrued


def interest(cash: Decimal, rate: Decimal, spread: Decimal, nights: Decimal) -> Decimal:
    """Interest of some nights, eight decimals, negative for an overdraft.

    >>> cents(interest(Decimal(100_000), Decimal("0.05"), ZERO, Decimal(31)))
    Decimal('430.56')
    """
    applied = max(rate - spread, ZERO) if cash > 0 else rate + spread
    return (cash * applied * nights / _YEAR).quantize(_ACCRUAL, ROUND_HALF_UP)


def borrow_fee(value: Decimal, rate: Decimal, nights: Decimal) -> Decimal:
    """What borrowing a short of this value costs for some nights, in cents.

    >>> borrow_fee(Decimal(-5000), Decimal("0.03"), Decimal(3))
    Decimal('1.25')
    """
    return cents(abs(value) * rate * nights / _YEAR)
