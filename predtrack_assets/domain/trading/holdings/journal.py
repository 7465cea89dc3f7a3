"""The journal: every movement of cash and shares, from which both can be summed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

EntryKind = Literal[
    "capital",
    "buy",
    "sell",
    "fee",
    "dividend",
    "dividend_short",
    "split",
    "cash_in_lieu",
    "interest",
    "borrow",
    "delisting",
    "correction",
]


class Entry(NamedTuple):
    """One movement: cash in cents, quantity in shares, either may be zero.

    source: the fill or the action that it comes from. ex_date: of an action, else None.
    trading_day: the day on which it was applied, which for an action learned late is later.
    """

    entry_id: int
    trading_day: date
    kind: EntryKind
    symbol: str
    cash: Decimal
    quantity: Decimal
    source: str
    ex_date: date | None = None
