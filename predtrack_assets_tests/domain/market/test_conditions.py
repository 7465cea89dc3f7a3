"""The market's condition: from the past alone, against loops and hand-made markets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from predtrack_assets.domain.market.conditions import EQUAL_WEIGHT, LOOKBACK, market_conditions
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.market.returns import daily_returns
from predtrack_assets_tests.builders.panels import random_panel

PANEL = random_panel(5, 120, seed=9, gaps=0.02)
BENCHMARK, VIX = "S00", "S04"
STOCKS = {"S01", "S02", "S03"}
DAY = 100
MATRICES = ("high", "low", "close", "split", "dividend", "known_day")


EITHER = pytest.mark.parametrize("benchmark", [BENCHMARK, EQUAL_WEIGHT])


def conditions(
    panel: Panel, days: np.ndarray, vix: str = VIX, benchmark: str = BENCHMARK
) -> pl.DataFrame:
    return market_conditions(panel, benchmark, vix, STOCKS, days)


def with_close(panel: Panel, row: int, close: np.ndarray) -> Panel:
    """The panel with one symbol's closes replaced, without its actions."""
    closes, split = panel.close.copy(), panel.split.copy()
    closes[row], split[row] = close, 1.0
    return dataclasses.replace(panel, close=closes, split=split)


@EITHER
@pytest.mark.parametrize(
    "poison",
    [
        lambda v: v * np.nan,
        lambda v: v * 0 + 1e9,
        lambda v: v * 0 - 1e9,
        lambda v: v[::-1, ::-1],
    ],
    ids=["nan", "huge", "negative", "permuted"],
)
def test_the_future_changes_nothing(
    poison: Callable[[np.ndarray], np.ndarray], benchmark: str
) -> None:
    days = PANEL.sessions[DAY - 5 : DAY + 1]
    changed = {}
    for name in ("high", "low", "close", "split", "dividend"):
        changed[name] = getattr(PANEL, name).copy()
        changed[name][:, DAY + 1 :] = poison(changed[name][:, DAY + 1 :])
    poisoned = dataclasses.replace(PANEL, **changed)
    honest = conditions(PANEL, days, benchmark=benchmark)
    assert_frame_equal(conditions(poisoned, days, benchmark=benchmark), honest, check_exact=True)


@EITHER
def test_days_one_by_one_with_only_the_look_back_are_the_range(benchmark: str) -> None:
    whole = conditions(PANEL, PANEL.sessions[LOOKBACK:], benchmark=benchmark)
    single = []
    for day in range(LOOKBACK, 120):
        part = slice(day - LOOKBACK, day + 1)
        panel = dataclasses.replace(
            PANEL,
            sessions=PANEL.sessions[part],
            **{name: getattr(PANEL, name)[:, part] for name in MATRICES},
        )
        single.append(conditions(panel, PANEL.sessions[day : day + 1], benchmark=benchmark))
    present = [frame for frame in single if not frame.is_empty()]
    assert_frame_equal(pl.concat(present), whole, check_exact=True)


def test_numbers_against_loops() -> None:
    def adjusted(row: int, t: int, basis: int) -> float:
        return PANEL.close[row, t] / np.prod(PANEL.split[row, t + 1 : basis + 1])

    def distance(row: int, t: int) -> float:
        closes = [adjusted(row, k, t) for k in range(t - 49, t + 1)]
        closes = [c for c in closes if np.isfinite(c)]
        return PANEL.close[row, t] / np.mean(closes) - 1

    for t in (80, 95, 119):
        frame = conditions(PANEL, PANEL.sessions[t : t + 1])
        if np.isnan(PANEL.close[0, t]):
            assert frame.is_empty()
            continue
        row = frame.row(0, named=True)
        assert row["distance_to_ma50"] == pytest.approx(distance(0, t))
        week = math.log(PANEL.close[0, t] / adjusted(0, t - 5, t))
        assert row["weekly_return"] == pytest.approx(week) or np.isnan(week)
        stocks = [distance(i, t) for i in (1, 2, 3)]
        stocks = [d for d in stocks if np.isfinite(d)]
        assert row["symbols_counted"] == len(stocks)
        assert row["market_breadth"] == pytest.approx(np.mean([d > 0 for d in stocks]))


