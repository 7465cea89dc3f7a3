"""Calibration and scores of a report against scikit-learn's on the same rows.

The rows are simulated, and, where PREDTRACK_REFERENCE_DATA names the folder of
sports_probabilities_outcomes.parquet, the published forecasts of games as well, ties left out.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss, log_loss

from predtrack_assets.domain.accuracy.calibration_report import (
    calibration_metrics,
    calibration_summary,
)
from predtrack_assets.domain.statistics import scoring_rules
from predtrack_assets_tests.domain.accuracy.test_report_windows import sums_of

GAMES = "sports_probabilities_outcomes.parquet"


def simulated(sharpness: float) -> pl.DataFrame:
    """Two years of overconfident forecasts, with certain ones and ties among them."""
    rng = np.random.default_rng(7)
    truth = rng.beta(2, 2, 4000)
    said = np.clip(np.round(0.5 + sharpness * (truth - 0.5), 3), 0, 1)
    days = pl.Series(np.datetime64("2020-01-01") + rng.integers(0, 730, 4000))
    return pl.DataFrame(
        {"date": days.cast(pl.Date), "prob": said, "outcome": rng.random(4000) < truth}
    )


def published(folder: Path) -> dict[str, pl.DataFrame]:
    games = pl.read_parquet(folder / GAMES).with_columns(pl.col("date").str.to_date())
    games = games.filter(pl.col("outcome").is_in([0.0, 1.0]))  # ties are no outcome of `home won`
    return {str(name): rows for (name,), rows in games.group_by("project", maintain_order=True)}


FORECASTS = {"timid": simulated(0.6), "overconfident": simulated(1.6)}
if "PREDTRACK_REFERENCE_DATA" in os.environ:
    FORECASTS |= published(Path(os.environ["PREDTRACK_REFERENCE_DATA"]) / "forecasts")


def outcomes_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as validated outcomes of the event `up`, one day ahead."""
    p, y = rows["prob"].to_numpy(), rows["outcome"].cast(pl.Float64).to_numpy()
    missing = dict.fromkeys(["crps", "crps_no_change"], pl.lit(None, pl.Float64))
    base = np.square(y.mean() - y)
    return rows.select(
        model_id=pl.lit("forecaster"),
        kind=pl.lit("direction"),
        event=pl.lit("up"),
        horizon=pl.lit(1, pl.Int64),
        symbol=pl.int_range(pl.len()).cast(pl.String),
        trading_day=pl.col("date").dt.offset_by("-1d"),
        due_day="date",
        status=pl.lit("validated"),
        confidence="prob",
        occurred=pl.col("outcome").cast(pl.Boolean),
        brier=pl.Series(scoring_rules.brier(p, y)),
        brier_no_change=pl.Series(base),
        brier_climatology=pl.Series(base),
        **missing,
    )


@pytest.fixture(params=sorted(FORECASTS))
def rows(request: pytest.FixtureRequest) -> pl.DataFrame:
    return FORECASTS[request.param]


def last_day(rows: pl.DataFrame) -> np.ndarray:
    return np.array([rows["date"].max()], "datetime64[D]")


def test_the_summary_agrees(rows: pl.DataFrame) -> None:
    outcomes = outcomes_of(rows)
    sums = sums_of(outcomes, due=0)
    (row,) = calibration_summary(outcomes, sums, last_day(rows), "to_date").to_dicts()
    p, y = outcomes["confidence"].to_numpy(), outcomes["occurred"].to_numpy()

    assert row["n"] == row["due"] == len(rows)
    assert row["brier"] == pytest.approx(brier_score_loss(y, p), abs=1e-12)
    base_rate = np.full(len(y), y.mean())
    skill = 1 - brier_score_loss(y, p) / brier_score_loss(y, base_rate)
    assert row["skill_vs_climatology"] == pytest.approx(skill, abs=1e-12)

    recalibrated = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit_transform(p, y)
    improved = brier_score_loss(y, recalibrated)
    assert row["miscalibration"] == pytest.approx(brier_score_loss(y, p) - improved, abs=1e-9)
    uncertainty = brier_score_loss(y, base_rate)
    assert row["discrimination"] == pytest.approx(uncertainty - improved, abs=1e-9)
    assert row["uncertainty"] == pytest.approx(uncertainty, abs=1e-12)


def test_the_buckets_agree(rows: pl.DataFrame) -> None:
    outcomes = outcomes_of(rows)
    buckets = calibration_metrics(sums_of(outcomes), last_day(rows), "to_date").sort("bucket_low")
    p, y = outcomes["confidence"].to_numpy(), outcomes["occurred"].to_numpy()
    # scikit-learn's bins are closed above, ours below; the difference is in values on an edge.
    inside = p + np.where(np.isin(p, np.arange(1, 10) / 10), 1e-9, 0.0)
    rate, said = calibration_curve(y, inside, n_bins=10)
    np.testing.assert_allclose(buckets["actual_accuracy"], rate, atol=1e-12)
    np.testing.assert_allclose(buckets["expected_accuracy"], said, atol=1e-8)


def test_the_log_score_agrees(rows: pl.DataFrame) -> None:
    inside = rows.filter(pl.col("prob").is_between(0.001, 0.999))
    p, y = inside["prob"].to_numpy(), inside["outcome"].cast(pl.Float64).to_numpy()
    assert scoring_rules.log_score(p, y).mean() == pytest.approx(log_loss(y, p), abs=1e-12)
