"""Scores reproduce published values and behave as scores must."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.statistics import scoring_rules

probability = st.floats(0, 1)


def test_brier_as_in_the_scikit_learn_docstring() -> None:
    assert scoring_rules.brier([0.1, 0.9, 0.8, 0.3], [0, 1, 1, 0]).mean() == pytest.approx(0.0375)


def test_log_score_as_in_the_scikit_learn_docstring() -> None:
    mean = scoring_rules.log_score([0.1, 0.9, 0.8, 0.35], [0, 1, 1, 0]).mean()
    assert mean == pytest.approx(0.21616, abs=5e-6)


@pytest.mark.parametrize(
    ("mu", "sd", "y", "expected"),
    [  # closed form of Gneiting & Raftery 2007, checked by quadrature
        (0, 1, 0, 0.23369497725510913),
        (0, 1, 1, 0.6024413576276163),
        (0, 1, -2, 1.4527918216859033),
        (1.5, 0.7, 2.2, 0.42170895033933153),
    ],
)
def test_crps_of_a_normal_forecast(mu: float, sd: float, y: float, expected: float) -> None:
    assert float(scoring_rules.crps_normal(mu, sd, y)) == pytest.approx(expected, rel=1e-12)


def test_crps_from_many_quantiles_approaches_the_closed_form() -> None:
    from scipy.stats import norm

    levels = (np.arange(2000) + 0.5) / 2000
    y = np.array([-2.0, 0.0, 1.0])
    quantiles = np.tile(norm.ppf(levels), (3, 1))
    approximate = scoring_rules.crps_from_quantiles(quantiles, levels, y)
    np.testing.assert_allclose(approximate, scoring_rules.crps_normal(0, 1, y), atol=1e-3)


def test_crps_from_the_median_alone_is_the_absolute_error() -> None:
    np.testing.assert_allclose(
        scoring_rules.crps_from_quantiles([[1.0], [3.0]], [0.5], [2.0, 7.0]), [1.0, 4.0]
    )


def test_crps_of_a_row_does_not_depend_on_the_others_nor_on_memory_layout() -> None:
    rng = np.random.default_rng(3)
    levels = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
    quantiles, y = np.sort(rng.normal(size=(200, 7)), axis=1), rng.normal(size=200)
    whole = scoring_rules.crps_from_quantiles(np.asfortranarray(quantiles), levels, y)
    alone = [
        scoring_rules.crps_from_quantiles(quantiles[i : i + 1], levels, y[i : i + 1])[0]
        for i in range(200)
    ]
    assert whole.tolist() == alone


def test_crps_refuses_shapes_that_disagree() -> None:
    with pytest.raises(ValueError, match="quantiles"):
        scoring_rules.crps_from_quantiles([[1.0, 2.0]], [0.5], [1.0])


def test_pinball_charges_the_side_that_the_level_says() -> None:
    assert scoring_rules.pinball(1.0, 0.9, 2.0) == pytest.approx(0.9)
    assert scoring_rules.pinball(2.0, 0.9, 1.0) == pytest.approx(0.1)


def test_skill() -> None:
    got = scoring_rules.skill([0.1, 0.25, 0.5, 0.0, 0.1, 0.0], [0.2, 0.25, 0.25, 0.0, 0.0, 0.3])
    np.testing.assert_array_equal(got, [0.5, 0.0, -1.0, 0.0, np.nan, 1.0])
    huge = scoring_rules.skill([1e300, np.inf, 1e300, 0.1], [1e-10, 1.0, 1e300, 0.2])
    np.testing.assert_array_equal(huge, [np.nan, np.nan, 0.0, 0.5])


def test_errors_of_prices_are_signed() -> None:
    assert scoring_rules.log_error(110, 100) == pytest.approx(np.log(1.1))
    assert scoring_rules.relative_error([110, 90], [100, 100]) == pytest.approx([0.1, -0.1])


@given(probability, st.integers(0, 1))
def test_probability_scores_are_bounded_and_finite(p: float, y: int) -> None:
    assert 0 <= scoring_rules.brier(p, y) <= 1
    assert 0 <= scoring_rules.log_score(p, y) < 37


@given(probability, probability)
def test_probability_scores_grow_with_the_error(a: float, b: float) -> None:
    close, far = max(a, b), min(a, b)
    assert scoring_rules.brier(close, 1) <= scoring_rules.brier(far, 1)
    assert scoring_rules.log_score(close, 1) <= scoring_rules.log_score(far, 1)


@given(st.floats(-5, 5), st.floats(0.01, 5), st.floats(-5, 5))
def test_crps_is_not_negative_and_scales_with_the_unit(mu: float, sd: float, y: float) -> None:
    value = float(scoring_rules.crps_normal(mu, sd, y))
    assert value >= 0
    assert float(scoring_rules.crps_normal(10 * mu, 10 * sd, 10 * y)) == pytest.approx(10 * value)
