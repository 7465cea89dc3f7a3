"""Slippage: how much worse than the bar's price a market or stop order is filled."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from predtrack_assets.domain.trading.holdings.money import ZERO

_BPS = Decimal(10_000)

SlippageKind = Literal["bps", "half_spread", "volume_share", "square_root"]


class SlippageRule(NamedTuple):
    """kind and its coefficient.

    bps: basis points of the price. half_spread: multiple of the symbol's half spread.
    volume_share: coefficient * (quantity / volume of the bar)^2. square_root: coefficient *
    volatility * sqrt(quantity / average daily volume), both as of the day before.
    """

    kind: SlippageKind = "bps"
    coefficient: Decimal = ZERO


class Liquidity(NamedTuple):
    """Of a symbol as of the day before: daily volatility, average daily volume, half spread."""

    volatility: Decimal
    average_volume: Decimal
    half_spread: Decimal


NO_SLIPPAGE = SlippageRule()


def slipped(
    rule: SlippageRule,
    sign: int,
    price: Decimal,
    quantity: Decimal,
    volume: Decimal,
    liquidity: Liquidity | None,
) -> Decimal:
    """The price after slippage against us, unrounded, never below zero.

    sign: 1 for a buy, -1 for a sale. price, quantity, volume > 0, of the bar. Raises ValueError
    where the rule needs the symbol's liquidity and there is none.

    >>> slipped(SlippageRule("bps", Decimal(5)), 1, Decimal(3), Decimal(1), Decimal(1), None)
    Decimal('3.0015')
    """
    if not rule.coefficient:
        return price
    if rule.kind == "bps":
        return price * (1 + sign * rule.coefficient / _BPS)
    if rule.kind == "volume_share":
        share = quantity / volume
        return max(price * (1 + sign * rule.coefficient * share * share), ZERO)
    if liquidity is None:
        raise ValueError(f"slippage {rule.kind} needs the liquidity of the day before")
    if rule.kind == "half_spread":
        return max(price + sign * rule.coefficient * liquidity.half_spread, ZERO)
    impact = liquidity.volatility * (quantity / liquidity.average_volume).sqrt()
    return max(price * (1 + sign * rule.coefficient * impact), ZERO)
