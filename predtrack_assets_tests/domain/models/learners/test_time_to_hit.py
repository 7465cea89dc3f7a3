"""Discrete-time hazards: known hazards are found, survival never rises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from predtrack_assets.domain.models.learners import time_to_hit
from predtrack_assets.domain.models.learners.linear import sigmoid
from predtrack_assets.domain.models.learners.time_to_hit import (
    expected_days,
    fit_hazard,
    hazard_loss,
    survival,
)

HORIZON = 8
LOGITS = st_numpy.arrays(
    np.float64, st.tuples(st.integers(1, 5), st.integers(1, 10)), elements=st.floats(-40, 40)
)


@given(LOGITS)
def test_survival_is_monotone_and_days_lie_before_the_deadline(logits: np.ndarray) -> None:
    alive = survival(logits)
    assert (np.diff(alive, axis=1) <= 0).all()
    assert ((alive >= 0) & (alive <= 1)).all()
    days = expected_days(alive)
    assert ((days >= 1) & (days <= logits.shape[1])).all()


def test_expected_days_and_loss_by_hand() -> None:
    alive = np.array([[0.5, 0.25, 0.25], [1.0, 1.0, 0.9]])
    np.testing.assert_allclose(expected_days(alive), [(1 * 0.5 + 2 * 0.25) / 0.75, 3.0])
    np.testing.assert_allclose(hazard_loss(alive, np.array([2, 0])), [-np.log(0.25), -np.log(0.9)])


def simulate(n: int, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """x (n, 2) of which the first moves the logit of a hazard that falls with the session."""
    random = np.random.default_rng(9)
    x = random.normal(size=(n, 2))
    touched = np.zeros(n, dtype=np.int64)
    for session in range(HORIZON, 0, -1):
        hazard = sigmoid(-2.0 - 0.1 * session + effect * x[:, 0])
        touched = np.where(random.random(n) < hazard, session, touched)
    return x, touched


def errors(effect: float) -> dict[str, float]:
    """Mean distance from the true survival by family; each must get the overall level right."""
    x, touched = simulate(8000, effect)
    logits = -2.0 - 0.1 * np.arange(1, HORIZON + 1) + effect * x[:, :1]
    found = {}
    for family in time_to_hit.FAMILIES:
        alive = survival(fit_hazard(family, x, touched, HORIZON).logits(x))
        assert abs((1 - alive[:, -1]).mean() - (touched > 0).mean()) < 0.02
        found[family] = float(np.abs(alive - survival(logits)).mean())
    return found


def test_the_pooled_hazard_is_found() -> None:
    assert max(errors(effect=0.0).values()) < 0.02


def test_an_effect_on_the_hazard_is_found() -> None:
    error = errors(effect=0.5)
    assert error["logistic"] < error["climatology"] / 3
    assert error["lightgbm"] < error["climatology"] / 2


def test_leaving_out_sessions_without_touch_does_not_move_the_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, touched = simulate(8000, effect=0.5)
    few = fit_hazard("logistic", x, touched, HORIZON)
    monkeypatch.setattr(time_to_hit, "CONTROLS", 1e9)
    every = fit_hazard("logistic", x, touched, HORIZON)
    assert np.abs(survival(few.logits(x)) - survival(every.logits(x))).mean() < 0.01


def test_touches_that_never_came_are_possible() -> None:
    x, _ = simulate(100, effect=0.0)
    for family in time_to_hit.FAMILIES:
        fitted = fit_hazard(family, x, np.zeros(100, dtype=np.int64), HORIZON)
        alive = survival(fitted.logits(x))
        assert ((alive[:, -1] > 0.5) & (alive[:, -1] < 1)).all()
