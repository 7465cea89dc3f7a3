"""The simpler family stays unless another is better for certain."""

from __future__ import annotations

import json

import numpy as np
import pytest

from predtrack_assets.domain.learners.pooled import FAMILIES, fit_pooled
from predtrack_assets.domain.learners.selection import MIN_DAYS, candidates, choose_families
from predtrack_assets.domain.learners.training_data import TrainingData
from predtrack_assets_tests.domain.learners.simulated import HORIZONS, simulated


def test_a_planted_signal_is_found(planted: TrainingData) -> None:
    choices, trials = choose_families(planted, HORIZONS, planted.day[-1] + 30)
    chosen = {(t.kind, t.horizon): t for t in trials if t.chosen}
    for kind in FAMILIES:
        assert chosen[kind, 1].family != FAMILIES[kind][0], kind
        assert chosen[kind, 1].skill > 0
        assert chosen[kind, 1].skill_low > 0
    fit = fit_pooled(planted, HORIZONS, cutoff=planted.day[-1] + 30, choices=choices)
    assert {k: dict(v) for k, v in fit.family.items()} == {
        kind: {h: chosen[kind, h].family for h in HORIZONS} for kind in FAMILIES
    }
    assert len(fit.metrics) == len(trials)


def unpredictable(data: TrainingData) -> TrainingData:
    """Outcomes drawn at random, in proportion to sigma, for which no feature can tell anything."""
    random, n = np.random.default_rng(7), len(data.day)
    for horizon in HORIZONS:
        z = random.normal(size=n)
        drawn = {
            "return": z * data.sigma * np.sqrt(horizon),
            "up": (z > 0).astype(float),
            "hit_above": random.integers(0, horizon + 1, n).astype(float),
            "hit_below": random.integers(0, horizon + 1, n).astype(float),
            "volatility": data.sigma * np.sqrt(random.gamma(horizon / 2, 2 / horizon, n)),
        }
        for name, values in drawn.items():
            _, end = data.labels[name, horizon]
            data.labels[name, horizon] = (np.where(np.isnat(end), np.nan, values), end)
    return data


def test_noise_keeps_the_simplest_family() -> None:
    data = unpredictable(simulated(seed=2))
    choices, _ = choose_families(data, HORIZONS, data.day[-1] + 30)
    assert choices["families"] == {
        kind: dict.fromkeys(map(str, HORIZONS), families[0]) for kind, families in FAMILIES.items()
    }


def test_what_only_trees_can_see_is_left_to_trees() -> None:
    """The sign of a product of two features."""
    data = simulated(symbols=6, sessions=600, seed=3)
    seen = data.features[:, 0] * np.nan_to_num(data.features[:, 2]) > 0
    random = np.random.default_rng(4)
    for horizon in HORIZONS:
        value, end = data.labels["up", horizon]
        follows = random.random(len(value)) < 0.8
        up = np.where(np.isnan(value), np.nan, np.where(follows, seen, ~seen))
        data.labels["up", horizon] = (up, end)
    choices, _ = choose_families(data, HORIZONS, data.day[-1] + 30)
    assert choices["families"]["direction"]["1"] == "lightgbm"


def test_trials_are_the_candidates_and_choices_plain_json(planted: TrainingData) -> None:
    cutoff = planted.day[-1] + 30
    choices, trials = choose_families(planted, HORIZONS[:1], cutoff)
    assert [(t.kind, t.horizon, t.family) for t in trials] == candidates(HORIZONS[:1])
    assert json.loads(json.dumps(choices, allow_nan=False)) == choices
    for kind in FAMILIES:
        of_kind = [t for t in trials if t.kind == kind]
        assert sum(t.chosen for t in of_kind) == 1
        assert of_kind[0].difference is None
        for trial in of_kind[1:]:
            assert trial.low <= trial.difference <= trial.high
            assert trial.against != trial.family


def test_few_days_are_no_ground_for_a_choice(planted: TrainingData) -> None:
    few = planted.take(planted.day < np.unique(planted.day)[MIN_DAYS - 1])
    choices, trials = choose_families(few, HORIZONS, planted.day[-1] + 30)
    assert all(t.score is None for t in trials)
    assert all(t.chosen == (t.family == FAMILIES[t.kind][0]) for t in trials)
    fit_pooled(few, HORIZONS, cutoff=planted.day[-1] + 30, choices=choices)


def test_nothing_after_the_cutoff_is_compared(planted: TrainingData, cutoff: np.datetime64) -> None:
    with pytest.raises(ValueError, match="after the cutoff"):
        choose_families(planted, HORIZONS, cutoff)
