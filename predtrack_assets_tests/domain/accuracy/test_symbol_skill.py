"""Skill per symbol: shrunk toward all, intervals that cover, the best model of each symbol."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.accuracy.comparison import skill_difference
from predtrack_assets.domain.accuracy.symbol_skill import best_models, symbol_skill


def months(
    true: dict[str, float], model: str = "m", horizon: int = 1, blocks: int = 60, seed: int = 0
) -> pl.DataFrame:
    """Losses per month of symbols whose true skills are given, with a shock that all share."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.05, blocks)
    rows = []
    for symbol, skill in true.items():
        for i in range(blocks):
            base = 20 * (1 + rng.uniform())
            noise = shared[i] + rng.normal(0, 0.1)
            day = date(2000 + i // 12, i % 12 + 1, 1)
            rows.append(
                (model, "price", horizon, symbol, day, 21, base * (1 - skill - noise), base)
            )
    columns = ["model_id", "kind", "horizon", "symbol", "month", "n", "loss", "loss_baseline"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def test_symbols_that_differ_are_told_apart_and_drawn_together() -> None:
    true = {f"S{i}": skill for i, skill in enumerate(np.linspace(-0.1, 0.2, 12))}
    found = symbol_skill(months(true))
    assert found["symbol"][0] in ("S10", "S11")
    own, shrunk = found["own_skill"].to_numpy(), found["skill"].to_numpy()
    assert np.ptp(shrunk) < np.ptp(own), "shrunk"
    assert ((found["skill_low"] < found["skill"]) & (found["skill"] < found["skill_high"])).all()


def test_symbols_that_are_alike_become_the_pooled_skill() -> None:
    inside, spread = [], []
    for seed in range(40):
        found = symbol_skill(months({f"S{i}": 0.05 for i in range(10)}, seed=seed))
        inside += ((found["skill_low"] < 0.05) & (found["skill_high"] > 0.05)).to_list()
        spread.append(np.ptp(found["skill"].to_numpy()) / np.ptp(found["own_skill"].to_numpy()))
    assert np.mean(inside) > 0.9
    assert np.median(spread) < 0.3


def test_a_short_record_has_no_interval() -> None:
    found = symbol_skill(months({"A": 0.1, "B": 0.2}, blocks=5))
    assert found["skill"].null_count() == 2
    assert found["own_skill"].null_count() == 0
    # Two months a block at 21 sessions: 10 months are 5 blocks.
    assert symbol_skill(months({"A": 0.1}, horizon=21, blocks=10))["skill"].null_count() == 1


def test_the_best_model_of_each_symbol_and_the_next() -> None:
    good = months({"A": 0.3, "B": 0.3}, "good")
    other = months({"A": 0.0, "B": 0.0}, "other", seed=1)
    best = best_models(symbol_skill(pl.concat([good, other])))
    assert best["model_id"].to_list() == ["good", "good"]
    assert best["next_model"].to_list() == ["other", "other"]
    assert (best["skill"] > best["next_skill"]).all()


def test_skill_difference_is_the_difference_of_skills_with_an_interval() -> None:
    rng = np.random.default_rng(0)
    days = 300
    base = rng.gamma(2, 1, days) * 5
    rows = pl.DataFrame(
        {
            "kind": "price", "horizon": 1,
            "due_day": pl.date_range(date(2020, 1, 1), date(2020, 10, 26), eager=True)[:days],
            "n": 5, "loss": base * 0.9, "loss_other": base * rng.uniform(0.9, 1.1, days),
            "loss_baseline": base,
        }
    ).with_columns(squares=(pl.col("loss_other") - pl.col("loss")) ** 2 / 5)  # fmt: skip
    (row,) = skill_difference(rows).to_dicts()
    assert row["skill_difference"] == pytest.approx(row["skill"] - row["skill_other"])
    assert 0 < row["difference_low"] < row["skill_difference"] < row["difference_high"]
    assert row["p_value"] < 0.05
    assert skill_difference(rows[:0]).is_empty()
