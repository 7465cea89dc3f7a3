"""What following a model earned: by hand, the same alone and among others, intervals that cover."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.domain.trading.strategy_performance import (
    sharpe_interval,
    strategy_performance,
)

FIRST = date(2020, 1, 6)


def pnl(profits: list[float], market: list[float], capital: float = 2.0) -> pl.DataFrame:
    """One cell's daily P&L in tranches of `capital`."""
    days = [FIRST + timedelta(days=i) for i in range(len(profits))]
    return pl.DataFrame(
        {
            "model_id": "m", "kind": "price", "horizon": 5, "trading_day": days,
            "profit": [p * capital for p in profits], "market": [m * capital for m in market],
            "capital_deployed": capital, "gross_exposure": capital / 2, "net_exposure": -capital / 2,
        }
    )  # fmt: skip


def test_returns_and_drawdowns_by_hand() -> None:
    rows = pnl([0.1, -0.5, 0.2], [0.0, 0.1, 0.1])
    days = np.array([FIRST + timedelta(days=i) for i in (-1, 1, 9)], "datetime64[D]")
    found = strategy_performance(rows, days)
    assert found["as_of_day"].to_list() == days[1:].tolist(), "nothing before the first session"
    assert found["sessions"].to_list() == [2, 3]
    assert found["strategy_return"].to_list() == pytest.approx([-0.45, -0.34])
    assert found["strategy_drawdown"].to_list() == pytest.approx([0.5, 0.5])
    assert found["hold_return"].to_list() == pytest.approx([0.1, 0.21])
    assert found["hold_drawdown"].to_list() == [0.0, 0.0]
    assert found["gross_exposure"].to_list() == [0.5, 0.5]
    assert found["sharpe_low"].null_count() == 2, "three sessions bound nothing"


def test_what_never_traded_has_no_sharpe_ratio() -> None:
    found = strategy_performance(pnl([0.0] * 80, [0.01] * 80), np.array(["2021-01-01"], "M8[D]"))
    assert found["strategy_return"].item() == 0
    assert found["sharpe_ratio"].item() is None


def test_a_day_alone_is_the_same_bits_as_among_others() -> None:
    rng = np.random.default_rng(0)
    rows = pnl(rng.normal(0, 0.01, 300).tolist(), rng.normal(0, 0.01, 300).tolist())
    days = rows["trading_day"].to_numpy()[::50]
    together = strategy_performance(rows, days)
    alone = [strategy_performance(rows, days[i : i + 1]) for i in range(len(days))]
    assert_frame_equal(together, pl.concat(alone), check_exact=True)


def test_sharpe_intervals_cover_the_true_ratio() -> None:
    """Independent returns of Sharpe 1 a year, 5 years: 95 % of intervals hold it."""
    rng = np.random.default_rng(1)
    mean = 0.01 / np.sqrt(252)
    inside = 0
    for _ in range(300):
        _, low, high = sharpe_interval(rng.normal(mean, 0.01, 1260), np.array([1260]))
        inside += bool(low[0] <= 1.0 <= high[0])
    assert 0.92 <= inside / 300 <= 0.985
