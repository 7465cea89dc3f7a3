"""Linear scores against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import GammaRegressor, LogisticRegression

from predtrack_assets.domain.models.learners.linear import (
    RIDGE,
    Linear,
    fit_linear,
    gamma,
    logistic,
    sigmoid,
)


@pytest.fixture
def x() -> np.ndarray:
    random = np.random.default_rng(5)
    return random.normal(3.0, [0.1, 1.0, 50.0], (2000, 3))


def standardised(x: np.ndarray) -> np.ndarray:
    return np.clip((x - x.mean(axis=0)) / x.std(axis=0), -5, 5)


def test_logistic_regression_is_scikit_learns(x: np.ndarray) -> None:
    random = np.random.default_rng(6)
    y = (random.random(2000) < sigmoid(standardised(x) @ [0.5, -0.2, 0.0])).astype(float)
    fitted = fit_linear(x, y, logistic)
    theirs = LogisticRegression(C=1 / (RIDGE * len(y)), tol=1e-10, max_iter=1000)
    theirs.fit(standardised(x), y)
    np.testing.assert_allclose(fitted.weights, theirs.coef_[0], atol=1e-6)
    expected = theirs.decision_function(standardised(x))
    np.testing.assert_allclose(fitted.raw(x), expected, atol=1e-5)


def test_gamma_regression_is_scikit_learns(x: np.ndarray) -> None:
    random = np.random.default_rng(7)
    y = random.gamma(0.5, 2 * np.exp(standardised(x) @ [0.5, -0.2, 0.0])) + 1e-9
    fitted = fit_linear(x, y, gamma)
    theirs = GammaRegressor(alpha=RIDGE, tol=1e-10, max_iter=1000).fit(standardised(x), y)
    np.testing.assert_allclose(fitted.weights, theirs.coef_, atol=1e-5)


def test_an_offset_is_what_need_not_be_learned(x: np.ndarray) -> None:
    random = np.random.default_rng(8)
    offset = 2 * standardised(x)[:, 0] - 1
    y = (random.random(2000) < sigmoid(offset)).astype(float)
    fitted = fit_linear(x, y, logistic, offset=offset)
    assert np.abs(fitted.weights).max() < 0.15
    assert abs(fitted.intercept) < 0.15


def test_missing_values_count_as_the_training_median(x: np.ndarray) -> None:
    y = (x[:, 1] > 3).astype(float)
    fitted = fit_linear(x, y, logistic)
    blank, filled = x[:1].copy(), x[:1].copy()
    blank[0, 1], filled[0, 1] = np.nan, np.median(x[:, 1])
    np.testing.assert_array_equal(fitted.raw(blank), fitted.raw(filled))


def test_constant_and_absent_columns_are_not_used(x: np.ndarray) -> None:
    dull = np.column_stack([x, np.full(2000, 7.0), np.full(2000, np.nan)])
    fitted = fit_linear(dull, (x[:, 1] > 3).astype(float), logistic)
    assert set(fitted.used) <= {0, 1, 2}
    assert np.isfinite(fitted.raw(dull)).all()


def test_only_chosen_columns_are_used(x: np.ndarray) -> None:
    fitted = fit_linear(x, (x[:, 1] > 3).astype(float), logistic, columns=np.array([0, 2]))
    assert set(fitted.used) <= {0, 2}


def test_separable_classes_stay_finite(x: np.ndarray) -> None:
    fitted = fit_linear(x, np.ones(2000), logistic)
    assert np.isfinite(fitted.raw(x)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [1.0]}, "'weights' has 1 numbers, not 3"),
        ({"median": None}, "'median' is not list"),
        ({"scale": [1.0, "2", 3.0]}, "'scale' holds '2'"),
        ({"intercept": float("nan")}, "'intercept' holds nan"),
    ],
)
def test_what_is_not_a_linear_score_is_refused(x: np.ndarray, change: dict, message: str) -> None:
    stored = fit_linear(x, (x[:, 1] > 3).astype(float), logistic).to_json()
    with pytest.raises(ValueError, match=message):
        Linear.from_json(stored | change, 3)
