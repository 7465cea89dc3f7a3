"""`predtrack strategies`: what there is, and a name that there is not."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from predtrack_assets.cli.main import app
from predtrack_assets.domain.trading.strategies.catalogue import STRATEGIES
from predtrack_assets.services.trading import strategies_in_use
from predtrack_assets.services.trading.strategies_in_use import StrategyFault
from predtrack_assets.settings import get_settings


def test_the_list_says_which_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDTRACK_STRATEGIES", "pairs")
    result = CliRunner().invoke(app, ["strategies", "list"])
    assert result.exit_code == 0, result.output
    for strategy in STRATEGIES:
        (line,) = [x for x in result.output.splitlines() if f" {strategy.strategy_id} " in x]
        assert (" yes " in line) == (strategy.name == "pairs")


def test_an_unknown_strategy_is_refused_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREDTRACK_STRATEGIES", "momentum_hrp,get_rich")
    with pytest.raises(StrategyFault, match="get_rich; there are buy_and_hold, calm_market"):
        strategies_in_use.strategies_in_use(get_settings())


def test_an_entry_point_that_is_no_strategy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        value = "my_module:THING"

        def load(self) -> object:
            return 3

    monkeypatch.setattr(strategies_in_use, "entry_points", lambda group: [Point()])
    with pytest.raises(StrategyFault, match=r"my_module:THING .* is no Strategy"):
        strategies_in_use.known_strategies()
