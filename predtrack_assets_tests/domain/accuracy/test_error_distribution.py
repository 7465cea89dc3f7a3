"""Statistics of price errors against the usual libraries, and the outliers under fat tails."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from predtrack_assets.domain.accuracy.error_distribution import error_statistics


def test_statistics_are_numpys_and_scipys() -> None:
    errors = np.random.default_rng(0).standard_t(4, 333) / 50 + 0.01
    found = error_statistics(errors)
    expected = {"sample_size": 333, "mean_error": errors.mean(), "std_error": errors.std(ddof=1)}
    expected["skewness"] = stats.skew(errors)
    for q in (10, 25, 50, 75, 90):
        expected[f"p{q}_error"] = np.percentile(errors, q)
        expected[f"abs_p{q}"] = np.percentile(np.abs(errors), q)
    far = np.abs(errors - np.median(errors)) > 5 * 1.4826 * stats.median_abs_deviation(errors)
    expected["outlier_count_mad"] = far.sum()
    expected["outlier_count"] = (np.abs(errors - errors.mean()) > 3 * errors.std(ddof=1)).sum()
    assert found == pytest.approx(expected)


def test_bias_and_skewness_are_different_things() -> None:
    """Overestimated by 5 % throughout, with a tail of underestimates."""
    rng = np.random.default_rng(1)
    found = error_statistics(0.05 - rng.exponential(0.02, 1000) + 0.02)
    assert found["mean_error"] > 0.04
    assert found["skewness"] < -1


def test_a_huge_error_does_not_hide_a_big_one() -> None:
    found = error_statistics([*np.linspace(-0.02, 0.02, 41), 0.3, 9.0])
    assert found["outlier_count_mad"] == 2
    assert found["outlier_count"] == 1


@pytest.mark.parametrize("errors", [[0.02], [0.1] * 7])
def test_without_spread_there_is_no_shape(errors: list[float]) -> None:
    found = error_statistics(errors)
    assert np.isnan(found["skewness"])
    assert found["p10_error"] == found["p90_error"] == pytest.approx(found["mean_error"])
    assert found["outlier_count"] == found["outlier_count_mad"] == 0
    assert np.isnan(found["std_error"]) if len(errors) == 1 else found["std_error"] == 0


@given(st.lists(st.floats(-1, 10), min_size=1, max_size=60))
def test_percentiles_are_ordered_and_within_the_errors(errors: list[float]) -> None:
    found = error_statistics(errors)
    signed = [found[f"p{q}_error"] for q in (10, 25, 50, 75, 90)]
    absolute = [found[f"abs_p{q}"] for q in (10, 25, 50, 75, 90)]
    for ordered in (signed, absolute):
        assert np.all(np.diff(ordered) >= -1e-12)
    assert min(errors) - 1e-12 <= signed[0]
    assert signed[-1] <= max(errors) + 1e-12
    assert absolute[0] >= 0


@given(st.lists(st.floats(-1, 10), min_size=2, max_size=60), st.floats(-0.5, 0.5))
def test_a_shift_moves_the_bias_and_nothing_else(errors: list[float], shift: float) -> None:
    before, after = error_statistics(errors), error_statistics(np.array(errors) + shift)
    assert after["mean_error"] == pytest.approx(before["mean_error"] + shift, abs=1e-9)
    assert after["std_error"] == pytest.approx(before["std_error"], abs=1e-7)
