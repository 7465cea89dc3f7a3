"""A strategy version: what makes its signals, and all that turns them into orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from predtrack_assets.domain.trading.allocation.weights import METHODS
from predtrack_assets.domain.trading.rules import ExecutionRules, rules_of
from predtrack_assets.domain.trading.strategies.view import Signals, View

Rebalance = Literal["once", "daily", "weekly", "monthly"]
SignalsOf = Callable[[View, Mapping[str, Any]], Signals]

SLIPPAGE = {"slippage": {"kind": "bps", "coefficient": "5"}}


@dataclass(frozen=True)
class Strategy:
    """Any change is a new version. Sizes are the allocation's, never the signals'.

    signals: a pure function of view and parameters. lookback: trading days that the view holds.
    universe: index whose members are traded, empty: every stock and fund with a bar. band: share of
    equity below which a change of a position is left out. execution: what differs from the default
    rules. Raises ValueError for what cannot be.
    """

    name: str
    description: str
    signals: SignalsOf
    parameters: Mapping[str, Any] = field(default_factory=dict)
    allocation: str = "equal_weight"
    rebalance: Rebalance = "monthly"
    version: int = 1
    lookback: int = 252
    universe: str = ""
    band: Decimal = Decimal("0.005")
    execution: Mapping[str, Any] = field(default_factory=lambda: dict(SLIPPAGE))
    capital: Decimal = Decimal(1_000_000)
    currency: str = "USD"

    def __post_init__(self) -> None:
        if self.allocation not in METHODS:
            raise ValueError(
                f"strategy {self.name}: allocation {self.allocation!r} is not one of {', '.join(METHODS)}"
            )
        if self.lookback < 1 or self.version < 1:
            raise ValueError(f"strategy {self.name}: lookback and version are 1 or more")

    @property
    def strategy_id(self) -> str:
        return f"{self.name}-v{self.version}"

    @property
    def book(self) -> str:
        """The paper book that follows it."""
        return f"paper:{self.strategy_id}"

    @property
    def family(self) -> str:
        """Where the signals come from: renaming a strategy does not make it another idea."""
        return f"{self.signals.__module__}:{self.signals.__qualname__}"

    @property
    def rules(self) -> ExecutionRules:
        return rules_of(dict(self.execution))
