"""Skill by market regime: on the year before each report day, equal to a plain computation."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.domain.accuracy.day_sums import SCHEMA, UNKNOWN_REGIME
from predtrack_assets.domain.accuracy.regime_performance import CELL, performance_by_regime
from predtrack_assets.domain.statistics.effective_size import effective_sample_size

DAYS = np.arange("2020-01-01", "2021-12-31", dtype="datetime64[D]")
DAYS = DAYS[np.is_busday(DAYS)]
REPORTS = np.array(["2020-01-03", "2020-06-30", "2021-06-30", "2021-12-30"], "datetime64[D]")
ROWS = 3  # per day


def losses(horizon: int = 5) -> pl.DataFrame:
    """Sums per due day of ROWS rows each, a regime of their own for most days."""
    random = np.random.default_rng(1)
    own, base = random.gamma(2, 1, (2, len(DAYS), ROWS))
    regime = np.where(np.arange(len(DAYS)) % 100 < 60, "bull", "bear")
    frame = pl.DataFrame(
        {
            "due_day": DAYS,
            "regime": regime,
            "n": np.full(len(DAYS), float(ROWS)),
            "loss": own.sum(axis=1),
            "baseline": base.sum(axis=1),
            "gain": (base - own).sum(axis=1),
            "squares": np.square(base - own).sum(axis=1),
        }
    )
    cell = {"model_id": "m-v1", "evaluation": "holdout", "kind": "price"}
    frame = frame.with_columns(pl.lit(v).alias(k) for k, v in cell.items())
    unknown = pl.when(pl.col("due_day") != pl.col("due_day").min()).then("regime")
    return frame.with_columns(unknown.alias("regime"), horizon=pl.lit(horizon, pl.Int16))


def scores_of(rows: pl.DataFrame, report_days: np.ndarray) -> pl.DataFrame:
    """The report, of losses put into sums."""
    names = {"n": "n", "loss": "loss", "baseline": "loss_baseline", "squares": "squares"}
    sums = rows.select(
        *("model_id", "kind", "horizon", "due_day"),
        pl.lit("within_5pct").alias("event"),
        pl.lit("replay").alias("origin"),
        pl.col("regime").fill_null(UNKNOWN_REGIME).alias("market_regime"),
        *(pl.col(c).alias(f"crps_no_change_{new}") for c, new in names.items()),
    )
    absent = [c for c in SCHEMA if c not in sums.columns]
    sums = sums.with_columns(pl.lit(None).alias(c) for c in absent).select(*SCHEMA).cast(SCHEMA)
    return performance_by_regime(sums, report_days)


def test_numbers_follow_from_the_rows_of_the_year() -> None:
    made = scores_of(losses(), REPORTS)
    for row in made.iter_rows(named=True):
        end = np.datetime64(row["evaluated_through"])
        inside = losses().filter(pl.col("due_day").is_between(end - 364, end))
        if row["regime"] != "all":
            inside = inside.filter(regime=row["regime"])
        total = inside.select(pl.col("n", "loss", "baseline", "gain", "squares").sum()).row(0)
        n, loss, baseline, _, squares = total
        assert row["n"] == n
        assert row["mean_score"] == pytest.approx(loss / n)
        assert row["mean_score_baseline"] == pytest.approx(baseline / n)
        assert row["skill"] == pytest.approx(1 - loss / baseline)
        n_eff = effective_sample_size(inside["gain"], inside["n"], 5, squares)
        assert row["n_eff"] == pytest.approx(n_eff)
        if row["skill_low"] is not None:
            assert row["skill_low"] < row["skill"] < row["skill_high"]
    assert set(made["score"]) == {"crps"}
    assert set(made["baseline"]) == {"no_change"}


def test_regimes_part_the_days_and_a_day_without_one_is_in_all_alone() -> None:
    made = scores_of(losses(), REPORTS[1:2])
    counts = dict(made.select("regime", "n").iter_rows())
    assert counts["bull"] + counts["bear"] == counts["all"] - ROWS


def test_too_few_days_have_no_interval() -> None:
    made = scores_of(losses(), REPORTS)
    bounded = made.filter(regime="all").select(
        "evaluated_through", pl.col("skill_low").is_not_null()
    )
    assert [known for _, known in bounded.iter_rows()] == [False, True, True, True], "3 days of 5"


def test_reports_together_are_reports_one_by_one_to_the_last_bit() -> None:
    together = scores_of(losses(), REPORTS)
    alone = [scores_of(losses().sample(fraction=1, shuffle=True, seed=i), REPORTS[i : i + 1])
             for i in range(len(REPORTS))]  # fmt: skip
    key = ["evaluated_through", *CELL]
    assert_frame_equal(pl.concat(alone).sort(key), together.sort(key), check_exact=True)


def test_nothing_due_is_no_row() -> None:
    assert scores_of(losses()[:0], REPORTS).is_empty()
    early = np.array(["2019-06-28"], "datetime64[D]")
    assert scores_of(losses(), early).is_empty()
