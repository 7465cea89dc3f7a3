"""The accuracy tables: the same bits for a range and day by day, and right against brute force."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.domain.accuracy.calibration_report import (
    calibration_metrics,
    calibration_summary,
)
from predtrack_assets.domain.accuracy.day_sums import KEYS, OUTCOME_COLUMNS, day_sums
from predtrack_assets.domain.accuracy.error_distribution import error_distribution, error_statistics
from predtrack_assets.domain.accuracy.report_windows import (
    CELL,
    IDENTITY,
    Windows,
    period_named,
    windows,
)
from predtrack_assets.domain.accuracy.symbol_accuracy import symbol_accuracy
from predtrack_assets.domain.forecasts.hits import correct_call
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.statistics import calibration as statistics_calibration
from predtrack_assets.domain.statistics import effective_size, scoring_rules

SCORED = ["brier", "brier_no_change", "brier_climatology", "crps", "crps_no_change"]
CORP = ("miscalibration", "discrimination", "uncertainty")
KINDS = [
    ("price", "within_5pct"),
    ("price", "within_band"),
    ("direction", "up"),
    ("time_to_hit", "hit"),
]
SESSIONS = np.busday_offset("2020-01-01", np.arange(120), roll="forward")


def make_outcomes(seed: int = 0, decisions: int = 80, symbols: int = 4) -> pl.DataFrame:
    """Outcomes of a no-change model and of another, every kind, horizons 1, 5 and 21."""
    rng = np.random.default_rng(seed)
    frames = []
    for model in ("no_change", "other"):
        for kind, event in KINDS:
            for horizon in (1, 5, 21):
                size = decisions * symbols
                day = np.repeat(np.arange(decisions), symbols)
                wait = rng.integers(1, horizon + 1, size) if kind == "time_to_hit" else horizon
                p = np.full(size, 0.95) if model == "no_change" else rng.beta(3, 3, size)
                y = rng.random(size) < 0.7
                baseline = np.square(0.95 - y)
                error = np.random.default_rng(horizon).standard_t(4, size) / 50
                price = np.where(kind == "price", 1.0, np.nan)
                gone, median = np.random.default_rng(horizon + 100).normal(0, 0.02, (2, size))
                frames.append(
                    pl.DataFrame(
                        {
                            "model_id": np.full(size, model),
                            "kind": np.full(size, kind),
                            "event": np.full(size, event),
                            "horizon": np.full(size, horizon),
                            "symbol": np.char.add("S", (np.arange(size) % symbols).astype(str)),
                            "trading_day": SESSIONS[day],
                            "due_day": SESSIONS[day + wait],
                            "status": np.where(rng.random(size) < 0.05, "expired", "validated"),
                            "confidence": p,
                            "occurred": y,
                            "brier": np.square(p - y),
                            "brier_no_change": baseline,
                            "brier_climatology": np.where(day < 5, np.nan, np.square(0.6 - y)),
                            "crps": np.abs(error) * price,
                            "crps_no_change": np.abs(error) * price * (1 + (model == "other")),
                            "relative_error": error * price,
                            "error_magnitude": np.abs(error) * price,
                            "actual_return": gone,
                            "sigma": np.full(size, 0.01),
                            "q50": median * price,
                        }
                    )
                )
    measured = [*SCORED, "occurred", "relative_error", "error_magnitude"]
    known = pl.when(pl.col("status") == "validated")
    return (
        pl.concat(frames)
        .with_columns(pl.selectors.float().fill_nan(None))
        .with_columns([known.then(pl.col(name)) for name in measured])
    )


BULL = pl.lit("bull")


def sums_of(outcomes: pl.DataFrame, due: int | None = 1, regime: pl.Expr = BULL) -> pl.DataFrame:
    """Sums of the outcomes: what fell due is every one, and `due` a day that have none yet."""
    rows = outcomes.with_columns(market_regime=regime, origin=pl.lit("replay"))
    absent = [name for name in (*OUTCOME_COLUMNS, *IDENTITY) if name not in rows.columns]
    rows = rows.with_columns(pl.lit(None).alias(name) for name in absent)
    if due is None:
        return day_sums(rows)
    fallen = rows.group_by(*KEYS, "due_day").agg(n=pl.len().cast(pl.Int64) + due)
    return day_sums(rows, fallen)


def summary_of(rows: pl.DataFrame, days: Days, period: str) -> pl.DataFrame:
    return calibration_summary(rows, sums_of(rows), days, period)


def metrics_of(rows: pl.DataFrame, days: Days, period: str) -> pl.DataFrame:
    return calibration_metrics(sums_of(rows), days, period)


OUTCOMES = make_outcomes()
DAYS = SESSIONS[:110]
Builder = Callable[[pl.DataFrame, Days, str], pl.DataFrame]
BUILDERS: dict[str, Builder] = {
    "calibration_metrics": metrics_of,
    "calibration_summary": summary_of,
    "symbol_accuracy": symbol_accuracy,
    "error_distribution": error_distribution,
}
each_builder = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS.keys())


def month_ends() -> Days:
    months = DAYS.astype("datetime64[M]")
    return DAYS[np.flatnonzero(np.diff(months, append=months[-1] + 1))]


def assert_same_bits(left: pl.DataFrame, right: pl.DataFrame) -> None:
    keys = [name for name in [*CELL, "symbol", "period_end", "bucket_low"] if name in left.columns]
    assert len(left) > 0
    assert_frame_equal(left.sort(keys), right.sort(keys), check_exact=True)


@each_builder
def test_a_range_is_its_days_one_by_one(build: Builder) -> None:
    whole = build(OUTCOMES, DAYS, "rolling_30d")
    alone = [build(OUTCOMES, DAYS[i : i + 1], "rolling_30d") for i in range(len(DAYS))]
    assert_same_bits(whole, pl.concat(alone))


@each_builder
def test_a_day_needs_no_more_than_its_window(build: Builder) -> None:
    day = DAYS[60]
    window = OUTCOMES.filter(pl.col("due_day").is_between(day - np.timedelta64(29, "D"), day))
    whole = build(OUTCOMES, DAYS, "rolling_30d")
    chosen = whole.filter(pl.col("period_end") == pl.lit(day))
    assert_same_bits(chosen, build(window, DAYS[60:61], "rolling_30d"))


@each_builder
def test_months_one_by_one(build: Builder) -> None:
    ends = month_ends()
    whole = build(OUTCOMES, ends, "monthly")
    assert whole["period"].unique().to_list() == ["monthly"]
    assert whole["period_start"].dt.day().unique().to_list() == [1]
    assert_same_bits(
        whole, pl.concat([build(OUTCOMES, ends[i : i + 1], "monthly") for i in range(len(ends))])
    )


@each_builder
def test_the_order_of_rows_changes_nothing(build: Builder) -> None:
    shuffled = OUTCOMES.sample(fraction=1, shuffle=True, seed=4)
    assert_same_bits(build(OUTCOMES, DAYS, "rolling_30d"), build(shuffled, DAYS, "rolling_30d"))


@each_builder
def test_chunks_change_nothing(build: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = build(OUTCOMES, DAYS, "rolling_30d")
    monkeypatch.setattr("predtrack_assets.domain.accuracy.report_windows.CHUNK", 2000)
    assert_same_bits(whole, build(OUTCOMES, DAYS, "rolling_30d"))


def test_sums_are_the_same_bits_for_a_day_alone_and_in_any_order() -> None:
    keys = [*KEYS, "due_day"]
    whole = sums_of(OUTCOMES).sort(keys)
    alone = [sums_of(part) for part in OUTCOMES.partition_by("due_day")]
    assert_frame_equal(whole, pl.concat(alone).sort(keys), check_exact=True)
    shuffled = sums_of(OUTCOMES.sample(fraction=1, shuffle=True, seed=5))
    assert_frame_equal(whole, shuffled.sort(keys), check_exact=True)
    assert len(whole) < len(OUTCOMES)


@each_builder
def test_nothing_in_nothing_out(build: Builder) -> None:
    columns = build(OUTCOMES, DAYS, "rolling_30d").schema
    assert build(OUTCOMES[:0], DAYS, "rolling_30d").schema == columns
    assert build(OUTCOMES, DAYS[:0], "rolling_30d").schema == columns
    assert len(build(OUTCOMES, np.array(["2030-01-02"], "datetime64[D]"), "rolling_30d")) == 0


@each_builder
def test_keys_are_unique_and_numbers_finite(build: Builder) -> None:
    result = build(OUTCOMES, DAYS, "rolling_30d")
    keys = [c for c in [*CELL, "symbol", "period", "period_end", "bucket_low"] if c in result]
    assert not result.select(keys).is_duplicated().any()
    assert all(result.select(pl.selectors.float().is_finite().fill_null(True).all()).row(0))


@each_builder
def test_an_unknown_period_is_refused(build: Builder) -> None:
    with pytest.raises(ValueError, match="fortnight"):
        build(OUTCOMES, DAYS, "fortnight")


def test_windows_are_closed_at_both_ends() -> None:
    end = np.array(["2020-03-31"], "datetime64[D]")
    assert period_named("daily").starts(end) == end
    assert period_named("weekly").starts(end) == np.datetime64("2020-03-30")
    sunday = np.array(["2020-03-29", "1969-12-28"], "datetime64[D]")
    assert period_named("weekly").starts(sunday).astype(str).tolist() == [
        "2020-03-23",
        "1969-12-22",
    ]
    assert period_named("rolling_30d").starts(end) == np.datetime64("2020-03-02")
    assert period_named("monthly").starts(end) == np.datetime64("2020-03-01")
    days = np.array(["2020-03-01", "2020-03-02", "2020-03-31", "2020-04-01"], "datetime64[D]")
    rows = pl.DataFrame({"key": ["a"] * 4, "due_day": days, "value": [1.0, 10.0, 100.0, 1000.0]})
    view: Windows = windows(rows, ["key"], end, "rolling_30d")
    total = view.sums([view.per_date(view.rows["value"].to_numpy())])
    assert total.tolist() == [[110.0]]


def window_of(**keys: object) -> pl.DataFrame:
    day = keys.pop("period_end")
    start = np.datetime64(day) - np.timedelta64(29, "D")
    return OUTCOMES.filter(
        [pl.col(name) == value for name, value in keys.items()],
        pl.col("due_day").is_between(start, day),
    )


def per_due_day(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    days = rows.group_by("due_day").agg(n=pl.len(), hits=pl.col("occurred").sum()).sort("due_day")
    return days["hits"].to_numpy(), days["n"].to_numpy()


def test_a_summary_is_what_one_window_gives_by_brute_force() -> None:
    summary = summary_of(OUTCOMES, DAYS, "rolling_30d")
    for row in summary.sample(40, seed=1).to_dicts():
        whole = window_of(**{k: row[k] for k in [*CELL, "period_end"]})
        rows = whole.filter(pl.col("status") == "validated")
        due = len(whole) + whole["due_day"].n_unique()  # one a day has no outcome yet
        assert (row["n"], row["expired"]) == (len(rows), len(whole) - len(rows))
        assert (row["due"], row["coverage"]) == (due, pytest.approx(len(rows) / due))
        if rows.is_empty():
            assert row["event_rate"] is None
            assert row["accuracy_rate"] is None
            continue
        p, y = rows["confidence"].to_numpy(), rows["occurred"].to_numpy()
        n_eff = effective_size.effective_sample_size(*per_due_day(rows), row["horizon"])
        residuals = rows.with_columns(residual=y - p).group_by("due_day")
        daily = residuals.agg(sum=pl.col("residual").sum(), n=pl.len()).sort("due_day")
        squares = float(np.square(y - p).sum())
        worth = effective_size.effective_sample_size(
            daily["sum"], daily["n"], row["horizon"], squares
        )
        rms, upper = statistics_calibration.rms_calibration_error(p, y, worth)
        low, high = effective_size.wilson(y.mean(), n_eff)
        called = rows.with_columns(
            occurred=pl.Series(y if row["kind"] == "price" else y == (p >= 0.5))
        )
        right = called["occurred"].mean()
        calls_eff = effective_size.effective_sample_size(*per_due_day(called), row["horizon"])
        call_low, call_high = effective_size.wilson(right, calls_eff)
        expected = {
            "n_eff": n_eff,
            "event_rate": y.mean(),
            "event_low": low,
            "event_high": high,
            "accuracy_rate": right,
            "accuracy_low": call_low,
            "accuracy_high": call_high,
            "mean_confidence": p.mean(),
            "ece": statistics_calibration.ece(p, y),
            "ece_equal_mass": statistics_calibration.equal_mass_ece(p, y, worth),
            "squared_calibration_error": statistics_calibration.debiased_squared_error(p, y, worth),
            **dict(zip(CORP, statistics_calibration.corp(p, y), strict=True)),
            "rms_calibration_error": rms,
            "rms_calibration_upper": upper,
            "brier": scoring_rules.brier(p, y).mean(),
        }
        assert {k: row[k] for k in expected} == pytest.approx(expected, rel=1e-9, abs=1e-9)
        both = rows.filter(pl.col("brier_climatology").is_not_null())
        if len(both):
            skill = scoring_rules.skill(both["brier"].mean(), both["brier_climatology"].mean())
            assert row["skill_vs_climatology"] == pytest.approx(float(skill))
        assert row["calibration_quality"] == statistics_calibration.calibration_quality(
            worth, upper
        )


def test_the_accuracy_of_all_symbols_is_that_of_each_symbol_added_up() -> None:
    summary = summary_of(OUTCOMES, DAYS, "rolling_30d").filter(pl.col("n") > 0)
    symbols = symbol_accuracy(OUTCOMES, DAYS, "rolling_30d")
    keys = [*CELL, "period_end"]
    both = summary.join(
        symbols.group_by(keys).agg(right=pl.col("accurate_predictions").sum()), on=keys
    )
    assert len(both) == len(summary)
    assert both["accuracy_rate"].to_list() == pytest.approx((both["right"] / both["n"]).to_list())
    apart = both.filter(pl.col("accuracy_rate") != pl.col("event_rate"))
    assert set(apart["kind"]) == {"direction", "time_to_hit"}


def test_calibration_is_tested_where_a_period_ends_and_the_record_is_long_enough() -> None:
    rng = np.random.default_rng(5)
    rows = pl.concat(make_outcomes(seed, symbols=8) for seed in range(6)).filter(
        pl.col("horizon") == 1, pl.col("kind") == "direction"
    )
    rows = rows.with_columns(symbol=pl.Series(np.arange(len(rows))).cast(pl.String))
    other = rows.filter(pl.col("model_id") == "other")
    occurred = pl.Series("occurred", rng.random(len(other)) < other["confidence"].to_numpy())
    honest = other.with_columns(occurred, model_id=pl.lit("honest"))
    rows = pl.concat([rows, honest])
    ends = month_ends()
    monthly = summary_of(rows, ends, "monthly")
    tested = monthly.filter(pl.col("consistency_p_value").is_not_null())
    assert tested["n_eff"].min() >= 100
    assert len(tested) == monthly.filter(pl.col("n_eff") >= 100).height >= 6
    p_value = dict(tested.group_by("model_id").agg(pl.col("consistency_p_value").min()).iter_rows())
    assert p_value["other"] == 0.001
    assert p_value["honest"] > 0.01
    again = summary_of(rows, ends[2:3], "monthly")
    assert_same_bits(monthly.filter(pl.col("period_end") == pl.lit(ends[2])), again)
    rolling = summary_of(rows, ends, "rolling_30d")
    assert rolling["consistency_p_value"].null_count() == len(rolling)


def test_buckets_are_what_one_window_gives_by_brute_force() -> None:
    metrics = metrics_of(OUTCOMES, DAYS, "rolling_30d")
    for row in metrics.sample(40, seed=2).to_dicts():
        rows = window_of(**{k: row[k] for k in [*CELL, "period_end"]})
        rows = rows.filter(pl.col("status") == "validated")
        found = statistics_calibration.bucket_table(rows["confidence"], rows["occurred"])
        b = row["bucket_low"] // 10
        n_eff = effective_size.effective_sample_size(*per_due_day(rows), row["horizon"])
        share = n_eff * found.rows[b] / len(rows)
        low, high = effective_size.wilson(found.hit_rate[b], share)
        assert row["confidence_bucket"] == f"{10 * b}-{10 * b + 10}"
        assert (row["prediction_count"], row["accurate_count"]) == (found.rows[b], found.hits[b])
        expected = {
            "expected_accuracy": found.mean_confidence[b],
            "actual_accuracy": found.hit_rate[b],
            "calibration_error": found.error[b],
            "actual_low": low,
            "actual_high": high,
        }
        assert {k: row[k] for k in expected} == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_bucket_rows_add_up_to_the_summary() -> None:
    metrics = metrics_of(OUTCOMES, DAYS, "rolling_30d")
    keys = [*CELL, "period_end"]
    error = pl.col("prediction_count") * pl.col("calibration_error")
    count = pl.col("prediction_count")
    added = metrics.group_by(keys).agg(rows=count.sum(), error=error.sum() / count.sum())
    summary = summary_of(OUTCOMES, DAYS, "rolling_30d").filter(pl.col("n") > 0)
    both = summary.join(added, on=keys, validate="1:1", how="left")
    assert both["n"].to_list() == both["rows"].to_list()
    np.testing.assert_allclose(both["ece"], both["error"])


def test_errors_are_what_one_window_gives_by_brute_force() -> None:
    result = error_distribution(OUTCOMES, DAYS, "rolling_30d")
    for row in result.sample(30, seed=3).to_dicts():
        keys = {k: row[k] for k in ("model_id", "kind", "horizon", "period_end")}
        rows = window_of(**keys).select("symbol", "trading_day", "relative_error").drop_nulls()
        expected = error_statistics(rows.unique()["relative_error"])
        found = {k: np.nan if row[k] is None else row[k] for k in expected}
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


def assert_recommendations(row: dict, rows: pl.DataFrame, worth: float) -> None:
    """BUY, SELL and HOLD of one window, one prediction at a time."""
    spread = 0.01 * row["horizon"] ** 0.5
    given: dict[str, list[bool]] = {"buy": [], "sell": [], "hold": []}
    for p, median, gone in rows.select("confidence", "q50", "actual_return").iter_rows():
        expected = NormalDist(0, spread).inv_cdf(p) if row["kind"] == "direction" else median
        if row["kind"] == "time_to_hit":
            continue
        if abs(expected) <= 0.5 * spread + 0.001:
            given["hold"].append(abs(gone) <= 0.5 * spread)
        elif expected > 0:
            given["buy"].append(gone - 0.001 > 0.5 * spread)
        else:
            given["sell"].append(gone + 0.001 < -0.5 * spread)
    for side, right in given.items():
        none = None if row["kind"] == "time_to_hit" else 0
        assert row[f"{side}_count"] == (len(right) or none)
        assert row[f"{side}_right"] == (sum(right) if right else none)
        low, high = (
            effective_size.wilson(np.mean(right), worth * len(right)) if right else (None, None)
        )
        found = [row[f"{side}_{name}"] for name in ("accuracy", "low", "high")]
        assert found == (
            [pytest.approx(x) for x in (np.mean(right), low, high)] if right else [None] * 3
        )


def test_symbols_are_what_one_window_gives_by_brute_force() -> None:
    result = symbol_accuracy(OUTCOMES, DAYS, "rolling_30d")
    for row in result.sample(40, seed=3).to_dicts():
        rows = window_of(**{k: row[k] for k in ["symbol", *CELL, "period_end"]})
        rows = rows.filter(pl.col("status") == "validated").with_columns(occurred=correct_call())
        n_eff = effective_size.effective_sample_size(*per_due_day(rows), row["horizon"])
        assert row["total_predictions"] == len(rows)
        assert row["accurate_predictions"] == rows["occurred"].sum()
        assert row["n_eff"] == pytest.approx(n_eff)
        assert_recommendations(row, rows, n_eff / len(rows))
        assert row["avg_confidence"] == pytest.approx(rows["confidence"].mean())
        error = rows["error_magnitude"].mean()
        assert row["avg_error_magnitude"] == (error if error is None else pytest.approx(error))


def test_no_change_has_no_skill_against_itself() -> None:
    summary = summary_of(OUTCOMES, DAYS, "rolling_30d")
    own = summary.filter(pl.col("model_id") == "no_change", pl.col("n") > 0)
    assert own["skill_vs_no_change"].unique().to_list() == [0.0]
    assert own["crps_skill"].drop_nulls().unique().to_list() == [0.0]
    other = summary.filter(pl.col("model_id") == "other")
    assert (other["skill_vs_no_change"].drop_nulls() != 0).all()


def test_expired_rows_are_counted_and_never_scored() -> None:
    expired = OUTCOMES.filter(pl.col("status") == "expired")
    summary = summary_of(expired, DAYS, "rolling_30d")
    assert summary["n"].unique().to_list() == [0]
    assert summary["expired"].min() > 0
    assert summary["calibration_quality"].unique().to_list() == ["insufficient_data"]
    assert summary["brier"].null_count() == len(summary)
    assert summary["coverage"].unique().to_list() == [0.0]
    assert metrics_of(expired, DAYS, "rolling_30d").is_empty()
    assert symbol_accuracy(expired, DAYS, "rolling_30d").is_empty()
    assert error_distribution(expired, DAYS, "rolling_30d").is_empty()


def test_without_what_fell_due_coverage_is_unknown() -> None:
    summary = calibration_summary(OUTCOMES, sums_of(OUTCOMES, due=None), DAYS, "rolling_30d")
    assert summary["coverage"].null_count() == len(summary) > 0


@pytest.mark.parametrize(
    "broken",
    [
        {"occurred": pl.lit(None, pl.Boolean)},
        {"confidence": pl.lit(None, pl.Float64)},
        {"confidence": pl.lit(1.7)},
        {"confidence": pl.lit(float("nan"))},
    ],
)
def test_a_validated_row_without_outcome_or_probability_is_refused(broken: dict) -> None:
    with pytest.raises(ValueError, match="validated rows"):
        metrics_of(OUTCOMES.with_columns(**broken), DAYS, "rolling_30d")
