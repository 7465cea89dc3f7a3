"""Strategies that search or learn: against textbook implementations, and on the past alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from predtrack_assets.domain.trading.strategies.cointegration import log_prices, p_values, screen
from predtrack_assets.domain.trading.strategies.meta_labelling import _decisions, meta_momentum
from predtrack_assets.domain.trading.strategies.pairs import pairs
from predtrack_assets.domain.trading.strategies.triple_barrier import logistic, triple_barrier
from predtrack_assets.domain.trading.strategies.view import View
from predtrack_assets_tests.domain.trading.test_strategies import view_of


def two_walks(seed: int = 2, days: int = 274) -> np.ndarray:
    """A, B cointegrated with a fast spread; C a walk of its own: daily returns (3, days)."""
    dice = np.random.default_rng(seed)
    walk = np.cumsum(dice.normal(0, 0.01, days))
    spread = np.zeros(days)
    for t in range(1, days):
        spread[t] = 0.2 * spread[t - 1] + dice.normal(0, 0.01)
    levels = np.stack([walk + spread, walk, np.cumsum(dice.normal(0, 0.012, days))])
    return np.expm1(np.diff(levels, axis=1, prepend=levels[:, :1]))


@pytest.mark.slow
def test_the_cointegration_test_is_that_of_statsmodels() -> None:
    stattools = pytest.importorskip("statsmodels.tsa.stattools")
    levels = log_prices(two_walks())
    found, tested = screen(levels)
    assert found.tolist() == [[0, 1], [0, 2], [1, 2]]
    for (i, j), (statistic, *_), p in zip(found, tested, p_values(tested[:, 0]), strict=True):
        theirs, theirs_p, _ = stattools.coint(levels[i], levels[j], maxlag=1, autolag=None)
        assert statistic == pytest.approx(theirs, rel=0.02)
        assert p == pytest.approx(theirs_p, abs=0.01)


def test_every_pair_that_is_screened_is_a_trial_and_few_are_kept() -> None:
    said = pairs(view_of(two_walks()), {})
    assert said.trials == 3
    assert said.chosen == ("A/B",)
    noise = np.random.default_rng(1).normal(0, 0.01, (5, 274))
    assert pairs(view_of(noise), {}).chosen == ()
    assert pairs(view_of(noise), {}).trials == 10


def test_a_wide_spread_is_sold_on_its_dear_leg_and_bought_on_its_cheap_one() -> None:
    returns = two_walks()
    returns[:, -3:] = 0.0
    returns[0, -2] = 0.12  # A runs away from B
    said = pairs(view_of(returns), {})
    assert said.direction.tolist() == [-1, 1, 0]
    assert 0 < said.exposure <= 1
    calm = returns.copy()
    calm[0, -1] = -0.12 / 1.12  # and comes back
    assert pairs(view_of(calm), {}).direction.tolist()[2] == 0


def test_what_is_chosen_does_not_depend_on_the_days_after_the_month() -> None:
    view = view_of(two_walks())
    later = view.returns.copy()
    later[:, view.previous_month_end + 1 :] = np.random.default_rng(9).normal(0, 0.05, (3, 21))
    assert pairs(replace(view, returns=later), {}).chosen == pairs(view, {}).chosen


def barrier(
    path: list[float], high: list[float] | None = None, low: list[float] | None = None
) -> list[float]:
    returns = np.array([0.0, *path])
    ones = np.ones(returns.size)
    top = ones if high is None else np.array([1.0, *high])
    bottom = ones if low is None else np.array([1.0, *low])
    return triple_barrier(returns, top, bottom, 0, 3, 0.05).tolist()


def test_the_three_barriers() -> None:
    assert barrier([0.03, 0.03, 0.0]) == [1.0, 2.0]
    assert barrier([-0.03, -0.03, 0.0]) == [0.0, 2.0]
    assert barrier([0.01, 0.0, 0.0]) == [1.0, 3.0]
    assert barrier([-0.01, 0.0, 0.0]) == [0.0, 3.0]
    assert barrier([0.0, 0.0, 0.0], high=[1.06, 1, 1], low=[0.94, 1, 1]) == [0.0, 1.0], (
        "the stop first"
    )
    assert np.isnan(barrier([0.01, 0.01])[0]), "the month is not over"


def test_the_logistic_regression_is_that_of_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    dice = np.random.default_rng(3)
    x = np.column_stack([np.ones(400), dice.normal(size=(400, 3))])
    y = (dice.random(400) < 1 / (1 + np.exp(-(0.3 + x[:, 1] - 0.5 * x[:, 3])))).astype(float)
    theirs = linear_model.LogisticRegression(C=1 / 10.0, tol=1e-10).fit(x[:, 1:], y)
    own = logistic(x, y, 10.0)
    np.testing.assert_allclose(own, [theirs.intercept_[0], *theirs.coef_[0]], atol=1e-4)


def rising(days: int = 900) -> View:
    dice = np.random.default_rng(8)
    return view_of(dice.normal(0.001, 0.012, (4, days)))


def test_labels_that_reach_past_the_month_teach_nothing() -> None:
    view = rising()
    features, labels = _decisions(view, view.previous_month_end)
    later = view.returns.copy()
    later[:, view.previous_month_end + 1 :] = -0.5
    again, same = _decisions(replace(view, returns=later), view.previous_month_end)
    np.testing.assert_array_equal(features, again)
    np.testing.assert_array_equal(labels, same)
    assert labels.size > 100


def test_meta_labelling_takes_momentums_side_where_it_is_likelier_right_than_not() -> None:
    said = meta_momentum(rising(), {})
    held = said.direction == 1
    assert held.any()
    assert (said.probability[held] > 0.5).all()
    assert (said.score[held] > 0).all()
    assert not meta_momentum(rising(300), {}).direction.any(), "too few labels to learn from"
