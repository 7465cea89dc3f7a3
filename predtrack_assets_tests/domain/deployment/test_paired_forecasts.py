"""What no_change predicts follows from the rows of any other model."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.deployment.paired_forecasts import (
    no_change_forecasts,
    paired_differences,
)
from predtrack_assets.domain.models import baselines
from predtrack_assets.domain.models.as_of_statistics import EmpiricalCounts
from predtrack_assets.domain.models.forecast import (
    QUANTILE_LEVELS,
    QUANTILE_NAMES,
    Cells,
    normal_quantiles,
)
from predtrack_assets.domain.statistics.scoring_rules import crps_from_quantiles

N = 200


def forecasts(kind: str, horizon: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of no_change as that model makes them, and of another model of the same cells."""
    random = np.random.default_rng(horizon)
    sigma, ones = random.uniform(0.001, 0.2, N), np.ones(N)
    none = np.zeros(N, np.int64)
    counts = EmpiricalCounts(none, np.zeros((N, 1), np.int64), *[none] * 6)
    cells = Cells(horizon, 50 * ones, sigma, 0 * ones, counts, counts)
    still = baselines.no_change(cells)
    median = random.normal(0, 0.01, N)
    realised = random.normal(0, sigma)
    up = realised > 0
    days = [date(2020, 1, 1 + n % 20) for n in range(N)]

    def rows(quantiles: np.ndarray, p_up: np.ndarray) -> pl.DataFrame:
        own = crps_from_quantiles(quantiles, QUANTILE_LEVELS, realised)
        beside = crps_from_quantiles(still.quantiles, QUANTILE_LEVELS, realised)
        if kind == "direction":
            own, beside = (p_up - up) ** 2, (0.5 - up) ** 2
        return pl.DataFrame(
            {
                "symbol": [f"S{n}" for n in range(N)],
                "trading_day": days,
                "resolved_day": days,
                "horizon": [horizon] * N,
                "sigma": sigma,
                "confidence": p_up,
                "loss": own,
                "loss_no_change": beside,
                **{name: quantiles[:, k] for k, name in enumerate(QUANTILE_NAMES)},
            }
        )

    other = normal_quantiles(median, sigma * np.sqrt(horizon) * random.uniform(0.5, 2, N))
    return rows(still.quantiles, still.p_up), rows(other, random.uniform(0, 1, N))


@pytest.mark.parametrize("horizon", [1, 5, 21])
@pytest.mark.parametrize("kind", ["price", "direction"])
def test_no_change_is_told_by_the_rows_of_another_model(kind: str, horizon: int) -> None:
    still, other = forecasts(kind, horizon)
    told = no_change_forecasts(other)
    assert told.select(still.columns).equals(still)
    assert paired_differences(told, other, kind).equals(paired_differences(still, other, kind))
