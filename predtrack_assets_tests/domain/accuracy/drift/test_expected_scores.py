"""Scores expected before the outcomes are known."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from predtrack_assets.domain.accuracy.drift.expected_scores import UNIT, expected_scores

START = date(2020, 1, 1)
CELL = {"model_id": "own-v1", "kind": "direction", "horizon": 5}


def whole(values: NDArray[np.float64]) -> pl.Series:
    return pl.Series(np.round(np.asarray(values) / UNIT).astype(np.int64))


def rows(
    p: NDArray[np.float64], rate: float | None, seed: int = 0, days: int = 400
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is known and what was said of predictions p (n,) a day, due five days later."""
    random = np.random.default_rng(seed)
    said = pl.DataFrame({"day": np.repeat(np.arange(days), len(p)), "p": np.tile(p, days)})
    chance = said["p"].to_numpy() if rate is None else np.full(len(said), rate)
    came = random.random(len(said)) < chance
    said = said.select(
        *(pl.lit(v).alias(k) for k, v in CELL.items()),
        trading_day=pl.lit(START) + pl.duration(days=pl.col("day")),
        due_day=pl.lit(START) + pl.duration(days=pl.col("day") + 5),
        bucket=(pl.col("p") * 10).floor().clip(0, 9).cast(pl.Int16),
        n=pl.lit(1),
        confidence=whole(said["p"].to_numpy()),
        squared=whole(said["p"].to_numpy() ** 2),
        occurred=pl.Series(came).cast(pl.Int64),
        score=whole((said["p"].to_numpy() - came) ** 2),
    )
    return said, said


def on(day: int, known: pl.DataFrame, said: pl.DataFrame) -> dict[str, dict[str, float]]:
    moment = np.array([np.datetime64(START) + day])
    found = expected_scores(known, said, moment)
    return {row["statistic"]: row for row in found.iter_rows(named=True)}


def test_of_a_calibrated_model_it_is_what_the_probabilities_say() -> None:
    p = np.array([0.15, 0.35, 0.55, 0.75])
    found = on(380, *rows(p, None))
    assert found["expected_brier"]["value"] == pytest.approx(np.mean(p * (1 - p)), abs=0.01)
    assert found["expected_ece"]["value"] < 0.04
    assert found["expected_brier"]["n_current"] == 4 * 5
    assert found["expected_brier"]["n_reference"] == 4 * 365


def test_of_an_overconfident_model_it_is_what_its_past_says() -> None:
    p = np.array([0.9, 0.9, 0.95])
    found = on(380, *rows(p, 0.6))
    truth = np.mean(0.6 * (1 - p) ** 2 + 0.4 * p**2)
    assert found["expected_brier"]["value"] == pytest.approx(truth, abs=0.02)
    assert found["expected_ece"]["value"] == pytest.approx(np.mean(p) - 0.6, abs=0.04)
    assert found["expected_brier"]["reference_value"] == pytest.approx(truth, abs=0.03)


def test_a_bucket_never_seen_is_taken_at_its_word() -> None:
    known, _ = rows(np.array([0.55]), None)
    _, said = rows(np.array([0.85]), None)
    found = on(380, known, said)
    assert found["expected_brier"]["value"] == pytest.approx(0.85 * 0.15)
    assert found["expected_ece"]["value"] == pytest.approx(0, abs=1e-12)


def test_nothing_after_the_day_matters() -> None:
    known, said = rows(np.array([0.3, 0.62]), 0.5)
    day = START + timedelta(days=200)
    cut = known.filter(pl.col("due_day") <= day), said.filter(pl.col("trading_day") <= day)
    assert on(200, known, said) == on(200, *cut)
    row = on(200, known, said)["expected_brier"]
    assert row["current_start"] == START + timedelta(days=196)
    assert row["current_end"] == day


def test_nothing_known_or_nothing_open_gives_no_estimate() -> None:
    known, said = rows(np.array([0.3]), 0.5)
    assert on(4, known, said) == {}
    assert on(500, known, said) == {}
    assert on(100, known[:0], said) == {}


def test_estimates_are_marked_and_never_drift() -> None:
    known, said = rows(np.array([0.3]), 0.5)
    found = expected_scores(known, said, np.array([np.datetime64("2020-06-05")]))
    assert found["is_estimate"].all()
    assert not found["drifted"].any()
