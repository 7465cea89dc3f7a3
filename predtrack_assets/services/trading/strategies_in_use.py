"""The strategies that run: the project's own and those of installed packages, by name."""

from __future__ import annotations

from importlib.metadata import entry_points

from predtrack_assets.domain.trading.strategies.catalogue import STRATEGIES
from predtrack_assets.domain.trading.strategies.strategy import Strategy
from predtrack_assets.faults import Fault
from predtrack_assets.settings import Settings

GROUP = "predtrack.strategies"
"""Entry points of this group name a Strategy each."""


class StrategyFault(Fault):
    """A strategy that is asked for and is not there, or is none."""


def known_strategies() -> dict[str, Strategy]:
    """All strategies by name. Raises StrategyFault for an entry point that is none, or a name twice."""
    found = {strategy.name: strategy for strategy in STRATEGIES}
    for point in entry_points(group=GROUP):
        strategy = point.load()
        if not isinstance(strategy, Strategy):
            raise StrategyFault(
                f"entry point {point.value} of {GROUP} is no Strategy but {strategy!r}"
            )
        if strategy.name in found:
            raise StrategyFault(
                f"two strategies have the name {strategy.name!r}; rename {point.value}"
            )
        found[strategy.name] = strategy
    return found


def strategies_in_use(settings: Settings) -> list[Strategy]:
    """Those that settings.strategies names, in its order. Raises StrategyFault for an unknown name."""
    known = known_strategies()
    unknown = [name for name in settings.strategies if name not in known]
    if unknown:
        raise StrategyFault(
            f"PREDTRACK_STRATEGIES names {', '.join(unknown)}; there are {', '.join(sorted(known))}"
        )
    return [known[name] for name in settings.strategies]