def trend(daily: float) -> np.ndarray:
    return 100 * np.exp(daily * np.arange(120))


@pytest.mark.parametrize(
    ("daily", "vix", "regime", "category"),
    [
        (0.002, 12.0, "bull", "low"),
        (-0.002, 20.0, "bear", "moderate"),
        (0.0001, 15.0, "sideways", "moderate"),
        (0.002, 30.0, "volatile", "high"),
        (-0.002, 35.0, "volatile", "extreme"),
        (0.002, 29.9, "bull", "high"),
    ],
)
def test_regimes_and_volatility_levels(
    daily: float, vix: float, regime: str, category: str
) -> None:
    panel = with_close(with_close(PANEL, 0, trend(daily)), 4, np.full(120, vix))
    row = conditions(panel, panel.sessions[DAY : DAY + 1]).row(0, named=True)
    assert (row["market_regime"], row["vix_category"]) == (regime, category)
    assert (row["vix_level"], row["vix_source"]) == (vix, "implied")
    assert row["daily_return"] == pytest.approx(daily)


def test_without_an_index_of_volatility_it_is_the_realised_one_and_says_so() -> None:
    random = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, 120)))
    panel = with_close(PANEL, 0, close)
    row = conditions(panel, panel.sessions[DAY : DAY + 1], vix="NONE").row(0, named=True)
    realised = np.diff(np.log(close))[DAY - 21 : DAY].std(ddof=1)
    assert row["vix_level"] == pytest.approx(100 * math.sqrt(252) * realised)
    assert row["vix_source"] == "realised"


def test_with_too_little_history_there_is_a_row_that_claims_nothing() -> None:
    panel = with_close(PANEL, 0, trend(0.01))
    row = conditions(panel, panel.sessions[:1], vix="NONE").row(0, named=True)
    unknown = ["daily_return", "weekly_return", "distance_to_ma50", "vix_level"]
    unknown += ["vix_category", "vix_source", "market_breadth"]
    assert [row[name] for name in unknown] == [None] * len(unknown)
    assert (row["market_regime"], row["symbols_counted"]) == ("sideways", 0)


def test_without_the_benchmark_there_is_no_market() -> None:
    assert market_conditions(PANEL, "NONE", VIX, STOCKS, PANEL.sessions).is_empty()


def test_without_a_benchmark_the_market_is_the_mean_of_its_stocks() -> None:
    """The index, built from the start as anybody would, has the same returns and distances."""
    stocks = np.isin(PANEL.symbols, sorted(STOCKS))
    growth = np.expm1(daily_returns(PANEL)[stocks])
    level = np.cumprod(np.r_[1.0, 1 + np.nanmean(growth[:, 1:], axis=0)])
    found = conditions(PANEL, PANEL.sessions[LOOKBACK:], benchmark=EQUAL_WEIGHT)
    assert found["benchmark"].unique().to_list() == [EQUAL_WEIGHT]
    assert len(found) == 120 - LOOKBACK
    days = np.arange(LOOKBACK, 120)
    expected = {
        "daily_return": np.log(level[days] / level[days - 1]),
        "weekly_return": np.log(level[days] / level[days - 5]),
        "distance_to_ma50": [level[t] / level[t - 49 : t + 1].mean() - 1 for t in days],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].to_numpy(), values, rtol=0, atol=1e-12)


def test_without_stocks_there_is_no_market() -> None:
    nothing = market_conditions(PANEL, EQUAL_WEIGHT, VIX, set(), PANEL.sessions)
    assert nothing.is_empty()
