"""Weights: against closed forms and written-out algorithms, and equal bits in every environment."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from predtrack_assets.domain.trading.allocation.covariance import shrunk_covariance
from predtrack_assets.domain.trading.allocation.hierarchical_risk_parity import (
    hierarchical_risk_parity,
)
from predtrack_assets.domain.trading.allocation.mean_variance import minimum_variance
from predtrack_assets.domain.trading.allocation.weights import METHODS, Chosen, target_weights
from predtrack_assets.domain.trading.strategies.view import Signals
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets_tests.domain.trading.test_strategies import view_of


def returns_of(symbols: int, days: int = 252, seed: int = 1) -> np.ndarray:
    dice = np.random.default_rng(seed)
    market = dice.normal(0, 0.01, days)
    beta = dice.uniform(0.5, 1.5, (symbols, 1))
    return beta * market + dice.normal(0, 1, (symbols, days)) * dice.uniform(
        0.005, 0.02, (symbols, 1)
    )


def test_shrinkage_is_that_of_scikit_learn() -> None:
    covariance = pytest.importorskip("sklearn.covariance")
    returns = returns_of(12, 90)
    theirs, _ = covariance.ledoit_wolf(returns.T)
    np.testing.assert_allclose(shrunk_covariance(returns), theirs, rtol=1e-10)


def test_uncorrelated_symbols_share_by_inverse_variance() -> None:
    covariance = np.diag([0.01, 0.04, 0.02, 0.08])
    inverse = 1 / np.diag(covariance)
    np.testing.assert_allclose(
        hierarchical_risk_parity(covariance), inverse / inverse.sum(), rtol=1e-12
    )


def test_hrp_puts_together_what_moves_together() -> None:
    """Two twins and a stranger of the same variance: the twins share what one of them would get."""
    covariance = np.array([[1.0, 0.99, 0.0], [0.99, 1.0, 0.0], [0.0, 0.0, 1.0]])
    weights = hierarchical_risk_parity(covariance)
    assert weights.sum() == pytest.approx(1)
    assert sorted(weights.round(3).tolist()) == [0.25, 0.25, 0.5] or weights[2] > weights[0]


def test_minimum_variance_of_two_is_the_closed_form() -> None:
    a, b, c = 0.04, 0.01, 0.004
    weights = minimum_variance(np.array([[a, c], [c, b]]))
    assert weights[0] == pytest.approx((b - c) / (a + b - 2 * c), abs=1e-6)


def test_minimum_variance_keeps_its_bound_and_beats_equal_weights() -> None:
    covariance = shrunk_covariance(returns_of(20))
    weights = minimum_variance(covariance, 0.15)
    equal = np.full(20, 1 / 20)
    assert weights.max() <= 0.15 + 1e-6
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    assert weights @ covariance @ weights < equal @ covariance @ equal


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_positive_and_sum_to_one_at_most(method: str) -> None:
    chosen = Chosen(returns_of(9), np.linspace(0.4, 0.9, 9))
    weights = METHODS[method](chosen)
    assert (weights >= 0).all()
    assert 0 < weights.sum() <= 1 + 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_one_symbol_and_one_that_never_moved_have_weights(method: str) -> None:
    assert np.isfinite(METHODS[method](Chosen(returns_of(1), np.array([0.9])))).all()
    still = returns_of(3)
    still[1] = 0.0
    assert np.isfinite(METHODS[method](Chosen(still, np.full(3, 0.9)))).all()


def test_targets_are_millionths_within_the_exposure() -> None:
    direction = np.array([1, 0, -1], dtype=np.int8)
    nan = np.full(3, np.nan)
    signals = Signals(nan, direction, nan, exposure=0.7)
    weights = target_weights(signals, view_of(returns_of(3)), "equal_weight")
    assert weights.tolist() == [0.35, 0.0, -0.35]
    hedged = target_weights(
        signals._replace(hedge=np.array([1.0, 0.0, 2.0])), view_of(returns_of(3)), "hrp"
    )
    assert hedged.round(6).tolist() == [0.233333, 0.0, -0.466666]


DIGEST = """
import hashlib, numpy as np
from predtrack_assets.domain.trading.allocation.weights import METHODS, Chosen
from predtrack_assets_tests.domain.trading.test_allocation import returns_of
found = [METHODS[m](Chosen(returns_of(30), np.linspace(0.4, 0.9, 30))) for m in METHODS]
print(hashlib.sha256(np.round(np.concatenate(found), 12).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_weights_are_the_same_bits_in_every_environment() -> None:
    environments: list[dict[str, str]] = [
        {"PYTHONHASHSEED": "1", "TZ": "UTC", "OPENBLAS_NUM_THREADS": "1"},
        {"PYTHONHASHSEED": "77", "TZ": "Pacific/Kiritimati", "OPENBLAS_NUM_THREADS": "2"},
        {"PYTHONHASHSEED": "5", "TZ": "America/St_Johns", "OPENBLAS_CORETYPE": "Prescott"},
    ]
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), **environment},
            capture_output=True, text=True, check=True,
        ).stdout
        for environment in environments
    }  # fmt: skip
    assert len(digests) == 1
