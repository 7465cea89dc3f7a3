"""The simpler family stays unless another is significantly better."""

from __future__ import annotations

import json

import numpy as np
import pytest

from predtrack_assets.domain.models.learners.pooled import FAMILIES, fit_pooled
from predtrack_assets.domain.models.learners.selection import MIN_DAYS, candidates, choose_families
from predtrack_assets.domain.models.learners.training_data import TrainingData
from predtrack_assets_tests.domain.models.learners.simulated import HORIZONS, simulated

NEVER = np.datetime64("NaT")


def test_a_planted_signal_is_found(planted: TrainingData) -> None:
    choices, trials = choose_families(planted, HORIZONS, planted.day[-1] + 30)
    chosen = {(t.kind, t.horizon): t for t in trials if t.chosen}
    for kind in FAMILIES:
        assert chosen[kind, 1].family != FAMILIES[kind][0], kind
        whole = chosen[kind, 1].by_regime["all"]
        assert whole.skill_low > 0
        assert whole.skill == pytest.approx(1 - whole.score / whole.baseline)
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


def test_what_stays_is_measured_too_against_no_change() -> None:
    """The simplest families have skill and interval; what noise follows exactly has none to gain."""
    data = unpredictable(simulated(seed=2))
    _, trials = choose_families(data, (1,), data.day[-1] + 30)
    stayed = {t.kind: t.by_regime["all"] for t in trials if t.chosen}
    for kind, skill in stayed.items():
        assert skill.skill_low < skill.skill < skill.skill_high, kind
        assert 1 <= skill.n_eff <= skill.n
    for kind in ("price", "direction"):  # drawn from what no_change says: a coin, a normal
        assert stayed[kind].skill_low < 0.005
        assert abs(stayed[kind].skill) < 0.02


def test_regimes_part_the_days_and_change_no_choice(planted: TrainingData) -> None:
    cutoff = planted.day[-1] + 30
    days = np.unique(planted.day)
    regimes = dict(zip(days, np.where(np.arange(len(days)) % 40 < 30, "bull", "bear"), strict=True))
    del regimes[days[-40]]  # a day without a regime counts in none
    plain, _ = choose_families(planted, (1,), cutoff)
    choices, trials = choose_families(planted, (1,), cutoff, regimes)
    assert choices == plain
    for trial in trials:
        assert set(trial.by_regime) == {"all", "bull", "bear"}
        whole, *parts = (trial.by_regime[name] for name in ("all", "bull", "bear"))
        assert sum(part.days for part in parts) == whole.days - 1
        mean = sum(part.score * part.days for part in parts) / sum(part.days for part in parts)
        assert mean == pytest.approx(whole.score, rel=0.02)
    rare = {day: "rare" if i == len(days) - 30 else "usual" for i, day in enumerate(days)}
    _, trials = choose_families(planted, (1,), cutoff, rare)
    assert {t.by_regime["rare"].skill_low for t in trials} == {None}, "one day bounds nothing"


@pytest.mark.parametrize(
    ("last", "lacking"),
    [(MIN_DAYS - 2, f"{MIN_DAYS - 1} decision days, {MIN_DAYS} needed"), (None, "known outcomes")],
)
def test_what_cannot_be_validated_is_the_simplest_and_says_why(
    planted: TrainingData, last: int | None, lacking: str
) -> None:
    days = np.unique(planted.day)
    if last is not None:
        data = planted.take(planted.day <= days[last])
    else:  # enough days, hardly an outcome
        data = planted.known_by(planted.day[-1])
        for key, (value, end) in data.labels.items():
            late = data.day > days[5]
            data.labels[key] = (np.where(late, np.nan, value), np.where(late, NEVER, end))
    choices, trials = choose_families(data, HORIZONS, planted.day[-1] + 30)
    assert not any(t.validated for t in trials)
    assert all(lacking in t.reason for t in trials)
    assert all(t.chosen == (t.family == FAMILIES[t.kind][0]) for t in trials)
    assert all(s["score"] is None and s["n"] == 0 for s in choices["scores"])
    fit_pooled(data, HORIZONS, cutoff=planted.day[-1] + 30, choices=choices)


def test_nothing_after_the_cutoff_is_compared(planted: TrainingData, cutoff: np.datetime64) -> None:
    with pytest.raises(ValueError, match="after the cutoff"):
        choose_families(planted, HORIZONS, cutoff)
