"""Intervals reproduce published values; effective sizes agree with resampling and with truth."""

from __future__ import annotations

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.statistics.effective_size import (
    add_rows,
    block_variance,
    clopper_pearson,
    effective_sample_size,
    effective_sample_sizes,
    small_sample_factor,
    wilson,
)
from predtrack_assets.domain.statistics.lagged_products import weighted_lagged_products

PUBLISHED = [  # k, n, Wilson, Clopper-Pearson at 95 %: statsmodels 0.15.0, proportion_confint
    (0, 10, (0.0, 0.27753279986288926), (0.0, 0.30849710781876083)),
    (7, 10, (0.39677814746114537, 0.8922087325936989), (0.3475471499400027, 0.9332604888222655)),
    (55, 100, (0.4524460299744213, 0.6438546202048803), (0.44728018877393605, 0.6496797707603281)),
    (1, 1, (0.2065493143772374, 1.0), (0.025, 1.0)),
]


def overlapping_returns(
    rng: np.random.Generator, symbols: int, dates: int, horizon: int, correlation: float
) -> np.ndarray:
    """Unit-variance returns over `horizon` sessions, decided on each of `dates` days."""
    sessions = dates + horizon - 1
    market = np.sqrt(correlation) * rng.normal(size=(sessions, 1))
    daily = market + np.sqrt(1 - correlation) * rng.normal(size=(sessions, symbols))
    total = np.vstack([np.zeros(symbols), daily.cumsum(axis=0)])
    return (total[horizon:] - total[:-horizon]) / np.sqrt(horizon)


@pytest.mark.parametrize(("k", "n", "expected", "_exact"), PUBLISHED)
def test_wilson(k: int, n: int, expected: tuple[float, float], _exact: object) -> None:
    assert np.array(wilson(k / n, n)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("k", "n", "_wilson", "expected"), PUBLISHED)
def test_clopper_pearson(k: int, n: int, _wilson: object, expected: tuple[float, float]) -> None:
    assert np.array(clopper_pearson(k, n)) == pytest.approx(expected, rel=1e-6)


