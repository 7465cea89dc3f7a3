"""Statistics of growing records: each equals its definition on the record cut there."""

from __future__ import annotations

import numpy as np
import pytest

from predtrack_assets.domain.statistics import calibration as statistics_calibration
from predtrack_assets.domain.statistics import effective_size, expanding, returns

RANDOM = np.random.default_rng(3)
RETURNS = 0.01 * RANDOM.standard_t(5, 700) + 0.0005
SIZES = np.array([0, 1, 5, 30, 252, 300, 511, 700])


def test_a_prefix_alone_gives_the_bits_it_gives_among_others() -> None:
    counts = np.full(700, 4.0)
    hits = RANDOM.integers(0, 5, 700).astype(float)

    def everything(sizes: np.ndarray) -> list[np.ndarray]:
        return [
            *expanding.return_moments(RETURNS, sizes)[:3],
            *expanding.mean_lower_bounds(RETURNS, sizes),
            *expanding.bootstrap_lower_bounds(RETURNS, sizes),
            *expanding.drawdown_bounds(RETURNS, sizes),
            *expanding.effective_sizes(hits, counts, hits, sizes, 5),
        ]

    together = everything(SIZES)
    for i, size in enumerate(SIZES):
        for all_, alone in zip(together, everything(np.array([size])), strict=True):
            np.testing.assert_array_equal(all_[i], alone[0])


def test_what_comes_later_changes_nothing() -> None:
    poisoned = RETURNS.copy()
    poisoned[300:] = 0.5
    sizes = np.array([252, 300])
    for statistic in (expanding.bootstrap_lower_bounds, expanding.drawdown_bounds):
        np.testing.assert_array_equal(statistic(RETURNS, sizes), statistic(poisoned, sizes))


@pytest.mark.parametrize("n", [30, 300, 700])
def test_moments_are_those_of_the_record(n: int) -> None:
    found = expanding.return_moments(RETURNS, np.array([n]))
    for name in ("sharpe", "skewness", "kurtosis"):
        expected = getattr(returns.moments(RETURNS[:n]), name)
        assert getattr(found, name)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("horizon", [1, 5, 21])
def test_effective_sizes_agree_with_the_bootstrap_of_intervals(horizon: int) -> None:
    """With the block of 21 that gates use; intervals takes a twelfth of the window, up to 63."""
    z = np.convolve(RANDOM.standard_normal(1200 + horizon), np.ones(horizon), "valid")[:1200]
    hits = (z > 0) * 4.0 + (RANDOM.random(1200) > 0.5)
    counts = np.full(1200, 5.0)
    _, n, n_eff = expanding.effective_sizes(hits, counts, hits, np.array([1200]), horizon)
    expected = effective_size.effective_sample_size(hits, counts, horizon)
    assert n == 6000
    assert n_eff[0] == pytest.approx(expected, rel=0.35)
    assert n_eff[0] <= 6000 / horizon


def test_independent_dates_are_worth_their_number() -> None:
    hits = (RANDOM.random(2000) < 0.6) * 10.0
    _, _, n_eff = expanding.effective_sizes(hits, np.full(2000, 10.0), hits, np.array([2000]), 1)
    assert n_eff[0] == pytest.approx(2000, rel=0.35), "ten rows of a date move as one"


def test_equal_outcomes_are_worth_their_windows() -> None:
    hits = counts = np.full(100, 3.0)
    _, _, n_eff = expanding.effective_sizes(hits, counts, hits, np.array([100]), 5)
    assert n_eff[0] == 20


def test_drawdown_of_a_block_path_is_that_of_its_returns() -> None:
    observed, bound = expanding.drawdown_bounds(RETURNS, np.array([700]))
    assert observed[0] == pytest.approx(returns.max_drawdown(RETURNS[-252:]))
    begins = (np.random.default_rng(0).random((expanding.PATHS, 12)) * (700 - 20)).astype(int)
    paths = RETURNS[(begins[:, :, None] + np.arange(21)).reshape(expanding.PATHS, -1)]
    expected = np.quantile(returns.max_drawdown(paths), 0.95, method="inverted_cdf")
    assert bound[0] == pytest.approx(expected, rel=1e-9)


def test_no_drawdown_is_judged_below_a_year() -> None:
    observed, bound = expanding.drawdown_bounds(RETURNS, np.array([251, 252]))
    assert np.isnan([observed[0], bound[0]]).all()
    assert not np.isnan([observed[1], bound[1]]).any()


def test_calibration_from_bins_is_calibration_from_rows() -> None:
    p = RANDOM.integers(0, 100, 5000) / 100
    y = (RANDOM.random(5000) < p * 0.8 + 0.1) * 1.0
    cell = (p * 100 + 0.5).astype(int)
    bins = [np.bincount(cell, w, 100)[None] for w in (np.ones(5000), y, p)]
    rms, upper = expanding.calibration_bounds(*bins, np.array([5000.0]), 0.9)
    expected, expected_upper = statistics_calibration.rms_calibration_error(p, y)
    assert rms[0] == pytest.approx(expected, rel=0.03)
    assert upper[0] == pytest.approx(expected_upper, rel=0.03)


def test_nothing_is_known_of_nothing() -> None:
    rms, upper = expanding.calibration_bounds(*np.zeros((3, 1, 100)), np.zeros(1))
    assert np.isnan([rms, upper]).all()


@pytest.mark.slow
def test_lower_bounds_cover_the_truth_of_dependent_series() -> None:
    """One-sided 95 %: above the true mean in at most 5 % of series, here with overlap of 5."""
    random = np.random.default_rng(0)
    above = []
    for _ in range(400):
        series = np.convolve(random.standard_normal(604), np.ones(5) / 5, "valid")
        _, low = expanding.mean_lower_bounds(series, np.array([600]))
        above.append(low[0] > 0)
    assert np.mean(above) < 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / 400)
