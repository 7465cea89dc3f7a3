"""First passage against simulation, published identities and the extremes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.statistics.first_passage import (
    expected_hit_time,
    hit_probability,
    normal_cdf,
)


def test_without_drift_it_is_twice_the_tail() -> None:
    """The reflection principle: P = 2 Phi(-b / (sigma sqrt t)), 0.3173 at one sigma sqrt t."""
    sigma, t = 0.02, 9.0
    at_one = hit_probability(np.array([sigma * 3, -sigma * 3]), np.array(sigma), t, 0.0)
    np.testing.assert_allclose(at_one, 2 * normal_cdf(np.array(-1.0)), rtol=1e-14)
    np.testing.assert_allclose(at_one, 0.317310507862914, rtol=1e-12)


def test_a_drift_toward_the_barrier_ends_there_in_the_long_run() -> None:
    toward = hit_probability(np.array(0.1), np.array(0.02), 1e7, 0.001)
    away = hit_probability(np.array(-0.1), np.array(0.02), 1e7, 0.001)
    assert toward == pytest.approx(1.0)
    # Away from it, the probability of ever touching is exp(-2 mu b / sigma^2).
    assert away == pytest.approx(math.exp(-2 * 0.001 * 0.1 / 0.02**2))


@pytest.mark.parametrize(
    ("distance", "drift"), [(0.05, 0.0), (-0.05, 0.0), (0.05, 0.003), (-0.04, 0.002)]
)
def test_against_simulated_paths(distance: float, drift: float) -> None:
    """A fine walk between bridges: the chance that a Brownian bridge crosses is known exactly."""
    random = np.random.default_rng(5)
    sigma, sessions, steps, paths = 0.02, 10, 40, 20_000
    dt = sessions / steps
    moves = random.normal(drift * dt, sigma * math.sqrt(dt), (paths, steps))
    walk = np.concatenate([np.zeros((paths, 1)), np.cumsum(moves, axis=1)], axis=1)
    side = math.copysign(1.0, distance)
    before, after = side * (distance - walk[:, :-1]), side * (distance - walk[:, 1:])
    inside = (before > 0) & (after > 0)
    crossing = np.where(
        inside, np.exp(-2 * np.where(inside, before * after, 0) / (sigma**2 * dt)), 1.0
    )
    simulated = 1 - np.prod(1 - crossing, axis=1)
    found = hit_probability(np.array(distance), np.array(sigma), float(sessions), drift)
    error = simulated.std() / math.sqrt(paths)
    assert found == pytest.approx(simulated.mean(), abs=4.5 * error)


@given(
    distance=st.floats(-5, 5),
    sigma=st.floats(1e-6, 2),
    sessions=st.floats(1, 252),
    drift=st.floats(-0.5, 0.5),
)
def test_it_is_a_probability_and_grows_with_time(
    distance: float, sigma: float, sessions: float, drift: float
) -> None:
    arguments = (np.array([distance]), np.array([sigma]))
    now = hit_probability(*arguments, sessions, drift)
    later = hit_probability(*arguments, sessions * 1.5, drift)
    assert np.isfinite(now).all()
    assert 0 <= now[0] <= later[0] + 1e-9 <= 1 + 1e-9


def test_at_the_barrier_it_has_happened() -> None:
    assert hit_probability(np.array(0.0), np.array(0.02), 5.0, -0.1) == 1.0


@given(distance=st.floats(-1, 1), sigma=st.floats(1e-6, 1), deadline=st.integers(1, 60))
def test_expected_time_lies_between_the_first_session_and_the_deadline(
    distance: float, sigma: float, deadline: int
) -> None:
    days = expected_hit_time(np.array([distance]), np.array([sigma]), deadline, 0.0)
    assert 1 <= days[0] <= deadline


def test_expected_time_is_the_mean_over_whole_sessions() -> None:
    sigma, deadline = np.array(0.02), 5
    by = [float(hit_probability(np.array(0.03), sigma, float(t), 0.0)) for t in range(1, 6)]
    steps = np.diff([0.0, *by])
    expected = (np.arange(1, 6) * steps).sum() / by[-1]
    assert expected_hit_time(np.array(0.03), sigma, deadline, 0.0) == pytest.approx(expected)
