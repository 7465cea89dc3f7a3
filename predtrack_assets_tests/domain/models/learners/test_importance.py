"""Shuffling finds the feature that was planted, and says nothing of those that are not used."""

from __future__ import annotations

import numpy as np
import pytest

from predtrack_assets.domain.models.learners.importance import (
    Importance,
    permutation_importance,
    used_columns,
)
from predtrack_assets.domain.models.learners.pooled import FAMILIES, PooledFit
from predtrack_assets.domain.models.learners.training_data import TrainingData


@pytest.fixture(scope="module")
def unseen(planted: TrainingData, cutoff: np.datetime64) -> TrainingData:
    return planted.take(planted.day > cutoff)


def by(found: list[Importance], kind: str) -> dict[str, Importance]:
    return {i.feature: i for i in found if i.kind == kind and i.horizon == 1}


def test_planted_features_are_found(fit: PooledFit, unseen: TrainingData) -> None:
    found = permutation_importance(fit, unseen)
    assert all(i.low <= i.importance <= i.high for i in found)
    if fit.family["direction"][1] == FAMILIES["direction"][0]:
        assert not any(i.importance for i in found)
        return
    for kind, planted in (("direction", "signal"), ("volatility", "volatility_now")):
        of_kind = by(found, kind)
        noise = [i.importance for name, i in of_kind.items() if name.startswith("noise")]
        if (
            kind == "direction"
        ):  # losses of volatility come in bursts, which the interval looks through
            assert of_kind[planted].low > 0
        assert of_kind[planted].importance > 3 * max(noise)


def test_a_feature_that_is_not_used_is_worth_nothing(fit: PooledFit, unseen: TrainingData) -> None:
    found = permutation_importance(fit, unseen)
    assert len(found) == len(FAMILIES) * len(fit.horizons) * (len(fit.columns) + 2)
    names = (*fit.columns, "log_sigma", "relative_drift")
    for importance in found:
        used = used_columns(fit.at(importance.horizon), importance.kind)
        if names.index(importance.feature) not in used:
            assert (importance.importance, importance.low, importance.high) == (0, 0, 0)


def test_the_shuffle_is_set_by_the_seed(fit: PooledFit, unseen: TrainingData) -> None:
    once, again, other = (permutation_importance(fit, unseen, seed=s) for s in (1, 1, 2))
    assert once == again
    simplest = all(v == FAMILIES[k][0] for k, f in fit.family.items() for v in f.values())
    assert (once == other) == simplest


def test_rows_that_were_trained_on_are_refused(fit: PooledFit, planted: TrainingData) -> None:
    with pytest.raises(ValueError, match="have been seen by the fit"):
        permutation_importance(fit, planted)
