"""Bars and actions as matrices."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from predtrack_assets.domain.market.panel import build_panel
from predtrack_assets_tests.builders.panels import XNYS, random_panel

SESSIONS = XNYS.between(date(2024, 3, 6), date(2024, 3, 13))  # Wed Thu Fri, Mon Tue Wed
BAR_SCHEMA = {
    "symbol": pl.String,
    "trading_day": pl.Date,
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
    "known_day": pl.Date,
}
ACTION_SCHEMA = {"symbol": pl.String, "ex_date": pl.Date, "kind": pl.String, "value": pl.Float64}


def bars(*rows: tuple[str, int, float]) -> pl.DataFrame:
    full = [
        (
            s,
            date(2024, 3, day),
            close / 2,
            close + 1,
            close - 1,
            close,
            close * 9,
            date(2024, 3, day),
        )
        for s, day, close in rows
    ]
    return pl.DataFrame(full, schema=BAR_SCHEMA, orient="row")


def actions(*rows: tuple[str, int, str, float]) -> pl.DataFrame:
    full = [(s, date(2024, 3, day), kind, value) for s, day, kind, value in rows]
    return pl.DataFrame(full, schema=ACTION_SCHEMA, orient="row")


def test_bars_lie_at_their_symbol_and_session() -> None:
    panel = build_panel(bars(("B", 8, 20.0), ("A", 6, 10.0), ("A", 13, 11.0)), actions(), SESSIONS)
    assert panel.symbols.tolist() == ["A", "B"]
    expected = np.full((2, 6), np.nan)
    expected[0, 0], expected[0, 5], expected[1, 2] = 10.0, 11.0, 20.0
    np.testing.assert_array_equal(panel.close, expected)
    np.testing.assert_array_equal(panel.high, expected + 1)
    np.testing.assert_array_equal(panel.low, expected - 1)
    np.testing.assert_array_equal(panel.open, expected / 2)
    np.testing.assert_array_equal(panel.volume, expected * 9)
    assert panel.known_day[1, 2] == np.datetime64("2024-03-08")
    assert np.isnat(panel.known_day).sum() == 9


def test_bars_beyond_or_between_sessions_are_left_out() -> None:
    outside = bars(("A", 5, 1.0), ("A", 9, 2.0), ("A", 14, 3.0), ("A", 7, 4.0))
    panel = build_panel(outside, actions(), SESSIONS)
    assert np.nansum(panel.close) == 4.0


def test_actions_of_a_closed_day_count_on_the_next_session() -> None:
    told = actions(
        ("A", 8, "split", 2.0),
        ("A", 9, "split", 3.0),  # Saturday
        ("A", 11, "split", 5.0),
        ("A", 10, "dividend", 0.5),  # Sunday
        ("A", 11, "dividend", 0.25),
        ("A", 14, "split", 7.0),
        ("Z", 8, "split", 9.0),
    )
    panel = build_panel(bars(("A", 8, 1.0)), told, SESSIONS)
    assert panel.split.tolist() == [[1.0, 1.0, 2.0, 15.0, 1.0, 1.0]]
    assert panel.dividend.tolist() == [[0.0, 0.0, 0.0, 0.75, 0.0, 0.0]]


def test_nothing_gives_an_empty_panel() -> None:
    panel = build_panel(bars(), actions(("A", 8, "split", 2.0)), SESSIONS)
    assert panel.close.shape == (0, 6)


def test_shares_after_is_the_product_of_the_splits_between() -> None:
    panel = random_panel(4, 12, seed=1, splits=0.4)
    seen = 0
    for k, shares in panel.shares_after(20):
        seen += 1
        for t in range(12 - k):
            product = np.array([np.prod(row[t + 1 : t + k + 1]) for row in panel.split])
            np.testing.assert_allclose(shares[:, t], product, rtol=1e-15)
    assert seen == 11, "as far as the panel reaches"


def test_shares_after_does_not_depend_on_where_the_panel_starts() -> None:
    panel = random_panel(4, 30, seed=2, splits=0.4)
    part = random_panel(4, 30, seed=2, splits=0.4)
    part = type(part)(
        **{
            name: value if name == "symbols" else value[..., 7:]
            for name, value in vars(part).items()
        }
    )
    for (k, whole), (_, cut) in zip(panel.shares_after(9), part.shares_after(9), strict=True):
        np.testing.assert_array_equal(whole[:, 7:], cut, err_msg=str(k))
