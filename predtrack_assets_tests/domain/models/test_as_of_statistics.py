"""Statistics of a symbol's own past, against simple loops over it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings

from predtrack_assets.domain.market import returns as market_returns
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.market.returns import daily_returns, first_touch, forward_returns
from predtrack_assets.domain.models import as_of_statistics as history
from predtrack_assets.domain.models.as_of_statistics import BINS, EDGES, as_of_statistics, tally
from predtrack_assets_tests.builders.panels import constant, panels, random_panel

SEEDS = [1, 2, 3]


def shares_between(panel: Panel, row: int, t: int, later: int) -> float:
    """Shares that one of session t has become by a later session, one split after the other."""
    shares = 1.0
    for column in range(t + 1, later + 1):
        shares *= panel.split[row, column]
    return shares


def log_return(panel: Panel, row: int, t: int, later: int) -> float:
    now, then = panel.close[row, t], panel.close[row, later]
    return math.log(then * shares_between(panel, row, t, later) / now)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("horizon", [1, 4, 9])
def test_forward_returns(seed: int, horizon: int) -> None:
    panel = random_panel(3, 40, seed)
    expected = np.full_like(panel.close, np.nan)
    for row in range(3):
        for t in range(40 - horizon):
            expected[row, t] = log_return(panel, row, t, t + horizon)
    np.testing.assert_allclose(forward_returns(panel, horizon), expected, atol=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
def test_daily_returns_span_short_gaps_only(seed: int) -> None:
    panel = random_panel(3, 60, seed, gaps=0.5)
    expected = np.full_like(panel.close, np.nan)
    for row in range(3):
        for t in range(60):
            for back in range(1, market_returns.MAX_GAP + 1):
                if t >= back and np.isfinite(panel.close[row, [t, t - back]]).all():
                    expected[row, t] = log_return(panel, row, t - back, t)
                    break
    np.testing.assert_allclose(daily_returns(panel), expected, atol=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
def test_volatility_and_drift(seed: int) -> None:
    panel = random_panel(2, 300, seed, gaps=0.2)
    returns = daily_returns(panel)
    statistics = as_of_statistics(panel)
    for row in range(2):
        for t in (5, 30, 100, 299):
            window = returns[row, max(0, t - history.MEMORY + 1) : t + 1][::-1]
            ages = np.flatnonzero(np.isfinite(window))
            if len(ages) < history.MIN_RETURNS:
                assert np.isnan(statistics.sigma[row, t])
                continue
            weights = history.EWMA_LAMBDA**ages
            variance = (weights * window[ages] ** 2).sum() / weights.sum()
            assert statistics.sigma[row, t] == pytest.approx(math.sqrt(variance), rel=1e-12)
            assert statistics.drift[row, t] == pytest.approx(window[ages].mean(), rel=1e-9)


def test_momentum_and_reversal_look_back() -> None:
    panel = random_panel(2, 60, 4)
    statistics = as_of_statistics(panel)
    for row in range(2):
        for t in range(21, 60):
            month, week = log_return(panel, row, t - 21, t), log_return(panel, row, t - 5, t)
            for value, expected in (
                (statistics.momentum[row, t], month),
                (statistics.reversal[row, t], week),
            ):
                np.testing.assert_allclose(value, expected, atol=1e-14)
            assert statistics.state[row, t] == 2 * (month > 0) + (week > 0)


def test_prices_that_do_not_move_have_no_volatility() -> None:
    statistics = as_of_statistics(constant(random_panel(2, 60, 1), 10.0))
    assert np.isnan(statistics.sigma).all()


@pytest.mark.parametrize("side", ["above", "below"])
def test_first_touch(side: str) -> None:
    panel = random_panel(3, 40, 6)
    barrier = panel.close * (1.03 if side == "above" else 0.97)
    found = first_touch(panel, barrier, 6, side)
    for row in range(3):
        for t in range(40):
            expected = 0
            for k in range(1, 7):
                if t + k >= 40:
                    break
                extreme = (panel.high if side == "above" else panel.low)[row, t + k]
                reached = extreme * shares_between(panel, row, t, t + k)
                if reached >= barrier[row, t] if side == "above" else reached <= barrier[row, t]:
                    expected = k
                    break
            assert found[row, t] == expected


def brute_force(panel: Panel, row: int, column: int, horizon: int, state: int | None):
    """What a tally counts, decision by decision."""
    statistics = as_of_statistics(panel)
    total = dict.fromkeys(("decisions", "up", "within", "above", "below"), 0)
    total |= {"above_days": 0, "below_days": 0}
    bins = np.zeros(BINS, dtype=int)
    for t in range(max(0, column - horizon + 1 - history.WINDOW), column - horizon + 1):
        sigma, price = statistics.sigma[row, t], panel.close[row, t]
        if not np.isfinite([sigma, price, panel.close[row, t + horizon]]).all():
            continue
        if state is not None and statistics.state[row, t] != state:
            continue
        gain = log_return(panel, row, t, t + horizon)
        spread = sigma * math.sqrt(horizon)
        total["decisions"] += 1
        total["up"] += gain > 0
        total["within"] += -math.log(1.05) <= gain <= -math.log(0.95)
        bins[min(max(np.searchsorted(EDGES, gain / spread) - 1, 0), BINS - 1)] += 1
        for name, sign in (("above", 1), ("below", -1)):
            barrier = price * math.exp(sign * spread)
            extremes = panel.high if sign > 0 else panel.low
            for k in range(1, horizon + 1):
                reached = extremes[row, t + k] * shares_between(panel, row, t, t + k)
                if sign * (reached - barrier) >= 0:
                    total[name] += 1
                    total[f"{name}_days"] += k
                    break
    return total, bins


@pytest.mark.parametrize("horizon", [1, 5])
def test_tallies_count_past_decisions(horizon: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "WINDOW", 70)
    panel = random_panel(2, 140, 8, gaps=0.05)
    statistics = as_of_statistics(panel)
    rows, columns = np.array([0, 1, 0, 1]), np.array([139, 139, 60, 22])
    unconditional, conditional = tally(panel, statistics, horizon, rows, columns)
    for i, (row, column) in enumerate(zip(rows, columns, strict=True)):
        for found, state in ((unconditional, None), (conditional, statistics.state[row, column])):
            total, bins = brute_force(panel, row, column, horizon, state)
            assert {name: getattr(found, name)[i] for name in total} == total
            np.testing.assert_array_equal(found.bins[i], bins)
            assert bins.sum() == total["decisions"]


@settings(max_examples=25, deadline=None)
@given(panels(sessions=70))
def test_a_day_alone_is_bit_for_bit_the_day_in_a_range(panel: Panel) -> None:
    """Cutting the panel after a column changes nothing at or before it."""
    whole = as_of_statistics(panel)
    width = len(panel.sessions)
    cut = max(1, width * 2 // 3)
    part = as_of_statistics(
        type(panel)(**{n: v if n == "symbols" else v[..., :cut] for n, v in vars(panel).items()})
    )
    for name in ("sigma", "drift", "momentum", "reversal"):
        np.testing.assert_array_equal(getattr(whole, name)[:, :cut], getattr(part, name))
