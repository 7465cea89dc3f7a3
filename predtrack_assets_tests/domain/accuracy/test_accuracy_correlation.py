"""Accuracy by market regime: oracles, the false-positive rate of the test, and the usual invariants."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats

from predtrack_assets.domain.accuracy.accuracy_correlation import (
    MIN_CLUSTERS,
    REGIMES,
    accuracy_correlation,
    overlap_factor,
)
from predtrack_assets.domain.accuracy.report_windows import CELL
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.statistics.effective_size import effective_sample_size, wilson
from predtrack_assets_tests.domain.accuracy.test_report_windows import sums_of

SESSIONS = np.busday_offset("2020-01-01", np.arange(300), roll="forward")
YEAR_END = SESSIONS[251:252]


def correlation_of(calls: pl.DataFrame, report_days: Days, period: str) -> pl.DataFrame:
    """The report on calls, by way of their sums per due day."""
    regime = pl.col("market_regime")
    sums = sums_of(calls.with_columns(symbol=pl.lit("A"), trading_day="due_day"), regime=regime)
    return accuracy_correlation(sums, report_days, period)


def make_calls(
    accurate: np.ndarray, regime: np.ndarray, horizon: int = 1, **columns: object
) -> pl.DataFrame:
    """Calls of (models, dates, symbols), made in regimes (models, dates): places in REGIMES."""
    model, date, _ = (index.ravel() for index in np.indices(accurate.shape))
    return pl.DataFrame({
        "model_id": model.astype(str), "kind": "price", "event": "within_5pct",
        "horizon": pl.Series(np.full(model.size, horizon), dtype=pl.Int16),
        "due_day": SESSIONS[date], "status": "validated", "confidence": 0.7,
        "occurred": accurate.ravel(),
        "market_regime": np.array(REGIMES)[regime[model, date]], **columns,
    })  # fmt: skip


def spells(rng: np.random.Generator, models: int, dates: int, stay: float) -> np.ndarray:
    """Regimes (models, dates) that stay with a probability, else are drawn anew."""
    drawn = rng.integers(0, len(REGIMES), (models, dates))
    new = rng.random((models, dates)) > stay
    new[:, 0] = True
    last = np.maximum.accumulate(np.where(new, np.arange(dates), 0), axis=1)
    return np.take_along_axis(drawn, last, axis=1)


def random_calls(horizon: int, models: int = 2, seed: int = 3) -> pl.DataFrame:
    """Calls whose quality depends on the regime and on the day, 0 to 6 of them a day."""
    rng = np.random.default_rng(seed)
    regime = spells(rng, models, 252, 0.9)
    rate = np.array([0.7, 0.5, 0.6, 0.4])[regime] + rng.normal(0, 0.1, regime.shape)
    calls = make_calls(rng.random((models, 252, 6)) < rate[:, :, None], regime, horizon)
    return calls.filter(pl.Series(rng.random(len(calls)) < 0.8))


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_contrast_is_a_regression_with_clustered_errors(horizon: int) -> None:
    import statsmodels.api as sm

    calls = random_calls(horizon)
    table = correlation_of(calls, YEAR_END, "rolling_365d")
    assert len(table) == 8
    for row in table.to_dicts():
        rows = calls.filter(model_id=row["model_id"]).sort("due_day")
        y = rows["occurred"].cast(pl.Float64).to_numpy()
        inside = (rows["market_regime"] == row["market_regime"]).to_numpy()
        date = rows["due_day"].rank("dense").to_numpy().astype(int) - 1
        cluster = date // (1 if horizon == 1 else 2 * horizon)
        fit = sm.OLS(y, sm.add_constant(inside * 1.0)).fit(
            cov_type="cluster", cov_kwds={"groups": cluster}
        )
        error = fit.bse[1] * overlap_factor(horizon) ** 0.5
        degrees = min(np.unique(cluster[inside]).size, np.unique(cluster[~inside]).size) - 1
        expected = {
            "sample_size": inside.sum(),
            "baseline_sample_size": (~inside).sum(),
            "dates": np.unique(date[inside]).size,
            "baseline_dates": np.unique(date[~inside]).size,
            "accuracy_rate": y[inside].mean(),
            "baseline_accuracy": y[~inside].mean(),
            "outperformance": fit.params[1],
            "correlation_coefficient": stats.pointbiserialr(inside, y).statistic,
        }
        tested = {
            "standard_error": error,
            "t_statistic": fit.params[1] / error,
            "degrees_of_freedom": degrees,
            "p_value": 2 * stats.t.sf(abs(fit.params[1] / error), degrees),
        }
        if degrees + 1 < MIN_CLUSTERS:
            assert row["conclusion"] == "insufficient_data"
            assert all(row[name] is None for name in tested)
        else:
            expected |= tested
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-9)
    assert table["p_value"].drop_nulls().len() > 3


def test_what_clusters_cut_off_is_put_back() -> None:
    """Against the variance of the sum of 4,000 dates whose outcomes overlap, and that of its parts."""
    assert overlap_factor(1) == 1
    for horizon in (2, 5, 21):
        lag = np.abs(np.subtract.outer(np.arange(4000), np.arange(4000)))
        covariance = np.maximum(1 - lag / horizon, 0)
        same = np.equal.outer(*[np.arange(4000) // (2 * horizon)] * 2)
        expected = covariance.sum() / covariance[same].sum()
        assert overlap_factor(horizon) == pytest.approx(expected, rel=0.01)


def test_a_rate_has_its_interval_on_the_dates_of_its_regime() -> None:
    calls = random_calls(1)
    for row in correlation_of(calls, YEAR_END, "rolling_365d").to_dicts():
        rows = calls.filter(model_id=row["model_id"], market_regime=row["market_regime"])
        days = rows.group_by("due_day").agg(pl.len(), pl.col("occurred").sum()).sort("due_day")
        n_eff = effective_sample_size(days["occurred"], days["len"], 1)
        assert row["n_eff"] == pytest.approx(n_eff)
        interval = tuple(map(float, wilson(row["accuracy_rate"], n_eff)))
        assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx(interval)


@pytest.mark.parametrize("horizon", [1, 5])
def test_where_the_regime_means_nothing_few_tests_say_otherwise(horizon: int) -> None:
    """8 symbols that move together, results of `horizon` sessions that overlap, long regimes.

    A test that took rows for independent would call most of these differences real.
    """
    rng = np.random.default_rng(11)
    models, dates, symbols = 250, 252, 8
    shocks = rng.normal(0, 1, (models, dates + horizon, symbols))
    shocks += rng.normal(0, 1, (models, dates + horizon, 1))
    sums = np.cumsum(shocks, axis=1)
    moved = sums[:, horizon:] - sums[:, :-horizon]
    calls = make_calls(moved > 0, spells(rng, models, dates, 0.97), horizon)
    table = correlation_of(calls, YEAR_END, "rolling_365d")
    p_value = table["p_value"].drop_nulls().to_numpy()
    assert p_value.size > 100
    assert 0.01 <= (p_value < 0.05).mean() <= 0.07
    counted = table.filter(pl.col("p_value").is_not_null())
    variance = counted["accuracy_rate"] * (1 - counted["accuracy_rate"])
    naive = (variance / counted["sample_size"] + variance / counted["baseline_sample_size"]).sqrt()
    assert ((counted["outperformance"] / naive).abs() > 1.96).mean() > 0.3


def test_a_regime_that_matters_is_found() -> None:
    rng = np.random.default_rng(5)
    regime = np.arange(252)[None, :] // 21 % 4
    rate = np.where(regime == 3, 0.3, 0.6)[:, :, None]
    table = correlation_of(
        make_calls(rng.random((1, 252, 10)) < rate, regime), YEAR_END, "rolling_365d"
    )
    found = dict(table.select("market_regime", "conclusion").iter_rows())
    assert found["volatile"] == "worse"
    assert table.filter(market_regime="volatile")["correlation_coefficient"][0] < -0.1
    assert found["bull"] == "better", "the others hold the bad regime"


def test_few_dates_are_not_tested() -> None:
    rng = np.random.default_rng(6)
    for bear_dates, tested in ((MIN_CLUSTERS - 1, False), (MIN_CLUSTERS, True)):
        regime = (np.arange(60)[None, :] < bear_dates) * 1
        calls = make_calls(rng.random((1, 60, 5)) < 0.5, regime)
        table = correlation_of(calls, SESSIONS[59:60], "rolling_365d")
        assert (table["p_value"].null_count() == 0) == tested
        assert ("insufficient_data" in table["conclusion"]) != tested
        assert table["accuracy_low"].null_count() == 0, "the rate is shown all the same"


def test_one_regime_alone_has_nothing_to_be_compared_with() -> None:
    calls = make_calls(np.arange(60).reshape(1, 60, 1) % 2 == 0, np.zeros((1, 60), int))
    (row,) = correlation_of(calls, SESSIONS[59:60], "rolling_365d").to_dicts()
    assert (row["sample_size"], row["baseline_sample_size"], row["baseline_dates"]) == (60, 0, 0)
    names = ("baseline_accuracy", "outperformance", "correlation_coefficient", "p_value")
    assert [row[name] for name in names] == [None] * 4
    assert row["conclusion"] == "insufficient_data"


def test_always_right_is_not_correlated_with_anything() -> None:
    calls = make_calls(np.ones((1, 60, 2), bool), np.arange(60)[None, :] % 2)
    table = correlation_of(calls, SESSIONS[59:60], "rolling_365d")
    assert table["outperformance"].to_list() == [0.0, 0.0]
    assert table["correlation_coefficient"].to_list() == [None, None]
    assert table["conclusion"].to_list() == ["insufficient_data"] * 2


def test_an_improbable_event_that_stays_away_was_called() -> None:
    calls = make_calls(np.zeros((1, 60, 1), bool), np.zeros((1, 60), int))
    touch = calls.with_columns(kind=pl.lit("time_to_hit"), confidence=0.1)
    for rows, rate in ((calls, 0.0), (touch, 1.0)):
        table = correlation_of(rows, SESSIONS[59:60], "rolling_365d")
        assert table["accuracy_rate"].to_list() == [rate]


MIXED = pl.concat([random_calls(1), random_calls(5, seed=4)])
DAYS = SESSIONS[20:252:7]


@pytest.mark.parametrize("period", ["monthly", "rolling_365d"])
def test_a_range_is_its_days_one_by_one_in_any_order_of_rows(
    period: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [*CELL, "market_regime", "period_end"]
    whole = correlation_of(MIXED, DAYS, period)
    alone = [correlation_of(MIXED, DAYS[i : i + 1], period) for i in range(len(DAYS))]
    assert_frame_equal(whole, pl.concat(alone).sort(keys), check_exact=True)
    shuffled = MIXED.sample(fraction=1, shuffle=True, seed=8)
    assert_frame_equal(whole, correlation_of(shuffled, DAYS, period), check_exact=True)
    monkeypatch.setattr("predtrack_assets.domain.accuracy.report_windows.CHUNK", 2000)
    assert_frame_equal(whole, correlation_of(MIXED, DAYS, period), check_exact=True)
    assert not whole.select(keys).is_duplicated().any()


def test_nothing_in_nothing_out() -> None:
    columns = correlation_of(MIXED, DAYS, "monthly").schema
    for calls, days in ((MIXED[:0], DAYS), (MIXED, DAYS[:0])):
        empty = correlation_of(calls, days, "monthly")
        assert (len(empty), empty.schema) == (0, columns)
    expired = MIXED.with_columns(status=pl.lit("expired"), occurred=pl.lit(None, pl.Boolean))
    assert correlation_of(expired, DAYS, "monthly").is_empty()
    with pytest.raises(ValueError, match="fortnight"):
        correlation_of(MIXED, DAYS, "fortnight")
    with pytest.raises(ValueError, match="validated rows"):
        correlation_of(MIXED.with_columns(confidence=1.7), DAYS, "monthly")
