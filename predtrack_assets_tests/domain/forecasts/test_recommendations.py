"""BUY, SELL, HOLD, and what following them returns, against a walk along each position."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given

from predtrack_assets.domain.forecasts.recommendations import (
    COST,
    advised,
    implied_median,
    p_right,
    recommend,
    was_right,
)
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS
from predtrack_assets.domain.trading.following import daily_returns, follow, total_returns
from predtrack_assets_tests.builders.panels import panels, random_panel


def test_a_recommendation_must_clear_band_and_cost() -> None:
    sigma, horizon = 0.01, 4
    edge = 0.5 * sigma * 2 + COST
    medians = [edge + 1e-6, edge - 1e-6, 0.0, -edge + 1e-6, -edge - 1e-6]
    assert recommend(medians, sigma, horizon).tolist() == [1, 0, 0, 0, -1]


def test_a_probability_implies_a_median() -> None:
    assert implied_median([0.5], 0.01, 4)[0] == 0
    assert implied_median(0.8413447460685429, 0.01, 4) == pytest.approx(0.02)
    assert recommend(implied_median([0.0, 1.0], 0.01, 4), 0.01, 4).tolist() == [-1, 1]


def test_nothing_is_recommended_where_nothing_is_forecast() -> None:
    assert recommend(np.nan, 0.01, 5) == 0


def test_prices_and_directions_advise_and_touches_do_not() -> None:
    kind = ["price", "price", "direction", "direction", "time_to_hit", "volatility"]
    median = [0.02, np.nan, np.nan, -0.02, 0.02, np.nan]
    p_up = [0.1, 0.9, 0.9, 0.5, 0.9, np.nan]
    found = advised(kind, median, p_up, 0.01, 4)
    np.testing.assert_array_equal(found, [1, 0, 1, 0, np.nan, np.nan])


def test_who_is_right_earned_the_band_after_cost_or_stayed_within_it() -> None:
    """sigma 1 %, four sessions: a band of 1 %, and 0.1 % of cost for who trades."""
    gone = np.array([0.0111, 0.0109, 0.0099, 0.0, -0.0099, -0.0109, -0.0111, np.nan])
    right = {side: was_right(side, gone, 0.01, 4).astype(int).tolist() for side in (1.0, -1.0, 0.0)}
    assert right == {
        1.0: [1, 0, 0, 0, 0, 0, 0, 0],
        -1.0: [0, 0, 0, 0, 0, 0, 1, 0],
        0.0: [0, 0, 1, 1, 1, 0, 0, 0],
    }
    assert not was_right(np.nan, gone, 0.01, 4).any()


def test_probability_of_being_right_is_that_of_the_forecast() -> None:
    """A normal forecast of spread 2 %: a band of 1 %, with 0.1 % of cost for who trades."""
    normal = NormalDist(0.02, 0.02)
    exact = [1 - normal.cdf(0.011), normal.cdf(-0.011), normal.cdf(0.01) - normal.cdf(-0.01)]
    unknown = np.full((3, 7), np.nan)
    found = p_right([1, -1, 0], unknown, [0.02] * 3, 0.01, 4)
    np.testing.assert_allclose(found, exact, rtol=1e-12)
    stated = np.tile([normal.inv_cdf(level) for level in QUANTILE_LEVELS], (3, 1))
    np.testing.assert_allclose(p_right([1, -1, 0], stated, np.nan, 0.01, 4), exact, rtol=1e-9)
    far = p_right([1, -1, 0], unknown, [np.inf] * 3, 0.01, 4)
    assert far.tolist() == [1.0, 0.0, 0.0]
    assert np.isnan(p_right([np.nan], unknown[:1], [0.0], 0.01, 4)).all()


def test_what_is_advised_is_right_when_what_is_foreseen_comes_true() -> None:
    """But for a HOLD whose median lies between the band and the band with cost."""
    median = np.linspace(-0.05, 0.05, 1000)
    position = advised(["price"] * 1000, median, 0.5, 0.01, 4)
    between = (np.abs(median) > 0.01) & (np.abs(median) <= 0.011)
    assert was_right(position, median, 0.01, 4)[~between].all()
    assert (position[between] == 0).all()


@given(panels())
def test_total_returns_chain_to_the_wealth_of_a_holder(panel: Panel) -> None:
    wealth = np.prod(1 + total_returns(panel), axis=1)
    for row in range(len(panel.symbols)):
        known = np.flatnonzero(~np.isnan(panel.close[row]))
        if not known.size:
            assert wealth[row] == 1
            continue
        # Reinvest at each bar what was paid since the bar before.
        value, shares, cash = panel.close[row, known[0]], 1.0, 0.0
        start = value
        for t in range(known[0] + 1, panel.close.shape[1]):
            shares *= panel.split[row, t]
            cash += shares * panel.dividend[row, t]
            if not np.isnan(panel.close[row, t]):
                value = shares * panel.close[row, t] + cash
                shares, cash = value / panel.close[row, t], 0.0
        assert wealth[row] == pytest.approx(value / start, rel=1e-6)


def test_following_is_the_sum_of_its_positions() -> None:
    random = np.random.default_rng(0)
    horizon, shape = 3, (4, 30)
    position = random.integers(-1, 2, shape).astype(float)
    position[random.random(shape) < 0.2] = np.nan
    returns = random.normal(0, 0.02, shape)
    followed = follow(position, returns, horizon)
    gain, weight = np.zeros(30), np.zeros(30)
    for s in range(4):
        for d in range(30):
            if np.isnan(position[s, d]):
                continue
            for t in range(d + 1, min(d + horizon, 29) + 1):
                cost = COST * abs(position[s, d]) if t == d + 1 else 0.0
                gain[t] += (position[s, d] * returns[s, t] - cost) / horizon
                weight[t] += 1 / horizon
    np.testing.assert_allclose(followed.profit, gain, atol=1e-12)
    np.testing.assert_allclose(followed.capital_deployed, weight, atol=1e-12)
    np.testing.assert_allclose((followed + followed).gross_exposure, 2 * followed.gross_exposure)


def test_a_day_is_made_of_earlier_decisions_only() -> None:
    random = np.random.default_rng(1)
    position = random.integers(-1, 2, (3, 40)).astype(float)
    returns = random.normal(0, 0.02, (3, 40))
    poisoned, later = position.copy(), returns.copy()
    poisoned[:, 20:], later[:, 21:] = np.nan, 9.0
    for before, after in zip(
        daily_returns(follow(position, returns, 5)),
        daily_returns(follow(poisoned, later, 5)),
        strict=True,
    ):
        np.testing.assert_array_equal(before[:21], after[:21])


def test_holding_everything_is_the_market_less_its_cost() -> None:
    returns = np.full((5, 50), 0.001)
    following, market = daily_returns(follow(np.ones((5, 50)), returns, 5))
    assert market[1:] == pytest.approx(0.001)
    assert following[10] == pytest.approx(0.001 - COST / 5)


def test_a_closed_exchange_keeps_its_capital() -> None:
    """Two exchanges, equal weight; on the holiday of one the other does not get its capital."""
    returns = np.full((1, 6), 0.01)
    followed = follow(np.ones((1, 6)), returns, 1, cost=0.0)
    here, there = np.arange(6), np.array([0, 1, 2, 4, 5, 6])  # closed on day 3; closed on day 6
    total = followed.on(here, 8) + followed.on(there, 8)
    following, market = daily_returns(total)
    np.testing.assert_allclose(following[[1, 2, 4, 5]], 0.01)
    np.testing.assert_allclose(following[[3, 6]], 0.005)
    np.testing.assert_array_equal(following, market)
    assert following[7] == 0, "a day on which all are closed"
    assert np.isnan(following[0])
    np.testing.assert_array_equal(total.net_exposure[1:], 2.0)
    alone = followed.on(here, 6)
    np.testing.assert_array_equal(alone.profit, followed.profit)
    np.testing.assert_array_equal(alone.capital_deployed, followed.capital_deployed)


def test_net_exposure_is_what_was_bought_less_what_was_sold() -> None:
    position = np.array([[1.0, 1.0, 0.0, np.nan], [-1.0, 1.0, 1.0, np.nan]])
    followed = follow(position, np.zeros((2, 4)), 1)
    assert followed.net_exposure.tolist() == [0.0, 0.0, 2.0, 1.0]


def test_hold_stays_in_cash() -> None:
    following, market = daily_returns(follow(np.zeros((2, 10)), np.full((2, 10), 0.01), 2))
    assert np.isnan(following[0])
    assert following[1:].tolist() == [0.0] * 9
    assert market[1:] == pytest.approx(0.01)


def test_a_price_index_pays_no_dividend_but_a_stock_does() -> None:
    panel = random_panel(symbols=1, sessions=10, seed=1, gaps=0.0, splits=0.0)
    none = replace(panel, dividend=np.zeros_like(panel.dividend))
    paid = none.dividend.copy()
    paid[0, 5] = panel.close[0, 5] * 0.1
    difference = total_returns(replace(none, dividend=paid)) - total_returns(none)
    assert np.flatnonzero(np.abs(difference[0]) > 1e-12).tolist() == [5]
