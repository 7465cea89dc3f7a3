"""Execution rules as data: one documented default, and a LEAN profile for comparison."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args

from predtrack_assets.domain.trading.execution.fees import IB_FEES, FeeRule, parse_fees
from predtrack_assets.domain.trading.execution.slippage import (
    NO_SLIPPAGE,
    SlippageKind,
    SlippageRule,
)
from predtrack_assets.domain.trading.holdings.money import ONE, ZERO


@dataclass(frozen=True, slots=True)
class ExecutionRules:
    """What a book is executed by. Rates are shares a year (0.05 is 5 %), money is the book's.

    exact_fills: prices, amounts and fees of fills are not rounded, for comparison only; otherwise
    prices have six decimals and money two. lot: smallest tradable quantity, 1 or 0.000001.
    participation: most of a bar's volume that one symbol's fills may be, None for no bound.
    buffer: share of equity that sizing leaves free.
    leverage: whether cash may fall below zero to buy; otherwise buys are cut to what cash covers.
    initial_margin, maintenance_margin: equity that shorts need, as a share of their value; None
    for none. interest_rate, interest_spread: of cash; borrow_rate: of shorts. dividend_decimals:
    dividends a share are rounded to so many decimals, None for exactly. dividend_delay: sessions
    between ex-date and payment. split_digits: 1/ratio is rounded up to so many decimals, None for
    exactly. fraction_price: what a fraction after a split is paid at. delisting_sessions: a
    position without a bar for so many open sessions is closed, None for never, at its last close
    times 1 - delisting_haircut.
    """

    name: str = "default"
    fees: FeeRule = IB_FEES
    exact_fills: bool = False
    slippage: SlippageRule = NO_SLIPPAGE
    lot: Decimal = ONE
    participation: Decimal | None = Decimal("0.10")
    buffer: Decimal = Decimal("0.0025")
    leverage: bool = False
    initial_margin: Decimal | None = Decimal("0.50")
    maintenance_margin: Decimal | None = Decimal("0.30")
    interest_rate: Decimal = ZERO
    interest_spread: Decimal = ZERO
    borrow_rate: Decimal = ZERO
    dividend_decimals: int | None = None
    dividend_delay: int = 0
    split_digits: int | None = None
    fraction_price: Literal["ex_open", "previous_close"] = "ex_open"
    delisting_sessions: int | None = 10
    delisting_haircut: Decimal = Decimal("0.30")


DEFAULT_RULES = ExecutionRules()

LEAN_RULES = ExecutionRules(
    name="lean",
    fees=IB_FEES._replace(rounded=False),
    exact_fills=True,
    participation=None,
    leverage=True,
    initial_margin=None,
    maintenance_margin=None,
    dividend_decimals=2,
    split_digits=7,
    fraction_price="previous_close",
    delisting_sessions=None,
)
"""QuantConnect's LEAN with its daily equity defaults, so that its published results come out."""

PROFILES = {"default": DEFAULT_RULES, "lean": LEAN_RULES}


def rules_of(settings: dict[str, Any]) -> ExecutionRules:
    """Rules from a JSON object: `profile` (default) and the fields that differ from it.

    Numbers may be texts, so that they stay exact. Raises ValueError naming an unknown field or a
    value that is not what the field takes.

    >>> rules_of({"profile": "lean", "lot": "0.000001"}).lot
    Decimal('0.000001')
    """
    given = dict(settings)
    profile = given.pop("profile", "default")
    if profile not in PROFILES:
        raise ValueError(f"profile {profile!r} is not one of {', '.join(PROFILES)}")
    base = PROFILES[profile]
    known = {field.name for field in fields(ExecutionRules)}
    if unknown := sorted(set(given) - known):
        raise ValueError(
            f"execution rules have no {unknown[0]!r}; they have {', '.join(sorted(known))}"
        )
    return replace(base, **{name: _value(base, name, value) for name, value in given.items()})


def _value(base: ExecutionRules, name: str, value: Any) -> Any:
    """A field's value in its own type."""
    present = getattr(base, name)
    optional = {"participation", "initial_margin", "maintenance_margin"}
    counts = {"dividend_decimals", "dividend_delay", "split_digits", "delisting_sessions"}
    if value is None and name in optional | counts - {"dividend_delay"}:
        return None
    if name == "fees":
        return _fees(value)
    if name == "slippage":
        if not isinstance(value, dict) or value.get("kind") not in get_args(SlippageKind):
            raise ValueError(f"slippage kind is one of {', '.join(get_args(SlippageKind))}")
        return SlippageRule(value["kind"], _decimal("coefficient", value.get("coefficient", 0)))
    if name in counts:
        if not isinstance(value, int) or value < 0:
            raise ValueError(f"{name} is a count, not {value!r}")
        return value
    if isinstance(present, Decimal) or name in optional:
        return _decimal(name, value)
    if type(value) is not type(present) or (
        name == "fraction_price" and value not in ("ex_open", "previous_close")
    ):
        raise ValueError(f"{name} is like {present!r}, not {value!r}")
    return value


def _fees(value: Any) -> FeeRule:
    """none, ib or bps:N, or an object with FeeRule's numbers."""
    if isinstance(value, str):
        return parse_fees(value)
    numbers = {field for field in FeeRule._fields if field != "rounded"}
    if not isinstance(value, dict) or set(value) - numbers:
        raise ValueError(f"fees are none, ib, bps:N or numbers of {', '.join(sorted(numbers))}")
    given: dict[str, Any] = {name: _decimal(name, value[name]) for name in value}
    return FeeRule(**given)


def _decimal(name: str, value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0 or (name == "lot" and number == 0):
        raise ValueError(f"{name} is a number that is not negative, not {value!r}")
    return number
