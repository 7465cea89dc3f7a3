"""The built-in models: coherent whatever the past was, and the baselines what they claim to be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.models.as_of_statistics import (
    BINS,
    EDGES,
    EmpiricalCounts,
    as_of_statistics,
    tally,
)
from predtrack_assets.domain.models.baselines import MODELS, Model, base_rates
from predtrack_assets.domain.models.forecast import (
    QUANTILE_LEVELS,
    Cells,
    no_change_within_5pct,
    target_price,
)
from predtrack_assets_tests.builders.panels import panels, random_panel

BY_NAME = {model.name: model for model in MODELS}


def cells_of(panel: Panel, horizon: int) -> Cells:
    """The cells of every day that can be predicted."""
    statistics = as_of_statistics(panel)
    rows, columns = np.nonzero(np.isfinite(panel.close) & np.isfinite(statistics.sigma))
    at = (rows, columns)
    tallies = tally(panel, statistics, horizon, rows, columns)
    return Cells(horizon, panel.close[at], statistics.sigma[at], statistics.drift[at], *tallies)


def cells_with(
    bins: np.ndarray, horizon: int = 5, sigma: float = 0.02, drift: float = 0.0, **counts: int
) -> Cells:
    """One cell whose tallies over all days and of its state are the same."""
    numbers = dict.fromkeys(EmpiricalCounts.__dataclass_fields__, 0) | {
        "decisions": int(bins.sum())
    }
    numbers |= counts
    columns = {name: np.array([n]) for name, n in numbers.items() if name != "bins"}
    both = EmpiricalCounts(bins=bins[None, :], **columns)
    return Cells(horizon, np.array([100.0]), np.array([sigma]), np.array([drift]), both, both)


def nothing_known() -> np.ndarray:
    return np.zeros(BINS, dtype=np.int64)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@settings(max_examples=30, deadline=None)
@given(panel=panels(sessions=90), horizon=st.sampled_from([1, 5, 21]))
def test_forecasts_are_coherent_whatever_the_past(model: Model, panel: Panel, horizon: int) -> None:
    cells = cells_of(panel, horizon)
    forecast = model.forecast(cells)
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=1) >= 0).all(), "quantiles are ordered"
    for name in ("p_within_5pct", "p_within_band", "p_up", "p_hit"):
        p = getattr(forecast, name)
        assert ((p >= -1e-12) & (p <= 1 + 1e-12)).all(), name
    assert ((forecast.hit_days >= 1) & (forecast.hit_days <= horizon)).all()
    assert np.isin(forecast.side, [-1.0, 1.0]).all()
    assert (forecast.volatility is not None) == ("volatility" in model.kinds)
    target = target_price(cells, forecast.side)
    assert ((target > cells.price) == (forecast.side > 0)).all()
    for rate in base_rates(cells.unconditional, forecast.side).values():
        assert ((rate > 0) & (rate < 1)).all()


@given(
    sigma=st.floats(1e-5, 1.0), drift=st.floats(-0.2, 0.2), horizon=st.sampled_from([1, 21, 252])
)
def test_no_drift_is_too_strong_beside_volatility(sigma: float, drift: float, horizon: int) -> None:
    forecast = BY_NAME["drift"].forecast(cells_with(nothing_known(), horizon, sigma, drift))
    assert np.isfinite(forecast.p_hit).all()
    assert 0 <= forecast.p_hit[0] <= 1


def test_no_change_says_what_a_normal_price_that_stays_says() -> None:
    forecast = BY_NAME["no_change"].forecast(cells_with(nothing_known(), 4, 0.01))
    assert forecast.p_up == 0.5
    assert forecast.volatility == 0.01
    assert forecast.quantiles[0, 3] == 0.0
    # ln(1.05) and ln(1/0.95) are 2.4395 and 2.5647 standard deviations of 0.02.
    assert forecast.p_within_5pct[0] == pytest.approx(0.987483, abs=1e-6)
    assert forecast.p_within_band[0] == pytest.approx(math.erf(1 / math.sqrt(2)))
    assert forecast.quantiles[0, -1] == pytest.approx(1.6448536 * 0.02)


def test_no_change_is_the_baseline_of_its_own_event() -> None:
    """Bit for bit, so that its skill is zero by construction."""
    cells = cells_of(random_panel(3, 80, 1), 5)
    forecast = BY_NAME["no_change"].forecast(cells)
    baseline = no_change_within_5pct(forecast.quantiles[:, 3], cells.spread)
    np.testing.assert_array_equal(forecast.p_within_5pct, baseline)


@pytest.mark.parametrize(("drift", "side"), [(0.004, 1.0), (-0.004, -1.0)])
def test_drift_leans_where_the_price_went(drift: float, side: float) -> None:
    forecast = BY_NAME["drift"].forecast(cells_with(nothing_known(), 5, 0.02, drift))
    assert forecast.quantiles[0, 3] == pytest.approx(5 * drift)
    assert forecast.side == side
    assert side * (forecast.p_up[0] - 0.5) > 0
    assert forecast.p_hit > BY_NAME["no_change"].forecast(cells_with(nothing_known())).p_hit


@pytest.mark.parametrize("name", ["climatology", "filtered_history"])
def test_without_a_past_the_empirical_models_are_normal(name: str) -> None:
    forecast = BY_NAME[name].forecast(cells_with(nothing_known(), 1, 0.02))
    normal = BY_NAME["no_change"].forecast(cells_with(nothing_known(), 1, 0.02))
    np.testing.assert_allclose(forecast.quantiles, normal.quantiles, atol=0.0004)
    assert forecast.p_up[0] == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("name", ["climatology", "filtered_history"])
def test_a_past_that_always_rose_says_it_rises(name: str) -> None:
    bins = nothing_known()
    bins[np.searchsorted(EDGES, 1.1) - 1] = 5_000  # between one and 1.25 sigma
    forecast = BY_NAME[name].forecast(cells_with(bins, 1, 0.02, up=5_000, above=5_000))
    assert forecast.p_up[0] > 0.9
    assert 0.02 < forecast.quantiles[0, 3] < 0.025
    assert forecast.p_hit[0] > 0.9


def test_empirical_quantiles_are_those_of_the_distribution() -> None:
    """A large uniform past between -2 and 2: quantiles of the uniform, up to the prior's share."""
    inside = (EDGES[:-1] >= -2) & (EDGES[1:] <= 2)
    bins = np.where(inside, 1_000_000, 0)
    forecast = BY_NAME["climatology"].forecast(cells_with(bins, 1, 0.02))
    expected = (4 * QUANTILE_LEVELS - 2) * 0.02
    np.testing.assert_allclose(forecast.quantiles[0], expected, atol=1e-5)
    assert forecast.p_within_band[0] == pytest.approx(0.5, abs=1e-4)


def test_base_rates_follow_the_rule_of_succession() -> None:
    cells = cells_with(nothing_known(), decisions=8, up=5, within=7, above=2, below=3)
    rates = base_rates(cells.unconditional, np.array([-1.0]))
    assert {k: float(v[0]) for k, v in rates.items()} == {
        "within_5pct": 0.8,
        "up": 0.6,
        "hit": 0.4,
    }


def test_identities_are_unique_and_baselines_bare() -> None:
    ids = [model.model_id for model in MODELS]
    assert ids == ["no_change", "drift", "climatology", "filtered_history-v1"]
