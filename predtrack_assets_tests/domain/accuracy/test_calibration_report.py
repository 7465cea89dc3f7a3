"""Calibration measures reproduce published values and know a good forecaster from a bad one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.accuracy.calibration_report import calibration_summary
from predtrack_assets.domain.statistics import scoring_rules
from predtrack_assets.domain.statistics.calibration import (
    bucket_table,
    calibration_curve,
    calibration_quality,
    consistency_test,
    corp,
    debiased_squared_error,
    ece,
    equal_mass_ece,
    mce,
    platt,
    rms_calibration_error,
    rmsce,
)
from predtrack_assets_tests.domain.accuracy.test_report_windows import sums_of

forecasts = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=80)


@pytest.mark.parametrize(("measure", "expected"), [(ece, 0.29), (rmsce, 0.2918), (mce, 0.3167)])
def test_errors_as_in_the_torchmetrics_doctest(measure, expected: float) -> None:
    p, y = [0.25, 0.25, 0.55, 0.75, 0.75], [0, 0, 1, 1, 1]
    assert measure(p, y, 2) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("y", "p", "buckets", "strategy", "rate", "confidence"),
    [  # scikit-learn: the docstring of calibration_curve, and its test_calibration.py
        (
            [0, 0, 0, 0, 1, 1, 1, 1, 1],
            [0.1, 0.2, 0.3, 0.4, 0.65, 0.7, 0.8, 0.9, 1.0],
            3, "uniform", [0.0, 0.5, 1.0], [0.2, 0.525, 0.85],
        ),
        ([0, 0, 0, 1, 1, 1], [0.0, 0.1, 0.2, 0.8, 0.9, 1.0], 2, "uniform", [0, 1], [0.1, 0.9]),
        ([0, 0, 0, 0, 1, 1], [0.0, 0.1, 0.2, 0.5, 0.9, 1.0], 2, "quantile", [0, 2 / 3], [0.1, 0.8]),
    ],
)  # fmt: skip
def test_calibration_curve(y, p, buckets, strategy, rate, confidence) -> None:
    got = calibration_curve(p, y, buckets, strategy)
    np.testing.assert_allclose(got, [rate, confidence])


def test_platt_as_in_scikit_learn_from_libsvm() -> None:
    fitted = platt([5, -4, 1.0], [1, -1, -1])
    assert fitted == pytest.approx((-0.20261354391187855, 0.6523631498001051), abs=1e-5)


def test_confidence_one_belongs_to_the_last_bucket_and_0_3_to_30_40() -> None:
    table = bucket_table([1.0, 0.3, 0.0, 0.7, 0.6], [1, 0, 0, 1, 1])
    assert table.rows.tolist() == [1, 0, 0, 1, 0, 0, 1, 1, 0, 1]
    assert table.high[-1] == 1.0


@given(st.integers(2, 50), st.lists(st.floats(0, 1), max_size=20))
def test_an_edge_and_its_neighbours_fall_where_they_belong(
    buckets: int, others: list[float]
) -> None:
    edges = np.arange(buckets + 1) / buckets
    p = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, 1)[:-1], others])
    expected = np.minimum(np.searchsorted(edges, p, side="right") - 1, buckets - 1)
    found = bucket_table(p, np.ones(p.size), buckets)
    np.testing.assert_array_equal(found.rows, np.bincount(expected, minlength=buckets))
    np.testing.assert_array_equal(found.hits, found.rows)


def test_the_error_is_from_the_mean_confidence_not_the_midpoint() -> None:
    table = bucket_table([0.8] * 10, [1] * 8 + [0] * 2)
    assert table.error[8] == pytest.approx(0)
    assert ece([0.8] * 10, [1] * 8 + [0] * 2) == pytest.approx(0)


@pytest.mark.parametrize(("n", "expected"), [(50, 0.121), (100, 0.087), (300, 0.050)])
def test_a_perfect_forecaster_has_an_ece_but_no_debiased_error(n: int, expected: float) -> None:
    rng = np.random.default_rng(n)
    plain, debiased = [], []
    for _ in range(600):
        p = rng.uniform(0.3, 0.9, n)
        y = rng.random(n) < p
        plain.append(ece(p, y))
        debiased.append(debiased_squared_error(p, y))
    assert np.mean(plain) == pytest.approx(expected, abs=0.012)
    assert abs(np.mean(debiased)) < 3.5 * np.std(debiased) / np.sqrt(600) + 1e-3


def test_debiased_error_by_hand() -> None:
    """20 rows are 2 buckets of 10: gaps 0.1 and 0.3."""
    p, y = [0.2] * 10 + [0.9] * 10, [1] * 3 + [0] * 7 + [1] * 6 + [0] * 4
    expected = (0.1**2 - 0.3 * 0.7 / 9 + 0.3**2 - 0.6 * 0.4 / 9) / 2
    assert debiased_squared_error(p, y) == pytest.approx(expected)


def test_equal_mass_buckets_keep_ties_together_whatever_the_order() -> None:
    rng = np.random.default_rng(2)
    p, y = np.round(rng.uniform(size=500), 1), rng.integers(0, 2, 500)
    order = rng.permutation(500)
    assert debiased_squared_error(p, y) == debiased_squared_error(p[order], y[order])
    constant = debiased_squared_error([0.4] * 50, [1, 0] * 25)
    assert constant == pytest.approx(0.1**2 - 0.25 / 49)


@pytest.mark.parametrize("true_rate", [lambda p: p - 0.05, lambda p: 0.5 + 0.6 * (p - 0.5)])
def test_the_upper_bound_covers(true_rate) -> None:
    rng = np.random.default_rng(7)
    everywhere = rng.uniform(0.1, 0.9, 100_000)
    theta = np.sqrt(np.mean(np.square(true_rate(everywhere) - everywhere)))
    covered = []
    for _ in range(300):
        p = rng.uniform(0.1, 0.9, 800)
        covered.append(rms_calibration_error(p, rng.random(800) < true_rate(p))[1] >= theta)
    assert np.mean(covered) >= 0.86


def test_fewer_effective_rows_widen_the_bound() -> None:
    rng = np.random.default_rng(9)
    p = rng.uniform(size=2000)
    y = rng.random(2000) < p
    bounds = [rms_calibration_error(p, y, n_eff)[1] for n_eff in (2000, 500, 100, 20, 1)]
    assert bounds == sorted(bounds)
    assert bounds[0] < 0.05 < 0.1 < bounds[2]


def test_quality_needs_rows_and_judges_the_upper_bound() -> None:
    got = calibration_quality([99, 100, 100, 100, 0], [0.01, 0.049, 0.05, 0.1, np.nan])
    assert got.tolist() == ["insufficient_data", "good", "moderate", "poor", "insufficient_data"]


@given(forecasts)
def test_measures_are_bounded_and_ordered(rows: list[tuple[float, int]]) -> None:
    p, y = map(np.array, zip(*rows, strict=True))
    assert 0 <= ece(p, y) <= rmsce(p, y) + 1e-12 <= mce(p, y) + 2e-12 <= 1 + 3e-12
    rms, upper = rms_calibration_error(p, y)
    assert 0 <= rms <= upper + 1e-12 <= 1 + 1e-9 or rms > 1 - 1e-9


@given(forecasts)
def test_corp_adds_up_to_the_brier_score(rows: list[tuple[float, int]]) -> None:
    p, y = map(np.array, zip(*rows, strict=True))
    parts = corp(p, y)
    total = parts[0] - parts[1] + parts[2]
    assert total == pytest.approx(scoring_rules.brier(p, y).mean(), abs=1e-12)
    assert min(parts) >= -1e-12


def test_corp_of_a_constant_forecast() -> None:
    parts = corp([0.4] * 4, [1, 0, 1, 0])
    assert parts == pytest.approx((0.01, 0.0, 0.25))


def test_equal_mass_ece_by_hand() -> None:
    p, y = [0.2] * 10 + [0.9] * 10, [1] * 3 + [0] * 7 + [1] * 6 + [0] * 4
    assert equal_mass_ece(p, y) == pytest.approx((0.1 + 0.3) / 2)
    assert equal_mass_ece(p, y, n_eff=10) == pytest.approx(0.55 - 0.45)


@given(forecasts)
def test_forecasts_one_rounding_apart_are_two(rows: list[tuple[float, int]]) -> None:
    """Recalibrated by scikit-learn, by rank, which takes no two forecasts for one."""
    from sklearn.isotonic import IsotonicRegression

    p, y = map(np.array, zip(*rows, strict=True))
    rank = np.unique(p, return_inverse=True)[1]
    recalibrated = IsotonicRegression().fit_transform(rank, y)
    miscalibration, discrimination, uncertainty = corp(p, y)
    best = scoring_rules.brier(recalibrated, y).mean()
    assert miscalibration == pytest.approx(scoring_rules.brier(p, y).mean() - best, abs=1e-12)
    assert discrimination == pytest.approx(uncertainty - best, abs=1e-12)


def test_consistency_resampling_tells_calibrated_from_not() -> None:
    rng = np.random.default_rng(5)
    p = rng.uniform(size=400)
    y = rng.random(400) < p
    assert consistency_test(p, y, reps=99) > 0.05
    shifted = np.clip(p + 0.2, 0, 1)
    assert consistency_test(shifted, y, reps=99) == 0.01
    assert consistency_test(shifted, y, n_eff=8, reps=99) > 0.05, "8 rows are no evidence"
    assert consistency_test(p, y, seed=3) == consistency_test(p, y, seed=3)


def test_on_dependent_rows_the_test_holds_its_level_only_with_their_effective_number() -> None:
    """20 rows share each outcome, and so are worth one: 80 sets of 40 x 20."""
    rng = np.random.default_rng(11)
    naive, honest = [], []
    for seed in range(80):
        p = np.repeat(rng.uniform(0.2, 0.8, 40), 20)
        y = np.repeat(rng.random(40), 20) < p
        naive.append(consistency_test(p, y, seed=seed, reps=99) <= 0.1)
        honest.append(consistency_test(p, y, n_eff=40, seed=seed, reps=99) <= 0.1)
    assert np.mean(naive) > 0.8
    assert np.mean(honest) < 0.2


@pytest.mark.parametrize(
    ("p", "y"), [([], []), ([0.5], [1, 0]), ([1.1], [1]), ([np.nan], [1]), ([0.5], [2])]
)
def test_what_is_no_forecast_is_refused(p: list[float], y: list[int]) -> None:
    with pytest.raises(ValueError, match="p "):
        ece(p, y)


def days_that_differ(model: str, seed: int, error: float = 0.0) -> pl.DataFrame:
    """A month of 20 forecasts a day that are right about what makes the days differ; y moves with
    them, y - p does not. error: what is added to the truth."""
    random = np.random.default_rng(seed)
    days = np.arange("2024-01-01", "2024-01-22", dtype="datetime64[D]")
    truth = np.repeat(random.choice([0.1, 0.8], days.size), 20)
    said = truth + error
    y = random.random(truth.size) < truth
    return pl.DataFrame(
        {
            "model_id": model,
            "kind": "direction",
            "event": "up",
            "horizon": 1,
            "due_day": np.repeat(days, 20),
            "trading_day": np.repeat(days, 20),
            "symbol": [f"S{i:02}" for i in range(20)] * days.size,
            "status": "validated",
            "confidence": said,
            "occurred": y,
            "brier": np.square(said - y),
        }
    ).with_columns(
        pl.lit(None, pl.Float64).alias(name)
        for name in ("brier_no_change", "brier_climatology", "crps", "crps_no_change")
    )


def test_calibration_is_judged_on_the_effective_size_of_its_residuals() -> None:
    calibrated = [days_that_differ(f"m{i:02}", i) for i in range(40)]
    rows = pl.concat([*calibrated, days_that_differ("wrong", 99, error=0.14)])
    end = np.array(["2024-01-31"], "datetime64[D]")
    found = calibration_summary(rows, sums_of(rows), end, "monthly")
    assert (found["n_eff"] < 100).all(), "of the event rate: the 20 rows of a day are like two"
    assert "insufficient_data" not in found["calibration_quality"].to_list()
    honest = found.filter(pl.col("model_id") != "wrong")
    assert 0 < (honest["consistency_p_value"] <= 0.2).mean() <= 0.4, "the level of the test"
    (wrong,) = found.filter(model_id="wrong").iter_rows(named=True)
    assert wrong["calibration_quality"] == "poor"
    assert wrong["consistency_p_value"] < 0.01
