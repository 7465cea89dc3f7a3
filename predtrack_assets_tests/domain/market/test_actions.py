"""Inference against a series built from known actions, and adjustment there and back."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from predtrack_assets.domain.market.actions import (
    ACTIONS,
    adjust,
    daily_returns,
    decimals_of,
    empty_actions,
    infer_actions,
    split_factor,
    unadjust,
)

DAY0 = date(2020, 1, 1)


def _day(n: int) -> date:
    return DAY0 + timedelta(days=n)


def _actions(*rows: tuple[int, str, float], symbol: str = "A") -> pl.DataFrame:
    return pl.DataFrame(
        [(symbol, _day(n), kind, value, False) for n, kind, value in rows],
        schema=ACTIONS,
        orient="row",
    )


def _series(
    actions: dict[int, tuple[float, float]], *, size: int = 40, decimals: int = 6, seed: int = 1
) -> pl.DataFrame:
    """As-traded closes with a vendor's adj_close for {session: (split, dividend)}."""
    rng = np.random.default_rng(seed)
    close, factor, ratio = 100.0, 1.0, 1.0
    closes, factors = [], []
    for n in range(size):
        split, cash = actions.get(n, (1.0, 0.0))
        previous = close
        close = round((previous * np.exp(0.01 * rng.standard_normal()) - cash * split) / split, 2)
        factor *= split / (1 - cash * split / previous)
        closes.append(close)
        factors.append(factor)
    ratio = factors[-1]
    adjusted = [round(c * f / ratio, decimals) for c, f in zip(closes, factors, strict=True)]
    return pl.DataFrame(
        {
            "symbol": ["A"] * size,
            "trading_day": [_day(n) for n in range(size)],
            "close": closes,
            "adj_close": adjusted,
        }
    )


@pytest.mark.parametrize(
    "split", [2.0, 3.0, 1.5, 4.0, 7.0, 20.0, 1.25, 0.1, 1 / 15, 0.5, 120.0, 1 / 125, 1 / 1000]
)
def test_splits_are_found_with_their_ratio(split: float) -> None:
    found = infer_actions(_series({20: (split, 0.0)}), as_traded=True)
    assert found.select("symbol", "ex_date", "kind", "inferred").rows() == [
        ("A", _day(20), "split", True)
    ]
    assert found["value"][0] == pytest.approx(split, rel=1e-12)


@pytest.mark.parametrize("cash", [0.05, 0.5, 3.0, 12.0])
def test_dividends_are_found_in_cash(cash: float) -> None:
    found = infer_actions(_series({20: (1.0, cash)}), as_traded=True)
    assert found.select("ex_date", "kind").rows() == [(_day(20), "dividend")]
    assert found["value"][0] == pytest.approx(cash, abs=2e-4)


def test_split_and_dividend_on_one_day() -> None:
    found = infer_actions(_series({20: (2.0, 0.4)}), as_traded=True)
    assert found.select("kind").to_series().to_list() == ["dividend", "split"]
    assert found["value"].to_list() == [pytest.approx(0.4, abs=1e-3), 2.0]


def test_a_step_that_the_next_one_takes_back_is_no_dividend() -> None:
    """One day's adj_close was written as the close."""
    closes = [10.0, 10.2, 10.1, 10.3, 10.2]
    ratio = [0.95, 0.95, 1.0, 0.95, 0.95]
    bars = pl.DataFrame(
        {
            "symbol": ["A"] * 5,
            "trading_day": [_day(n) for n in range(5)],
            "close": closes,
            "adj_close": [round(c * r, 6) for c, r in zip(closes, ratio, strict=True)],
        }
    )
    assert infer_actions(bars, as_traded=True).is_empty()
    real = bars.with_columns(adj_close=pl.Series([9.5, 9.69, 10.1, 10.3, 10.2]))
    assert infer_actions(real, as_traded=True)["kind"].to_list() == ["dividend"]


def test_known_splits_are_not_inferred_again() -> None:
    bars = _series({10: (2.0, 0.0), 20: (1.0, 0.3)})
    found = infer_actions(bars, as_traded=True, splits=_actions((10, "split", 2.0)))
    assert found.select("ex_date", "kind").rows() == [(_day(20), "dividend")]


@pytest.mark.parametrize("decimals", [2, 3, 4, 6])
@pytest.mark.parametrize("seed", range(5))
def test_rounding_alone_is_no_action(decimals: int, seed: int) -> None:
    bars = _series({}, size=400, decimals=decimals, seed=seed)
    # A constant factor, as after some later dividend, makes every adjusted close a rounded one.
    bars = bars.with_columns(adj_close=(pl.col("close") * 0.0731).round(decimals))
    assert infer_actions(bars, as_traded=True).is_empty()


def test_large_step_without_a_price_move_is_no_action() -> None:
    bars = _series({}).with_columns(
        adj_close=pl.when(pl.col("trading_day") < _day(20))
        .then(pl.col("close") / 2)
        .otherwise("close")
    )
    assert infer_actions(bars, as_traded=True).is_empty()


def test_price_move_without_a_step_is_no_action() -> None:
    bars = _series({20: (2.0, 0.0)}).with_columns(adj_close=pl.col("close"))
    assert infer_actions(bars, as_traded=True).is_empty()


def test_nothing_is_inferred_over_more_than_thirty_days() -> None:
    bars = _series({20: (2.0, 0.0)}).with_columns(
        trading_day=pl.when(pl.col("trading_day") >= _day(20))
        .then(pl.col("trading_day").dt.offset_by("40d"))
        .otherwise("trading_day")
    )
    assert infer_actions(bars, as_traded=True).is_empty()


