"""Fees of one fill: none, per share with bounds, basis points, flat; rounded up to the cent."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from predtrack_assets.domain.trading.holdings.money import ZERO, cents_up

_BPS = Decimal(10_000)


class FeeRule(NamedTuple):
    """What a fill costs: per_share * quantity within [minimum, maximum_rate * value], plus bps.

    per_share, minimum, flat: currency of the book. maximum_rate: share of the fill's value, None
    for no upper bound. bps: basis points of the fill's value. rounded: up to the cent, or not.
    """

    per_share: Decimal = ZERO
    minimum: Decimal = ZERO
    maximum_rate: Decimal | None = None
    bps: Decimal = ZERO
    flat: Decimal = ZERO
    rounded: bool = True


NO_FEES = FeeRule()
IB_FEES = FeeRule(Decimal("0.005"), Decimal(1), Decimal("0.005"))
"""Interactive Brokers, US shares, fixed: 0.005 a share, at least 1.00, at most 0.5 % of the value.

The minimum wins where it exceeds the maximum, as in LEAN's InteractiveBrokersFeeModel.
"""


def fee_of(rule: FeeRule, quantity: Decimal, price: Decimal) -> Decimal:
    """The fee of a fill, up to the cent unless the rule says no; quantity > 0, price per share.

    >>> fee_of(IB_FEES, Decimal(1000), Decimal("27.22"))
    Decimal('5.00')
    """
    fee = rule.flat
    if rule.per_share:
        by_share = rule.per_share * quantity
        if by_share < rule.minimum:
            by_share = rule.minimum
        elif rule.maximum_rate is not None:
            by_share = min(by_share, rule.maximum_rate * quantity * price)
        fee += by_share
    if rule.bps:
        fee += quantity * price * rule.bps / _BPS
    return cents_up(fee) if rule.rounded else fee


def parse_fees(text: str) -> FeeRule:
    """`none`, `ib` or `bps:N`. Raises ValueError, naming these, for anything else.

    >>> parse_fees("bps:2.5").bps
    Decimal('2.5')
    """
    if text == "none":
        return NO_FEES
    if text == "ib":
        return IB_FEES
    name, _, number = text.partition(":")
    try:
        bps = Decimal(number)
    except InvalidOperation:
        bps = Decimal("NaN")
    if name != "bps" or not bps.is_finite() or bps < 0:
        raise ValueError(f"fees {text!r}: say none, ib or bps:N, N basis points of a fill's value")
    return FeeRule(bps=bps)
