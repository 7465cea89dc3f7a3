"""Searches over parameters and features: found where it is planted, judged on days never searched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from predtrack_assets.domain.models.learners.feature_selection import FeatureSelection
from predtrack_assets.domain.models.learners.pooled import FAMILIES, fit_pooled
from predtrack_assets.domain.models.learners.search import (
    GRID,
    Configuration,
    HyperparameterSearch,
    configurations,
)
from predtrack_assets.domain.models.learners.training_data import TrainingData
from predtrack_assets.domain.models.learners.tuned import Tuned
from predtrack_assets_tests.domain.models.learners.simulated import HORIZONS, all_of, simulated

SIMPLEST = {kind: {"family": families[0], "parameters": {}} for kind, families in FAMILIES.items()}


@pytest.fixture(scope="module")
def noise() -> TrainingData:
    """A market of which nothing can be predicted."""
    return simulated(sessions=700, seed=3)


def prepared(
    data: TrainingData, kind: str, old: dict[str, Configuration] = SIMPLEST, horizon: int = 1
) -> HyperparameterSearch:
    found = HyperparameterSearch.prepare(data, kind, horizon, old, count=2, seed="2024-03-01")
    assert isinstance(found, HyperparameterSearch), found
    return found


@pytest.mark.parametrize("kind", ["price", "direction", "volatility"])
def test_what_is_planted_is_found_and_proposed(planted: TrainingData, kind: str) -> None:
    found = prepared(planted, kind).run()
    assert found.accepted, found.conclusion
    assert found.new is not None
    assert found.new["family"] == "lightgbm"
    (metric,) = found.before
    assert found.after[metric] < found.before[metric]
    assert found.after["high"] < 0
    assert len(found.chosen) == 1
    assert ("calibration" in found.new) == (kind == "direction")


@pytest.mark.parametrize("kind", list(FAMILIES))
def test_of_noise_nothing_is_proposed(noise: TrainingData, kind: str) -> None:
    found = prepared(noise, kind).run()
    assert not found.accepted
    assert "not significantly better" in found.conclusion
    assert found.chosen == []
    assert len(found.results) == 2, "what was evaluated is told all the same"


def test_the_same_inputs_give_the_same_proposal(planted: TrainingData) -> None:
    first, again = (prepared(planted, "direction") for _ in range(2))
    assert first.trials == again.trials
    assert first.run() == again.run()


def test_the_chosen_one_was_not_chosen_on_the_days_that_judge_it(planted: TrainingData) -> None:
    """Other outcomes on the last block change the judgement and not the choice."""
    search = prepared(planted, "direction")
    last = search._folds[-1][1]
    up, end = planted.labels["up", 1]
    flipped = np.where(planted.day >= last.day[0], 1 - up, up)
    other = replace(planted, labels={**planted.labels, ("up", 1): (flipped, end)})
    one, two = search.run(), prepared(other, "direction").run()
    assert one.new is not None
    assert two.new is not None
    assert one.new["parameters"] == two.new["parameters"]
    assert [r["searched"] for r in one.results] == [r["searched"] for r in two.results]
    assert one.after != two.after


def test_configurations_are_few_new_and_drawn_by_the_seed() -> None:
    known = {"family": "lightgbm", "parameters": {n: v[0] for n, v in GRID.items()}}
    every = configurations(1000, "week", known)
    assert len(every) == 3 ** len(GRID) - 2
    assert known not in every
    assert configurations(4, "week", known) == every[:4]
    assert configurations(4, "another week", known) != every[:4]


def test_too_little_is_not_searched(planted: TrainingData) -> None:
    few = planted.take(slice(0, 400))
    told = HyperparameterSearch.prepare(few, "price", 1, SIMPLEST, count=2, seed="s")
    assert told == "100 decision days, 250 needed"
    assert "250 needed" in str(FeatureSelection.prepare(few, HORIZONS, None, Tuned()))


# -- features ------------------------------------------------------------------------------------


def selection(data: TrainingData, position: int = 2) -> FeatureSelection:
    choices = all_of(position, data, data.day[-1])
    found = FeatureSelection.prepare(data, HORIZONS, choices, Tuned())
    assert isinstance(found, FeatureSelection), found
    return found


def test_noise_is_left_out_and_signal_kept(planted: TrainingData) -> None:
    chosen = selection(planted, position=1)
    assert chosen.left_out
    assert {c[:5] for c in chosen.left_out} == {"noise"}
    found = chosen.run()
    assert found.new == {"without": sorted(chosen.left_out)}
    assert found.accepted, found.conclusion
    assert {t.kind for t in chosen.trials} == set(FAMILIES)
    assert len(found.results) == len(chosen.trials) == len(FAMILIES) * len(HORIZONS)


def test_what_harms_on_unseen_days_is_not_proposed(planted: TrainingData) -> None:
    """Trees sample features: without the noise they miss the one that matters more often."""
    chosen = selection(planted, position=2)
    assert {c[:5] for c in chosen.left_out} == {"noise"}
    found = chosen.run()
    assert not found.accepted
    assert not all(r["harmless"] for r in found.results)


def test_without_its_signal_a_model_is_worse_for_certain(
    planted: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = selection(planted)
    monkeypatch.setitem(vars(chosen), "_useful", ["noise_0"])
    found = chosen.run()
    assert "signal" in chosen.left_out
    assert not found.accepted
    assert found.chosen == []
    direction = next(r for t, r in zip(chosen.trials, found.results, strict=True)
                     if (t.kind, t.horizon) == ("direction", 1))  # fmt: skip
    assert direction["low"] > 0, "significantly worse"


def test_where_nothing_is_worth_anything_nothing_is_selected(noise: TrainingData) -> None:
    told = FeatureSelection.prepare(noise, HORIZONS, None, Tuned())
    assert told == "no feature has a significant importance: there is nothing to keep"


def test_what_is_left_out_reaches_no_fit(planted: TrainingData, cutoff: np.datetime64) -> None:
    tuned = Tuned({}, ("signal",))
    known = tuned.mask(planted.known_by(cutoff))
    choices = all_of(2, planted, cutoff)
    fit = fit_pooled(known, HORIZONS, cutoff=cutoff, choices=choices)
    asked = planted.take(planted.day > cutoff)
    other = asked.features.copy()
    other[:, 0] += 3.0
    one, two = (fit.predict(x, asked.sigma, asked.drift, 1) for x in (asked.features, other))
    np.testing.assert_array_equal(one.p_up, two.p_up)
    np.testing.assert_array_equal(one.quantiles, two.quantiles)


# -- what becomes of it ----------------------------------------------------------------------------


def test_tuned_parameters_take_the_place_of_the_usual_ones_where_they_were_tuned(
    planted: TrainingData, cutoff: np.datetime64
) -> None:
    known = planted.known_by(cutoff)
    value = {"family": "lightgbm", "parameters": {"num_leaves": 4, "rounds": 25}}
    direct = {**value, "calibration": [0.0, 0.5]}
    tuned = Tuned().plus("price", 1, value).plus("direction", 1, direct)
    assert Tuned.from_json(tuned.to_json()) == tuned
    simple = all_of(0, planted, cutoff)
    made = fit_pooled(
        known, HORIZONS, cutoff=cutoff, choices=tuned.choices(simple), overrides=tuned.overrides()
    )
    usual = fit_pooled(known, HORIZONS, cutoff=cutoff, choices=simple)
    assert made.family["price"] == {1: "lightgbm", 5: "empirical"}
    assert made.family["direction"] == {1: "lightgbm", 5: "climatology"}
    assert made.models[1].direction.calibration == (0.0, 0.5)
    assert made.models[1].volatility.to_json() == usual.models[1].volatility.to_json()
    assert made.models[5].to_json() == usual.models[5].to_json()
    spread = made.models[1].price.spread
    assert spread is not None
    assert spread.to_json()["score"]["text"].count("Tree=") == 25
    assert tuned.choices(None) is None


def test_no_overrides_change_nothing(planted: TrainingData, cutoff: np.datetime64) -> None:
    known, choices = planted.known_by(cutoff), all_of(2, planted, cutoff)
    usual = fit_pooled(known, HORIZONS, cutoff=cutoff, choices=choices)
    empty = fit_pooled(known, HORIZONS, cutoff=cutoff, choices=choices, overrides={"price": {}})
    assert usual.to_bytes() == empty.to_bytes()
