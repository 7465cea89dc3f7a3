"""Strategies say what they say from the past alone, and from nothing but the day's view."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.trading.rebalancing import rebalancing_days, target_orders
from predtrack_assets.domain.trading.strategies.catalogue import STRATEGIES
from predtrack_assets.domain.trading.strategies.everything import everything
from predtrack_assets.domain.trading.strategies.machine_learning import machine_learning
from predtrack_assets.domain.trading.strategies.momentum import momentum
from predtrack_assets.domain.trading.strategies.regime import regime
from predtrack_assets.domain.trading.strategies.strategy import Strategy
from predtrack_assets.domain.trading.strategies.total_returns import compounded, session_returns
from predtrack_assets.domain.trading.strategies.two_states import filtered, fitted
from predtrack_assets.domain.trading.strategies.view import View

DAY = date(2020, 6, 30)
NOTHING = pl.DataFrame(
    schema={
        "trading_day": pl.Date, "symbol": pl.String, "model_id": pl.String, "kind": pl.String,
        "horizon": pl.Int64, "confidence": pl.Float64, "q50": pl.Float64, "sigma": pl.Float64,
    }
)  # fmt: skip


def view_of(
    returns: np.ndarray,
    market: np.ndarray | None = None,
    forecasts: pl.DataFrame = NOTHING,
    **more: object,
) -> View:
    names = np.array(["A", "B", "C", "D", "E"][: len(returns)])
    ones = np.ones_like(returns)
    index = np.zeros(returns.shape[1]) if market is None else market
    return View(DAY, names, returns, ones, ones, index, returns.shape[1] - 22, forecasts, **more)  # type: ignore[arg-type]


def test_momentum_leaves_the_last_month_out() -> None:
    returns = np.zeros((3, 264))
    returns[0, 100] = 0.10
    returns[1, 100] = 0.05
    returns[2, -5] = 0.90  # of the last month
    said = momentum(view_of(returns), {"top": 0.67})
    assert said.score.round(6).tolist() == [0.10, 0.05, 0.0]
    assert said.direction.tolist() == [1, 1, 0]


def test_momentum_says_nothing_of_a_symbol_with_half_a_year() -> None:
    returns = np.full((2, 264), 0.001)
    returns[1, :130] = np.nan
    said = momentum(view_of(returns), {"top": 1.0})
    assert np.isnan(said.score[1])
    assert said.direction.tolist() == [1, 0]


def test_total_returns_are_the_same_bits_however_much_history_is_read() -> None:
    dice = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(dice.normal(0, 0.02, (4, 300)), axis=1))
    close[dice.random(close.shape) < 0.1] = np.nan
    split = np.where(dice.random(close.shape) < 0.02, 1 / 3, 1.0)
    dividend = np.where(dice.random(close.shape) < 0.02, 0.37, 0.0)
    whole = session_returns(close, split, dividend, 10)
    for start in (50, 133, 201):
        part = session_returns(close[:, start:], split[:, start:], dividend[:, start:], 10)
        np.testing.assert_array_equal(part[:, 11:], whole[:, start + 11 :])


def test_a_split_and_a_dividend_are_no_loss() -> None:
    close = np.array([[100.0, np.nan, 49.0]])
    split, dividend = np.array([[1.0, 2.0, 1.0]]), np.array([[0.0, 0.0, 1.0]])
    assert session_returns(close, split, dividend, 10)[0, 2] == 0.0
    assert compounded(np.array([[0.1, np.nan, 0.1]]), 0, 3)[0] == pytest.approx(0.21)


def test_the_regime_of_a_day_is_that_of_the_days_before_it() -> None:
    """A filter: 500 more days change nothing. Smoothed states would differ."""
    dice = np.random.default_rng(5)
    wild = (np.arange(1500) // 250) % 2 == 1
    returns = dice.normal(0.0, np.where(wild, 0.03, 0.008))
    states = fitted(returns[:1000])
    assert states[1] < states[3]
    whole = filtered(states, returns)
    for end in (10, 400, 999):
        np.testing.assert_array_equal(filtered(states, returns[:end]), whole[:end])
    settled = (np.arange(1500) % 250) > 20
    assert np.mean(((whole < 0.5) == wild)[settled]) > 0.95


def test_two_states_are_those_of_statsmodels() -> None:
    switching = pytest.importorskip("statsmodels.tsa.regime_switching.markov_regression")
    dice = np.random.default_rng(11)
    wild = (np.arange(1200) // 150) % 3 == 2
    returns = dice.normal(0.0004, np.where(wild, 0.025, 0.008))
    own = fitted(returns)
    model = switching.MarkovRegression(100 * returns, 2, switching_variance=True)
    found = model.fit(em_iter=60, disp=False)
    theirs = np.sort([found.params[-2], found.params[-1]]) / 1e4
    np.testing.assert_allclose([own[1], own[3]], theirs, rtol=0.05)


def test_the_regime_strategy_is_out_of_a_wild_market_and_of_one_it_does_not_know() -> None:
    dice = np.random.default_rng(5)
    calm = dice.normal(0.0005, 0.006, 1260)
    crash = calm.copy()
    calm[300:400] = crash[300:400] = dice.normal(0, 0.035, 100)
    crash[-15:] = dice.normal(-0.01, 0.04, 15)
    returns = np.zeros((3, 1260))
    assert regime(view_of(returns, calm), {}).exposure > 0.9
    assert regime(view_of(returns, crash), {}).exposure < 0.1
    assert regime(view_of(returns[:, -300:], calm[-300:]), {}).exposure == 0.0


def said_of(model: str, kind: str, p_up: list[float]) -> pl.DataFrame:
    rows = {
        "trading_day": DAY,
        "model_id": model,
        "kind": kind,
        "horizon": 5,
        "q50": None,
        "sigma": 0.01,
    }
    frame = pl.DataFrame({"symbol": ["A", "B", "C"], "confidence": p_up})
    frame = frame.with_columns(pl.lit(v).alias(k) for k, v in rows.items())
    return frame.select(NOTHING.columns).cast(NOTHING.schema)


def test_machine_learning_takes_the_newest_version_of_the_model_it_names() -> None:
    forecasts = pl.concat(
        [
            said_of("mine-v9", "direction", [0.1, 0.2, 0.3]),
            said_of("mine-v10", "direction", [0.9, 0.6, 0.4]),
        ]
    )
    view = view_of(np.zeros((3, 10)), forecasts=forecasts)
    asked = {"model": "mine", "kind": "direction", "horizon": 5, "rule": "best", "top": 0.4}
    said = machine_learning(view, asked)
    assert said.probability.tolist() == [0.9, 0.6, 0.4]
    assert said.direction.tolist() == [1, 0, 0]
    band = machine_learning(view, {**asked, "rule": "band", "short": True})
    assert band.direction.tolist() == [1, 0, 0]


def test_without_a_champion_machine_learning_is_in_cash() -> None:
    forecasts = said_of("mine-v1", "direction", [0.9, 0.6, 0.4])
    asked = {"kind": "direction", "horizon": 5}
    assert not machine_learning(
        view_of(np.zeros((3, 10)), forecasts=forecasts), asked
    ).direction.any()
    view = view_of(np.zeros((3, 10)), forecasts=forecasts, champions={("direction", 5): "mine-v1"})
    assert machine_learning(view, asked).direction.tolist() == [1, 0, 0]


def test_every_strategy_that_comes_along_answers_for_each_symbol_of_its_view() -> None:
    for strategy in STRATEGIES:
        view = view_of(np.zeros((4, strategy.lookback)))
        said = strategy.signals(view, strategy.parameters)
        assert said.score.shape == said.direction.shape == said.probability.shape == (4,)
        assert strategy.family.endswith(strategy.signals.__name__)


def test_a_strategy_with_an_unknown_allocation_is_refused() -> None:
    with pytest.raises(ValueError, match="allocation 'kelly' is not one of equal_weight"):
        Strategy("x", "", everything, allocation="kelly")


def test_a_book_rebalances_at_the_ends_of_its_periods_and_on_its_first_day() -> None:
    days = np.arange(np.datetime64("2021-03-29"), np.datetime64("2021-04-08"))
    days = days[np.is_busday(days) & (days != np.datetime64("2021-04-02"))]  # Good Friday
    following = np.append(days[1:], np.datetime64("2021-04-08"))

    def chosen(rebalance: str) -> list[int]:
        at = rebalancing_days(days, following, date(2021, 3, 29), rebalance)
        return [d.day for d in days[at].tolist()]

    assert chosen("once") == [29]
    assert chosen("weekly") == [29, 1]
    assert chosen("monthly") == [29, 31]
    assert chosen("daily") == [29, 30, 31, 1, 5, 6, 7]


def test_what_is_held_and_not_wanted_is_sold_whatever_the_band() -> None:
    orders = target_orders(DAY, {"B": Decimal("0.5"), "C": Decimal(0)}, ["A", "B"], Decimal("0.01"))
    assert [(o.symbol, o.weight) for o in orders] == [("A", 0), ("B", Decimal("0.5"))]
    assert {o.decided_at.isoformat() for o in orders} == {"2020-07-01T00:00:00+00:00"}
