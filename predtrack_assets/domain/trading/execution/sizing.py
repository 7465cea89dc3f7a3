"""How many shares: of a target weight, and of what money allows."""

from __future__ import annotations

from decimal import Decimal

from predtrack_assets.domain.trading.execution.fees import FeeRule, fee_of
from predtrack_assets.domain.trading.holdings.money import ONE, ZERO, cents, whole_lots
from predtrack_assets.domain.trading.rules import ExecutionRules


def target_quantity(
    rules: ExecutionRules, weight: Decimal, equity: Decimal, price: Decimal
) -> Decimal:
    """Shares, signed like the weight, that a share of equity buys at a price, its fee included.

    The buffer stays free, so that a gap at the open does not overdraw.

    >>> target_quantity(ExecutionRules(), Decimal(1), Decimal(100_000), Decimal("27.17"))
    Decimal('3670')
    """
    budget = abs(weight) * equity * (ONE - rules.buffer)
    if budget <= 0 or price <= 0:
        return ZERO
    shares = affordable(rules.fees, rules.lot, price, budget, whole_lots(budget / price, rules.lot))
    return shares.copy_sign(weight)


def affordable(
    fees: FeeRule, lot: Decimal, price: Decimal, budget: Decimal, most: Decimal
) -> Decimal:
    """The largest quantity up to `most`, in lots, with quantity * price + its fee <= budget.

    By bisection, so that a fee need not be smooth; 0 where nothing fits.

    >>> affordable(FeeRule(flat=Decimal(5)), Decimal(1), Decimal(10), Decimal(104), Decimal(50))
    Decimal('9')
    """

    def fits(count: int) -> bool:
        quantity = count * lot
        return cents(quantity * price) + fee_of(fees, quantity, price) <= budget

    if most <= 0 or budget <= 0:
        return ZERO
    if cents(most * price) + fee_of(fees, most, price) <= budget:
        return most
    high = int(most / lot)
    high = min(high, int(budget / (price * lot)) + 1)
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low * lot
