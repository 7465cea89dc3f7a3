"""The scoreboard: the numbers of a report to date, the same for a day alone and among others."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.domain.accuracy.calibration_report import event_rates
from predtrack_assets.domain.accuracy.performance import performance_analytics
from predtrack_assets.domain.accuracy.scoreboard import SCHEMA, scoreboard
from predtrack_assets.domain.models.kinds import PROPER_SCORES
from predtrack_assets_tests.domain.accuracy.test_performance import ROWS
from predtrack_assets_tests.domain.accuracy.test_report_windows import DAYS, sums_of

KEY = ["as_of_day", "model_id", "kind", "horizon"]
SUMS = sums_of(ROWS)
BOARD = scoreboard(SUMS, DAYS[::7])


def test_scoreboard_skill_and_interval_are_those_of_the_report_to_date() -> None:
    report = performance_analytics(SUMS, DAYS[::7], "to_date").filter(
        pl.col("kind").replace_strict(PROPER_SCORES) == pl.col("score")
    )
    compared = 0
    for baseline in ("no_change", "climatology", "drift"):
        name = f"skill_vs_{baseline}"
        other = report.filter(pl.col("baseline") == baseline).rename({"period_end": "as_of_day"})
        both = BOARD.filter(pl.col(name).is_not_null()).join(other, on=KEY, suffix="_report")
        scale = both["mean_score_baseline"]
        assert both[name].to_numpy() == pytest.approx(both["skill"].to_numpy(), abs=1e-9)
        for end in ("low", "high"):
            expected = (both[f"difference_{end}"] / scale).to_list()
            found = both[f"{name}_{end}"].to_list()
            assert [f is None for f in found] == [e is None for e in expected]
            known = [(f, e) for f, e in zip(found, expected, strict=True) if e is not None]
            assert [f for f, _ in known] == pytest.approx([e for _, e in known], abs=1e-6)
        if baseline == "no_change":
            assert both["n"].to_list() == both["n_report"].to_list()
            assert both["n_eff"].to_list() == pytest.approx(
                both["n_eff_report"].to_list(), rel=1e-5
            )
        compared += len(both)
    assert compared > 100


def test_scoreboard_rates_are_those_of_the_report_to_date() -> None:
    rates = event_rates(SUMS, DAYS[::7], "to_date").rename({"period_end": "as_of_day"})
    rates = rates.filter(pl.col("n") > 0)
    both = BOARD.filter(pl.col("event").is_not_null()).join(rates, on=KEY, suffix="_report")
    assert len(both) > 50
    for name in ("event_rate", "mean_confidence", "accuracy_rate", "ece"):
        assert both[name].to_list() == pytest.approx(both[f"{name}_report"].to_list(), abs=1e-9)
    assert both["due"].to_list() == both["due_report"].to_list()


def test_a_day_alone_is_the_same_bits_as_among_others() -> None:
    days = DAYS[::7][::4]
    alone = pl.concat([scoreboard(SUMS, days[i : i + 1]) for i in range(len(days))])
    among = BOARD.filter(pl.col("as_of_day").is_in(days.tolist()))
    assert_frame_equal(among, alone.sort(KEY), check_exact=True)


def test_a_scoreboard_does_not_know_what_fell_due_later() -> None:
    day = DAYS[40:41]
    until = SUMS.filter(pl.col("due_day") <= pl.lit(day[0]))
    assert_frame_equal(scoreboard(SUMS, day), scoreboard(until, day), check_exact=True)


def test_no_change_has_no_skill_against_itself_and_kinds_without_event_no_calibration() -> None:
    own = BOARD.filter(pl.col("model_id") == "no_change")
    assert set(own["skill_vs_no_change"].drop_nulls()) <= {0.0}
    without = BOARD.filter(pl.col("kind") == "volatility")
    assert without["calibration_quality"].null_count() == len(without) > 0


def test_an_empty_record_gives_an_empty_scoreboard() -> None:
    assert scoreboard(SUMS[:0], DAYS).schema == SCHEMA


def test_live_counts_validated_rows_of_that_origin() -> None:
    some = SUMS.with_columns(
        origin=pl.when(pl.col("due_day") > pl.lit(DAYS[50]))
        .then(pl.lit("live"))
        .otherwise("origin")
    )
    board = scoreboard(some, np.array([DAYS[49], DAYS[70]]))
    first, last = board.partition_by("as_of_day")
    assert first["live"].sum() == 0
    assert 0 < last["live"].sum() < last["validated"].sum()
