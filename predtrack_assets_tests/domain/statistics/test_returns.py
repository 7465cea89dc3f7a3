"""Strategy statistics against published values, and against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from predtrack_assets.domain.statistics import returns as strategy
from predtrack_assets.domain.statistics.returns import Moments

# empyrical-reloaded, tests/test_stats.py (Apache-2.0).
MIXED = [0.01, 0.1, -0.04, 0.02, 0.03, 0.02, 0.01, -0.1]
WEEKLY = [0.0, *MIXED]
NEGATIVE = [0.0, -0.06, -0.07, -0.01, -0.09, -0.02, -0.06, -0.08, -0.05]
POSITIVE = [0.01, 0.02, *[0.01] * 7]


def test_published_ratios() -> None:
    assert strategy.sharpe(NEGATIVE) == pytest.approx(-24.406808633910085)
    assert strategy.sortino(MIXED) == pytest.approx(2.605531251673693)
    assert strategy.sortino(NEGATIVE) == pytest.approx(-13.5327430750434)
    assert strategy.sortino(WEEKLY, periods=52) == pytest.approx(1.115890105686644)
    assert strategy.sortino(POSITIVE) == np.inf
    assert strategy.calmar(WEEKLY, periods=52) == pytest.approx(2.4690830513998208)
    assert strategy.calmar(WEEKLY, periods=12) == pytest.approx(0.5224206138604814)
    assert strategy.annual_return(WEEKLY, periods=52) == pytest.approx(0.24690830513998208)
    assert strategy.annual_return([0.01]) == pytest.approx(11.274002099240244)
    assert strategy.max_drawdown([0.1, -0.1, 0.1]) == pytest.approx(0.1)


def per_period(annual: float, n: int, skewness: float, kurtosis: float, year: int) -> Moments:
    return Moments(*(np.array(x) for x in (annual / year**0.5, skewness, kurtosis, float(n))))


@pytest.mark.parametrize(
    ("trials", "skewness", "kurtosis", "expected"),
    [(100, -3, 10, 0.9004), (46, -3, 10, 0.9505), (88, 0, 3, 0.9505)],
)
def test_published_deflated_sharpe(
    trials: int, skewness: float, kurtosis: float, expected: float
) -> None:
    """Bailey & Lopez de Prado 2014: annual Sharpe 2.5 on 1,250 days of 250 a year, V 0.5 a year."""
    m = per_period(2.5, 1250, skewness, kurtosis, 250)
    assert strategy.deflated_sharpe(m, 0.5 / 250, trials) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("skewness", "kurtosis", "expected"), [(0, 3, 0.982), (-2.448, 10.164, 0.913)]
)
def test_published_probabilistic_sharpe(skewness: float, kurtosis: float, expected: float) -> None:
    m = per_period(0.458, 24, skewness, kurtosis, 1)
    assert strategy.probabilistic_sharpe(m) == pytest.approx(expected, abs=5e-4)


def test_the_minimum_record_for_a_sharpe_of_one_is_684_days() -> None:
    m = per_period(1.0, 30, 0, 3, 252)
    assert strategy.minimum_track_record(m) == pytest.approx(684, abs=0.5)
    assert strategy.sharpe_error(m) * 252**0.5 == pytest.approx(2.9, abs=0.06)
    assert strategy.minimum_track_record(m, benchmark=0.1) == np.inf


def test_a_probabilistic_sharpe_reaches_its_level_at_the_minimum_record() -> None:
    m = per_period(1.2, 1, -0.5, 6, 252)
    days = strategy.minimum_track_record(m, level=0.95)
    assert strategy.probabilistic_sharpe(m._replace(n=days)) == pytest.approx(0.95)


def test_one_trial_needs_no_deflation() -> None:
    assert strategy.expected_max_sharpe(0.01, 1) == 0
    assert strategy.expected_max_sharpe(0.01, 10) < strategy.expected_max_sharpe(0.01, 100)


def test_what_is_not_defined_is_not_a_number() -> None:
    flat = np.full(10, 0.01)
    assert np.isnan(strategy.sharpe(flat))
    assert np.isnan(strategy.sharpe([0.01]))
    assert np.isnan(strategy.profit_factor([0.01, 0.02])), "no loss"
    assert np.isnan(strategy.win_rate([0.0, 0.0])), "no trade"
    assert np.isnan(strategy.calmar([0.01, 0.02])), "no drawdown"
    assert np.isnan(strategy.max_drawdown([]))
    assert np.isnan(strategy.annual_return([]))


def test_gains_losses_and_time_under_water() -> None:
    returns = [0.1, -0.05, 0.0, -0.02, 0.2, 0.01, -0.01]
    assert strategy.profit_factor(returns) == pytest.approx(0.31 / 0.08)
    assert strategy.win_rate(returns) == pytest.approx(3 / 6)
    assert strategy.drawdown_duration(returns) == 3


@given(arrays(np.float64, (3, 40), elements=st.floats(-0.2, 0.2)))
def test_series_at_once_are_series_one_by_one(returns: np.ndarray) -> None:
    for statistic in (
        strategy.sharpe, strategy.sortino, strategy.max_drawdown, strategy.drawdown_duration,
        strategy.profit_factor, strategy.win_rate, strategy.annual_return,
    ):  # fmt: skip
        together = statistic(returns)
        alone = [statistic(row) for row in returns]
        np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-12)


@given(arrays(np.float64, 30, elements=st.floats(-0.3, 0.3)))
def test_a_drawdown_is_a_fraction_of_the_peak(returns: np.ndarray) -> None:
    wealth, peak, worst = 1.0, 1.0, 0.0
    for r in returns:
        wealth *= 1 + r
        peak = max(peak, wealth)
        worst = max(worst, 1 - wealth / peak)
    assert strategy.max_drawdown(returns) == pytest.approx(worst, abs=1e-12)
    assert 0 <= strategy.max_drawdown(returns) <= 1
