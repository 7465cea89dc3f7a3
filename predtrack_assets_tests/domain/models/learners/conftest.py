"""Fits that several tests look at; small, but of every family."""

from __future__ import annotations

import numpy as np
import pytest

from predtrack_assets.domain.models.learners.pooled import PooledFit, fit_pooled
from predtrack_assets.domain.models.learners.training_data import TrainingData
from predtrack_assets_tests.domain.models.learners.simulated import HORIZONS, all_of, simulated


@pytest.fixture(scope="session")
def planted() -> TrainingData:
    """A market of which direction and volatility can be predicted."""
    return simulated(signal=0.3, persistence=0.5, seed=1)


@pytest.fixture(scope="session")
def cutoff(planted: TrainingData) -> np.datetime64:
    """Two thirds of the way through `planted`."""
    days = np.unique(planted.day)
    return days[len(days) * 2 // 3]


@pytest.fixture(scope="session", params=[0, 1, 2], ids=["simplest", "linear", "lightgbm"])
def fit(request: pytest.FixtureRequest, planted: TrainingData, cutoff: np.datetime64) -> PooledFit:
    """Every kind by its first, second or third family."""
    known = planted.known_by(cutoff)
    choices = all_of(request.param, planted, cutoff)
    return fit_pooled(known, HORIZONS, cutoff=cutoff, choices=choices)
