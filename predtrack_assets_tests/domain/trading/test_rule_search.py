"""Rules of recommendation: searched by what they earned, judged on later days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.forecasts.recommendations import recommend
from predtrack_assets.domain.models.tuning import Trial, draw
from predtrack_assets.domain.trading import rule_search
from predtrack_assets.domain.trading.rule_search import Daily, Rule, StrategySearch, advice, rule

DAYS = np.datetime64("2015-01-01") + np.arange(1500)
IN_FORCE = rule(["a"])


def market(gain: float, seed: int = 0, days: int = 1500):
    """What rules earned: a day's common return, and `gain` a day more for those of model b."""

    def earned(rules: Sequence[Rule]) -> list[Daily]:
        random = np.random.default_rng(seed)
        common = random.normal(0, 0.01, days)
        return [
            (DAYS[:days], common + random.normal(gain * (r["models"] == ["b"]), 0.002, days))
            for r in rules
        ]

    return earned


def prepared(gain: float, **changes: object) -> StrategySearch:
    asked: dict = {"days": 1500, "count": 30, "seed": "w", **changes}
    found = StrategySearch.prepare("price", 5, IN_FORCE, ["a", "b"], market(gain), **asked)
    assert isinstance(found, StrategySearch), found
    return found


def test_a_rule_that_earns_more_is_proposed_and_noise_is_not() -> None:
    better = prepared(0.001).run()
    assert better.accepted, better.conclusion
    assert better.new is not None
    assert better.new["models"] == ["b"]
    assert better.after["more_low"] > 0
    assert better.after["sharpe_ratio"] > better.before["sharpe_ratio"]
    equal = prepared(0.0).run()
    assert not equal.accepted
    assert equal.old == IN_FORCE


def test_of_many_searches_in_noise_few_propose() -> None:
    """The winner of 30 is judged on days of its own: proposed no more often than 2.5 %, about."""
    accepted = [
        StrategySearch("price", 5, IN_FORCE, prepared(0.0).tried, market(0.0, seed=s))
        .run()
        .accepted
        for s in range(60)
    ]
    assert np.mean(accepted) <= 0.06


def test_trials_are_new_distinct_and_drawn_by_the_seed() -> None:
    search = prepared(0.0)
    labels = [t.label for t in search.trials]
    assert len(set(labels)) == len(labels) == 23, "three sets of models, four bands, two costs"
    assert IN_FORCE not in search.tried
    assert prepared(0.0, count=3).tried == search.tried[:3]
    assert prepared(0.0, count=3, seed="v").tried != search.tried[:3]
    assert Trial("price", 5, {"family": "rule", "a": 1}).label.startswith("rule/")
    assert draw([1, 2, 3], 3, "x") == draw([1, 2, 3], 3, "x")


def test_too_short_a_record_is_not_searched() -> None:
    told = StrategySearch.prepare(
        "price", 5, IN_FORCE, ["a"], market(0.0), days=500, count=3, seed="w"
    )
    assert told == "500 days with predictions, 874 needed"
    short = StrategySearch("price", 5, IN_FORCE, prepared(0.0).tried, market(0.0, days=500)).run()
    assert not short.accepted
    assert "252 needed" in short.conclusion
    assert len(short.results) == 23


@pytest.mark.parametrize("band", [0.0, 0.5])
def test_several_models_are_averaged_where_all_have_spoken(band: float) -> None:
    said = pl.DataFrame(
        {
            "model_id": ["a", "b", "a"],
            "symbol": ["X", "X", "Y"],
            "trading_day": [date(2024, 3, 1)] * 3,
            "horizon": [4] * 3,
            "sigma": [0.01] * 3,
            "median": [0.03, -0.01, 0.05],
        }
    )
    both = advice(said, rule(["b", "a"], band))
    assert both["symbol"].to_list() == ["X"]
    assert both["position"].to_list() == [recommend(0.01, 0.01, 4, band).item()]
    assert advice(said, rule(["a"], band))["position"].to_list() == [1, 1]


def test_the_median_of_a_direction_is_the_one_that_it_implies() -> None:
    rows = pl.DataFrame(
        {
            "model_id": ["a", "a"], "kind": ["direction", "price"], "symbol": ["X", "X"],
            "trading_day": [date(2024, 3, 1)] * 2, "horizon": [4, 4], "sigma": [0.01, 0.01],
            "confidence": [0.5, 0.9], "q50": [None, 0.07],
        }
    )  # fmt: skip
    assert rule_search.medians(rows)["median"].to_list() == [0.0, 0.07]