def test_unusable_rows_are_ignored() -> None:
    bars = _series({20: (2.0, 0.0)}).with_columns(
        close=pl.when(pl.col("trading_day") == _day(5)).then(float("nan")).otherwise("close"),
        adj_close=pl.when(pl.col("trading_day") == _day(7)).then(None).otherwise("adj_close"),
    )
    assert infer_actions(bars, as_traded=True)["ex_date"].to_list() == [_day(20)]


def test_decimals() -> None:
    assert decimals_of(pl.Series([1.0, 2.25, None, float("nan")])) == 2
    assert decimals_of(pl.Series([3.0])) == 0
    assert decimals_of(pl.Series([1 / 3])) == 9


def test_returns_see_through_splits_and_dividends() -> None:
    bars = pl.DataFrame(
        {
            "symbol": ["A"] * 3 + ["B"],
            "trading_day": [_day(0), _day(1), _day(4), _day(0)],
            "close": [100.0, 51.0, 50.0, 7.0],
        }
    )
    # 2:1 on day 1; on the closed day 3 a dividend of 1, credited to the next bar.
    actions = _actions((1, "split", 2.0), (3, "dividend", 1.0))
    returns = daily_returns(bars, actions)
    assert returns["trading_day"].to_list() == [_day(1), _day(4)]
    assert returns["log_return"].to_list() == pytest.approx([np.log(1.02), 0.0])


def test_cash_is_paid_on_shares_held_after_the_split() -> None:
    bars = pl.DataFrame(
        {"symbol": ["A"] * 2, "trading_day": [_day(0), _day(1)], "close": [100.0, 49.0]}
    )
    actions = _actions((1, "dividend", 1.0), (1, "split", 2.0))
    assert daily_returns(bars, actions)["log_return"].to_list() == pytest.approx([0.0])


def test_returns_do_not_depend_on_the_window() -> None:
    bars = _series({5: (1.5, 0.0), 9: (1.0, 0.4), 20: (3.0, 0.7)})
    actions = _actions(
        (5, "split", 1.5), (9, "dividend", 0.4), (20, "split", 3.0), (20, "dividend", 0.7)
    )
    whole = daily_returns(bars, actions)
    pairs = [daily_returns(bars.slice(n, 2), actions) for n in range(bars.height - 1)]
    assert_frame_equal(whole, pl.concat(pairs), check_exact=True)


def test_adjusted_as_of_a_day_ignores_later_actions() -> None:
    bars = pl.DataFrame(
        {
            "symbol": ["A"] * 3,
            "trading_day": [_day(0), _day(1), _day(2)],
            "close": [100.0, 50.0, 25.0],
            "volume": [1.0, 2.0, 4.0],
        }
    )
    actions = _actions((1, "split", 2.0), (2, "split", 2.0))
    assert adjust(bars, actions, _day(0))["close"].to_list() == [100.0, 50.0, 25.0]
    assert adjust(bars, actions, _day(1))["close"].to_list() == [50.0, 50.0, 25.0]
    latest = adjust(bars, actions, _day(2))
    assert latest["close"].to_list() == [25.0] * 3
    assert latest["volume"].to_list() == [4.0] * 3


def test_total_return_adjustment_reproduces_the_vendors() -> None:
    bars = _series({10: (2.0, 0.0), 20: (1.0, 0.5), 30: (1.0, 0.25)})
    actions = _actions((10, "split", 2.0), (20, "dividend", 0.5), (30, "dividend", 0.25))
    adjusted = adjust(bars, actions, _day(39), "total_return")
    assert adjusted["close"].to_list() == pytest.approx(bars["adj_close"].to_list(), rel=1e-6)


def test_factor_keeps_the_order_of_rows() -> None:
    bars = pl.DataFrame({"symbol": ["B", "A", "A"], "trading_day": [_day(0), _day(9), _day(0)]})
    splits = _actions((5, "split", 2.0), (7, "split", 3.0))
    assert split_factor(bars, splits).to_list() == [1.0, 1.0, 6.0]
    assert split_factor(bars, splits, _day(6)).to_list() == [1.0, 1.0, 2.0]
    assert split_factor(bars, empty_actions()).to_list() == [1.0] * 3


_SPLITS = st.lists(
    st.tuples(st.integers(1, 30), st.sampled_from([2.0, 3.0, 1.5, 0.1, 0.5, 4.0])),
    max_size=4,
    unique_by=lambda s: s[0],
)


@settings(deadline=None, max_examples=50)
@given(splits=_SPLITS, start=st.integers(1, 900_000), size=st.integers(1, 40))
def test_unadjust_undoes_adjust(splits: list[tuple[int, float]], start: int, size: int) -> None:
    """To the tick of half a cent that as-traded prices are printed in."""
    prices = [(start + n) / 100 for n in range(size)]
    bars = pl.DataFrame(
        {
            "symbol": ["A"] * size,
            "trading_day": [_day(n) for n in range(size)],
            **dict.fromkeys(("open", "high", "low", "close"), prices),
            "volume": [1000.0 * (n + 1) for n in range(size)],
        }
    )
    actions = _actions(*((n, "split", ratio) for n, ratio in splits))
    adjusted = adjust(bars, actions, _day(100))
    assert_frame_equal(unadjust(adjusted, actions), bars, rel_tol=1e-12, abs_tol=1e-9)
