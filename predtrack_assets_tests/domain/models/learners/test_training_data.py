"""What may be trained on: known by the cutoff, in order, complete."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from predtrack_assets.domain.models.learners.training_data import TrainingData, examples, inputs
from predtrack_assets_tests.domain.models.learners.simulated import simulated


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return simulated(sessions=120)


def test_known_by_a_cutoff_is_what_would_have_been_known(data: TrainingData) -> None:
    cutoff = np.unique(data.day)[50]
    known = data.known_by(cutoff)
    known.refuse_after(cutoff)
    assert known.day[-1] == cutoff
    for key, (value, end) in known.labels.items():
        whole, ends = (part[: len(known.day)] for part in data.labels[key])
        np.testing.assert_array_equal(value, np.where(ends > cutoff, np.nan, whole))
        np.testing.assert_array_equal(np.isnat(end), np.isnan(value))


def test_what_was_not_known_is_refused(data: TrainingData) -> None:
    cutoff = np.unique(data.day)[50]
    with pytest.raises(ValueError, match="rows decided after the cutoff"):
        data.refuse_after(cutoff)
    with pytest.raises(ValueError, match=r"labels \w+ \d end after the cutoff"):
        data.take(data.day <= cutoff).refuse_after(cutoff)


def test_early_touches_wait_for_the_misses(data: TrainingData) -> None:
    """Of the days before the cutoff only touches are known: to train on them would be to cheat."""
    cutoff = np.unique(data.day)[50]
    known = data.known_by(cutoff)
    rows = examples(known, 5)
    assert np.isfinite(known.labels["hit_above", 5][0][known.day > rows.day[-1]]).any()
    assert (rows.end <= cutoff).all()
    assert (rows.end > rows.day).all()


def test_examples_are_standardised_by_what_was_known_on_the_day(data: TrainingData) -> None:
    rows = examples(data, 5)
    returns, _ = data.labels["return", 5]
    kept = np.isfinite(returns)
    np.testing.assert_allclose(rows.z * rows.sigma * np.sqrt(5), returns[kept], atol=1e-15)
    np.testing.assert_array_equal(rows.up, returns[kept] > 0)
    np.testing.assert_array_equal(rows.x[:, :-2], data.features[kept])
    assert rows.columns[-2:] == ("log_sigma", "relative_drift")


def test_thinning_keeps_whole_days_and_the_last(data: TrainingData) -> None:
    rows = examples(data, 5)
    thin = examples(data, 5, thin=True, limit=len(rows) // 5)
    days = np.unique(rows.day)
    np.testing.assert_array_equal(np.unique(thin.day), days[::-1][:: thin.stride][::-1])
    assert thin.stride >= 5
    assert thin.overlap == 1
    assert len(thin) <= len(rows) / 4


def test_infinite_features_are_missing_ones() -> None:
    x = inputs(np.array([[np.inf, 1.0]]), np.array([0.02]), np.array([0.001]))
    np.testing.assert_allclose(x, [[np.nan, 1.0, np.log(0.02), 0.05]])


def test_disorder_and_wrong_shapes_are_refused(data: TrainingData) -> None:
    with pytest.raises(ValueError, match="not sorted"):
        data.take(np.arange(len(data.day))[::-1])
    with pytest.raises(ValueError, match="sigma has 3 rows"):
        replace(data, sigma=data.sigma[:3])
    with pytest.raises(ValueError, match="names"):
        replace(data, columns=data.columns[1:])
    with pytest.raises(ValueError, match="no labels return"):
        examples(data, 2)
