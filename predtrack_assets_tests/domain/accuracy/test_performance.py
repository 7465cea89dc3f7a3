"""Performance beside the baselines: by brute force, the same bits for a range and day by day."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.domain.accuracy.day_sums import COMPARISONS, DRIFT
from predtrack_assets.domain.accuracy.performance import SERIES, performance_analytics
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.statistics.diebold_mariano import diebold_mariano
from predtrack_assets.domain.statistics.scoring_rules import log_score
from predtrack_assets_tests.domain.accuracy.test_report_windows import DAYS, make_outcomes, sums_of


def make_losses() -> pl.DataFrame:
    """The outcomes of test_windows, those of a drift model, and volatility predictions."""
    rows = make_outcomes().filter(pl.col("event") != "within_band")
    drift = make_outcomes(seed=8).filter(
        pl.col("event") != "within_band", pl.col("model_id") == "other"
    )
    rng = np.random.default_rng(9)
    volatility = rows.filter(pl.col("kind") == "direction").with_columns(
        pl.lit("volatility").alias("kind"),
        *(pl.lit(None, rows.schema[c]).alias(c) for c in ("event", "confidence", "occurred")),
        *(pl.lit(None, pl.Float64).alias(c) for c in rows.columns if c.startswith("brier")),
    )
    loss = pl.Series(rng.gamma(2, 1, len(volatility)))
    better = pl.when(pl.col("model_id") == "other").then(loss * 0.8).otherwise(loss)
    volatility = volatility.with_columns(qlike=better, qlike_no_change=loss)
    empty = [pl.lit(None, pl.Float64).alias(name) for name in ("qlike", "qlike_no_change")]
    others = pl.concat([rows, drift.with_columns(model_id=pl.lit(DRIFT))]).with_columns(empty)
    return pl.concat([others, volatility])


ROWS = make_losses()


def build(days: Days, period: str = "rolling_30d", rows: pl.DataFrame = ROWS) -> pl.DataFrame:
    return performance_analytics(sums_of(rows), days, period)


def test_a_range_is_its_days_one_by_one_in_any_order_of_rows() -> None:
    whole = build(DAYS)
    alone = [build(DAYS[i : i + 1]) for i in range(len(DAYS))]
    keys = [*SERIES, "period_end"]
    assert_frame_equal(whole.sort(keys), pl.concat(alone).sort(keys), check_exact=True)
    shuffled = ROWS.sample(fraction=1, shuffle=True, seed=4)
    assert_frame_equal(whole, build(DAYS, rows=shuffled), check_exact=True)
    assert not whole.select(keys).is_duplicated().any()
    assert all(whole.select(pl.selectors.float().is_finite().fill_null(True).all()).row(0))


def test_a_day_needs_no_more_than_its_window() -> None:
    day = DAYS[60]
    window = ROWS.filter(pl.col("due_day").is_between(day - np.timedelta64(29, "D"), day))
    whole = build(DAYS).filter(pl.col("period_end") == pl.lit(day))
    assert_frame_equal(whole, build(DAYS[60:61], rows=window), check_exact=True)


@pytest.mark.parametrize(
    ("period", "start"),
    [("rolling_30d", "2020-05-01"), ("quarterly", "2020-04-01"), ("yearly", "2020-01-01")],
)
def test_a_window_is_what_brute_force_gives(period: str, start: str) -> None:
    """Scores from what was said and what came, not from the stored columns."""
    end = np.array(["2020-05-30"], "datetime64[D]")
    result = build(end, period)
    assert set(result["period_start"].cast(pl.String)) == {start}
    rows = ROWS.filter(
        pl.col("status") == "validated", pl.col("due_day").is_between(np.datetime64(start), end[0])
    )
    identity = ["kind", "horizon", "symbol", "trading_day"]
    for row in result.sample(30, seed=1).to_dicts():
        own = rows.filter(pl.col(k) == row[k] for k in ("model_id", "kind", "horizon"))
        if row["baseline"] == DRIFT:
            drift = rows.filter(pl.col("model_id") == DRIFT)
            own = own.join(drift, on=identity, suffix="_drift")
        if row["score"] == "log_score":
            y = own["occurred"].cast(float).to_numpy()
            misses = np.sqrt(own[f"brier_{row['baseline']}"].to_numpy())
            a, b = log_score(own["confidence"], y), log_score(np.abs(y - misses), y)
        else:
            a, b = (
                own[name].cast(float).fill_null(np.nan).to_numpy()
                for name in COMPARISONS[row["score"], row["baseline"]]
            )
        own = own.with_columns(pl.Series("a", a), pl.Series("b", b)).with_columns(
            d=pl.col("b") - pl.col("a")
        )
        own = own.filter(pl.col("d").is_finite())
        per_date = own.group_by("due_day").agg(pl.col("d").mean()).sort("due_day")["d"]
        test = diebold_mariano(per_date, row["horizon"])
        expected = {
            "n": len(own),
            "dates": len(per_date),
            "mean_score": own["a"].mean(),
            "mean_score_baseline": own["b"].mean(),
            "skill": 1 - own["a"].mean() / own["b"].mean(),
            "mean_difference": own["d"].mean(),
            "dm_statistic": test.statistic,
            "dm_p_value": test.p_value,
        }
        found = {k: np.nan if row[k] is None else row[k] for k in expected}
        assert found == pytest.approx(expected, rel=1e-7, abs=1e-9, nan_ok=True), row
        if row["difference_low"] is not None:
            assert row["difference_low"] <= row["mean_difference"] <= row["difference_high"]


def test_what_is_compared_with_what() -> None:
    result = build(DAYS, "yearly")
    found = set(result.select("kind", "score", "baseline").unique().iter_rows())
    events = {
        (kind, score, baseline)
        for kind in ("price", "direction", "time_to_hit")
        for score in ("brier", "log_score")
        for baseline in ("no_change", "climatology")
    }
    assert found == events | {
        ("direction", "brier", DRIFT),
        ("direction", "log_score", DRIFT),
        ("price", "crps", "no_change"),
        ("price", "crps", DRIFT),
        ("volatility", "qlike", "no_change"),
    }


def test_a_baseline_has_no_skill_against_itself() -> None:
    result = build(DAYS, "yearly")
    own = result.filter(pl.col("model_id") == pl.col("baseline"))
    assert set(own["model_id"]) == {"no_change", DRIFT}
    for name in ("skill", "mean_difference"):
        assert own[name].unique().to_list() == [0.0]
    assert own["dm_p_value"].null_count() == len(own)


def test_a_planted_advantage_is_found_in_a_year_and_not_in_a_month() -> None:
    end = np.array(["2020-05-29"], "datetime64[D]")
    of = {"model_id": "other", "kind": "volatility"}
    year = build(end, "yearly").filter(**of)
    assert (year["skill"] - 0.2).abs().max() < 1e-9
    tested = dict(year.select("horizon", "dm_p_value").iter_rows())
    assert tested[1] < 0.001
    assert tested[21] is None, "80 dates are not twelve horizons"
    month = dict(build(end).filter(**of).select("horizon", "difference_low").iter_rows())
    assert month[21] is None


def test_nothing_in_nothing_out() -> None:
    schema = build(DAYS).schema
    assert build(DAYS, rows=ROWS[:0]).schema == schema
    assert build(DAYS[:0]).schema == schema
    expired = ROWS.filter(pl.col("status") == "expired")
    assert build(DAYS, rows=expired).is_empty()
    with pytest.raises(ValueError, match="fortnight"):
        build(DAYS, "fortnight")
