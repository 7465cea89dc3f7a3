"""The consistency band holds what a calibrated forecaster shows, on the effective sample size."""

from __future__ import annotations

import numpy as np
import pytest

from predtrack_assets.domain.accuracy.reliability import Reliability, reliability
from predtrack_assets.domain.statistics.calibration import bucket_table


def reliability_of(p: np.ndarray, y: np.ndarray, n_eff: float, seed: int = 0) -> Reliability:
    """From forecasts, by way of their buckets."""
    buckets = bucket_table(p, y)
    confidence = np.nan_to_num(buckets.mean_confidence) * buckets.rows
    return reliability(buckets.rows, buckets.hits, confidence, n_eff, seed)


def test_the_band_holds_nine_in_ten_rates_of_calibrated_forecasts() -> None:
    rng = np.random.default_rng(1)
    inside = []
    for seed in range(60):
        p = rng.beta(2, 2, 400)
        found = reliability_of(p, rng.random(400) < p, 400, seed)
        inside += ((found.rate >= found.low) & (found.rate <= found.high))[found.rows > 20].tolist()
    assert 0.86 < np.mean(inside) < 0.96


def test_dependent_rows_widen_the_band() -> None:
    p = np.random.default_rng(2).random(2000)
    y = p > 0.5
    many, few = reliability_of(p, y, 2000), reliability_of(p, y, 100)
    assert ((few.high - few.low) > 2 * (many.high - many.low)).all()


def test_rates_are_those_of_the_buckets_and_the_draws_are_seeded() -> None:
    p = np.array([0.05, 0.95, 0.95, 1.0])
    y = np.array([0, 1, 0, 1])
    found, again = (reliability_of(p, y, 4) for _ in range(2))
    buckets = bucket_table(p, y)
    assert found.rate.tolist() == buckets.hit_rate[buckets.rows > 0].tolist()
    assert found.rows.tolist() == [1, 3]
    np.testing.assert_array_equal(found.low, again.low)
    with pytest.raises(ValueError, match="no rows"):
        reliability([0], [0], [0.0], 1)
