"""Tests of equal accuracy: right by brute force, and honest about overlapping outcomes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from predtrack_assets.domain.statistics.diebold_mariano import (
    diebold_mariano,
    diebold_mariano_of,
    mean_interval,
)
from predtrack_assets.domain.statistics.effective_size import effective_sample_sizes
from predtrack_assets.domain.time.calendar import calendar


def overlapping(dates: int, horizon: int, series: int, seed: int) -> np.ndarray:
    """Loss differences (dates, series) of mean 0, each the sum of `horizon` independent sessions."""
    noise = np.random.default_rng(seed).standard_normal((dates + horizon - 1, series))
    total = np.cumsum(noise, axis=0)
    return np.vstack([total[horizon - 1], total[horizon:] - total[:-horizon]])


def test_against_the_periodogram() -> None:
    d = np.random.default_rng(1).standard_normal(63) + 0.3
    spectrum = np.abs(np.fft.fft(d)) ** 2 / (2 * np.pi * d.size)
    variance = 2 * np.pi * spectrum[1:4].mean()
    statistic = np.sqrt(d.size) * d.mean() / np.sqrt(variance)
    found = diebold_mariano(d, 5)
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value == pytest.approx(2 * stats.t(6).sf(abs(statistic)))


def test_a_true_null_is_rejected_at_its_level_and_by_the_naive_test_far_too_often() -> None:
    """One year of 21-session forecasts; Coroneo and Iacone's case."""
    d = overlapping(252, 21, 4000, seed=2)
    sizes = np.full(4000, 252)
    _, p_value = diebold_mariano_of(d, sizes, np.full(4000, 21))
    assert 0.03 < (p_value < 0.05).mean() < 0.08
    naive = stats.ttest_1samp(d, 0).pvalue
    assert (naive < 0.05).mean() > 0.6


def test_a_real_difference_is_found() -> None:
    d = overlapping(252, 1, 500, seed=3) + 0.3
    _, p_value = diebold_mariano_of(d, np.full(500, 252), np.full(500, 1))
    assert (p_value < 0.05).mean() > 0.9


@pytest.mark.parametrize(
    ("dates", "horizon", "refused"), [(57, 5, True), (58, 5, False), (241, 21, True)]
)
def test_refused_below_twelve_horizons_rounded(dates: int, horizon: int, refused: bool) -> None:
    d = np.random.default_rng(4).standard_normal(dates)
    assert np.isnan(diebold_mariano(d, horizon).p_value) == refused


def test_every_year_of_the_exchange_can_judge_a_month_ahead() -> None:
    sessions = calendar("XNYS").sessions
    _, lengths = np.unique(sessions.astype("datetime64[Y]"), return_counts=True)
    d = np.random.default_rng(4).standard_normal(int(lengths.min()))
    assert not np.isnan(diebold_mariano(d, 21).p_value)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-9])
def test_differences_without_spread_are_refused(value: float) -> None:
    assert np.isnan(diebold_mariano(np.full(100, value), 1)).all()


def test_a_series_does_not_depend_on_those_beside_it() -> None:
    d = np.random.default_rng(5).standard_normal((80, 3))
    dates = np.array([80, 40, 61])
    d *= np.arange(80)[:, None] < dates
    together = diebold_mariano_of(d, dates, np.ones(3, int))
    for i, size in enumerate(dates):
        alone = diebold_mariano(d[:size, i], 1)
        assert (together[0][i], together[1][i]) == tuple(alone)


@pytest.mark.parametrize(("dates", "horizon"), [(21, 1), (63, 5), (252, 21)])
def test_intervals_cover_the_true_mean(dates: int, horizon: int) -> None:
    """With n_eff estimated from the same dates; 95 % within what simulation can tell."""
    series = 3000
    d = overlapping(dates, horizon, series, seed=6)
    ones, horizons = np.ones_like(d), np.full(series, horizon)
    n_eff = effective_sample_sizes(d, ones, horizons, np.square(d).sum(axis=0))
    low, high = mean_interval(d.mean(axis=0), d.std(axis=0), n_eff, dates / horizon)
    assert 0.91 < ((low <= 0) & (high >= 0)).mean() < 0.985


def test_one_block_gives_no_interval() -> None:
    low, high = mean_interval(0.1, 1.0, 20.0, 1.9)
    assert np.isnan([low, high]).all()
