"""Exact money: cents, prices of six decimals, whole lots. Ties are rounded away from zero.

PostgreSQL's round(numeric, n) does the same, so a generated column equals what is computed here.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_UP, Context, Decimal

CENT = Decimal("0.01")
MICRO = Decimal("0.000001")
ZERO = Decimal(0)
ONE = Decimal(1)

CONTEXT = Context(prec=38, rounding=ROUND_HALF_UP)
"""In force during a step, whatever the caller's own context is."""


def cents(amount: Decimal) -> Decimal:
    """To the cent, ties away from zero.

    >>> cents(Decimal("-2.345"))
    Decimal('-2.35')
    """
    return amount.quantize(CENT, ROUND_HALF_UP)


def cents_up(amount: Decimal) -> Decimal:
    """Up to the next cent, as a fee is charged.

    >>> cents_up(Decimal("2.551"))
    Decimal('2.56')
    """
    return amount.quantize(CENT, ROUND_CEILING)


def micros(value: Decimal) -> Decimal:
    """To six decimals, as prices and quantities are stored."""
    return value.quantize(MICRO, ROUND_HALF_UP)


def exact_price(price: float) -> Decimal:
    """A price as it is printed, to six decimals; not the binary fraction that stands for it.

    >>> exact_price(0.1 + 0.2)
    Decimal('0.300000')
    """
    return Decimal(repr(price)).quantize(MICRO, ROUND_HALF_UP)


def whole_lots(quantity: Decimal, lot: Decimal) -> Decimal:
    """The largest multiple of the lot that is no further from zero than the quantity.

    >>> whole_lots(Decimal("-9.7"), Decimal(1))
    Decimal('-9')
    """
    return (quantity / lot).to_integral_value(ROUND_DOWN) * lot