@given(st.floats(0, 1), st.floats(0.5, 1e6), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_wilson_holds_its_rate_and_stays_within_0_and_1(p: float, n: float, level: float) -> None:
    low, high = wilson(p, n, level)
    assert 0 <= low <= p <= high <= 1
    wider = wilson(p, n / 2, level)
    assert wider[1] - wider[0] >= high - low - 1e-12


def test_wilson_without_rows_is_unknown() -> None:
    assert np.isnan(wilson([0.5], [0.0])).all()


@pytest.mark.parametrize(("dates", "block"), [(21, 5), (60, 5), (250, 21), (40, 1)])
def test_block_variance_is_what_resampling_converges_to(dates: int, block: int) -> None:
    rng = np.random.default_rng(dates)
    values = overlapping_returns(rng, 1, dates, max(block, 2), 0.0)[:, 0]
    reps = 8000
    sums = [
        data[0][0].sum() for data in StationaryBootstrap(block, values, seed=rng).bootstrap(reps)
    ]
    assert block_variance(values, block) == pytest.approx(np.var(sums), rel=5 * np.sqrt(2 / reps))


@pytest.mark.parametrize(("dates", "horizon"), [(21, 1), (21, 5), (21, 21), (10, 21), (250, 21)])
def test_small_sample_factor_is_the_expected_shortfall(dates: int, horizon: int) -> None:
    """The expectation of a quadratic form u' W u, worked out with matrices."""
    lag = np.abs(np.subtract.outer(np.arange(dates), np.arange(dates)))
    q = 1 - 1 / horizon
    weights = np.where(lag, (1 - lag / dates) * q**lag + lag / dates * q ** (dates - lag), 1.0)
    covariance = np.clip(1 - lag / horizon, 0, None)
    centre = np.eye(dates) - 1 / dates
    seen = np.trace(weights @ centre @ covariance @ centre)
    assert small_sample_factor(dates, horizon) == pytest.approx(covariance.sum() / seen, rel=1e-9)


def test_6000_rows_are_worth_34() -> None:
    """The worked example: 200 symbols, 30 days, 5-day overlap, correlation 0.3, event 'up'."""
    rng = np.random.default_rng(0)
    rates, sizes = [], []
    for _ in range(300):
        up = overlapping_returns(rng, 200, 30, 5, 0.3) > 0
        rates.append(up.mean())
        sizes.append(effective_sample_size(up.sum(axis=1), np.full(30, 200), 5))
    worth = 0.25 / np.mean(np.square(np.array(rates) - 0.5))
    assert worth == pytest.approx(34, rel=0.25)
    assert np.median(sizes) == pytest.approx(34, rel=0.25)


@pytest.mark.parametrize(
    ("symbols", "dates", "horizon"),
    [(6, 21, 1), (6, 21, 5), (505, 21, 5), (6, 21, 21), (6, 250, 21)],
)
def test_intervals_on_effective_sizes_cover(symbols: int, dates: int, horizon: int) -> None:
    rng = np.random.default_rng(symbols + horizon)
    covered = []
    for _ in range(200):
        up = overlapping_returns(rng, symbols, dates, horizon, 0.3) > 0
        n_eff = effective_sample_size(up.sum(axis=1), np.full(dates, symbols), horizon)
        low, high = wilson(up.mean(), n_eff)
        covered.append(low <= 0.5 <= high)
    assert np.mean(covered) >= 0.85  # on all rows as if independent: 0.15 to 0.6


def quiet_and_wild(rng: np.random.Generator, paths: int, dates: int) -> np.ndarray:
    """Whether 10 symbols stay within a band where log volatility forgets a month (AR 0.97)."""
    shocks = 0.4 * rng.normal(size=(dates, paths))
    volatility = shocks[:1]
    levels = [volatility := 0.97 * volatility + np.sqrt(1 - 0.97**2) * s for s in shocks]
    noise = np.sqrt(0.3) * rng.normal(size=(dates, paths, 1))
    noise = noise + np.sqrt(0.7) * rng.normal(size=(dates, paths, 10))
    return np.abs(noise * np.exp(np.concatenate(levels))[:, :, None]) < 1.6


def test_intervals_cover_where_volatility_clusters() -> None:
    """Outcomes of single sessions that do not overlap, and yet depend on each other."""
    inside = quiet_and_wild(np.random.default_rng(4), 100, 2520)
    hits = inside.sum(axis=2).astype(float)
    ones = np.ones(hits.shape[1], np.int64)
    sizes = effective_sample_sizes(hits, np.full_like(hits, 10), ones, hits.sum(axis=0))
    low, high = wilson(hits.mean(axis=0) / 10, sizes)
    truth = inside.mean()
    assert np.mean((low <= truth) & (truth <= high)) >= 0.85  # with blocks of one session 0.27


def test_independent_rows_one_per_day_count_in_full() -> None:
    hits = np.random.default_rng(5).integers(0, 2, 100)
    assert effective_sample_size(hits[:20], np.ones(20), 1) == pytest.approx(20)
    assert effective_sample_size(hits, np.ones(100), 1) == pytest.approx(100, rel=0.3)


def test_rows_that_repeat_within_a_day_count_once() -> None:
    hits = np.random.default_rng(5).integers(0, 2, 400)
    once = effective_sample_size(hits, np.ones(400), 1)
    assert once == pytest.approx(400, rel=0.3)
    assert effective_sample_size(50 * hits, np.full(400, 50), 1) == pytest.approx(once, rel=0.01)


def test_means_of_values_count_like_rates() -> None:
    values = np.random.default_rng(6).normal(2, 1, 100)
    n_eff = effective_sample_size(values, np.ones(100), 1, squares=float(values @ values))
    assert n_eff == pytest.approx(100)


@pytest.mark.parametrize("hit", [0, 1])
def test_without_spread_only_time_counts(hit: int) -> None:
    counts = np.full(21, 500)
    assert effective_sample_size(hit * counts, counts, 5) == pytest.approx(21 / 5)
    assert effective_sample_size(hit * counts, counts, 63) == 1
    assert effective_sample_size([7.0] * 21, np.ones(21), 5, squares=49 * 21) == 21 / 5


def test_nothing_is_worth_nothing_and_one_day_is_worth_one() -> None:
    assert effective_sample_size([], [], 1) == 0
    assert effective_sample_size([0, 0], [0, 0], 1) == 0
    assert effective_sample_size([3], [10], 1) == 1


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=31),
    st.sampled_from([1, 5, 21]),
)
def test_effective_size_is_bounded(days: list[tuple[int, int]], horizon: int) -> None:
    counts = np.array([max(d) for d in days])
    n_eff = effective_sample_size([min(d) for d in days], counts, horizon)
    n, dates = counts.sum(), (counts > 0).sum()
    assert n_eff == 0 if n == 0 else 1 <= n_eff <= n / min(horizon, dates) * (1 + 1e-12)


def test_groups_do_not_depend_on_their_neighbours_to_the_last_bit() -> None:
    rng = np.random.default_rng(8)
    dates = rng.integers(1, 32, 300)
    counts = np.where(np.arange(31)[:, None] < dates, rng.integers(1, 9, (31, 300)), 0.0)
    sums = np.floor(counts * rng.random((31, 300)))
    horizons = rng.choice([1, 5, 21], 300)
    squares = sums.sum(axis=0)
    whole = effective_sample_sizes(sums, counts, horizons, squares)
    alone = [
        effective_sample_size(sums[: dates[g], g], counts[: dates[g], g], int(horizons[g]))
        for g in range(300)
    ]
    assert whole.tolist() == alone


@given(length=st.integers(1, 40), width=st.integers(1, 5), seed=st.integers(0, 99))
def test_lagged_products_are_added_one_after_the_other(length: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(length, width)) * rng.choice([0, 1e-9, 1, 1e9], (length, width))
    weights, which = rng.random((3, length)), rng.integers(0, 3, width)
    expected = np.zeros(width)
    for lag in range(length):
        products = add_rows(values[: length - lag] * values[lag:])
        expected += weights[which, lag] * products
    assert np.array_equal(weighted_lagged_products(values, weights, which), expected)
