"""Every reason, every flag, and the promise that no row is lost."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from predtrack_assets.domain.market.actions import ACTIONS, empty_actions
from predtrack_assets.domain.market.bars import (
    ACCEPTED,
    BARS,
    PREVIOUS,
    REASONS,
    REJECTS,
    Screened,
    empty_previous,
    screen,
)

DAY = date(2020, 3, 2)  # a Monday
WEEKDAYS = {
    e: np.array(
        [d for d in np.arange("2020-01-01", "2020-12-31", dtype="datetime64[D]") if np.is_busday(d)]
    )
    for e in ("XNYS", "24/5")
}
ROUTES = pl.DataFrame(
    [
        ("A", "XNYS", "stock"),
        ("B", "XNYS", "stock"),
        ("^GSPC", "XNYS", "index"),
        ("EURUSD=X", "24/5", "fx"),
        ("VFIAX", "XNYS", "fund"),
        ("^N22A", None, None),
    ],
    schema=["symbol", "exchange", "asset_class"],
    orient="row",
)


def _bar(**changes: Any) -> dict[str, Any]:
    bar = {
        "symbol": "A",
        "trading_day": DAY,
        "open": 10.0,
        "high": 11.0,
        "low": 9.0,
        "close": 10.5,
        "volume": 100.0,
    }
    return {**bar, **changes}


def _frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=BARS, orient="row")


def _screen(*rows: dict[str, Any], **options: Any) -> Screened:
    arguments: dict[str, Any] = {
        "routes": ROUTES,
        "sessions": WEEKDAYS,
        "last_complete": date(2020, 3, 31),
        "previous": empty_previous(),
        "traded": (),
        "actions": empty_actions(),
        "max_jump": 0.5,
    }
    return screen(_frame(*rows), **{**arguments, **options})


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("malformed_symbol", {"symbol": "bad one"}),
        ("malformed_symbol", {"symbol": " A"}),
        ("malformed_symbol", {"symbol": ""}),
        ("malformed_symbol", {"symbol": None}),
        ("malformed_symbol", {"symbol": "A" * 21}),
        ("malformed_symbol", {"symbol": "A\n"}),
        ("missing_value", {"close": None}),
        ("missing_value", {"volume": None}),
        ("missing_value", {"trading_day": None}),
        ("not_finite", {"open": float("nan")}),
        ("not_finite", {"high": float("inf")}),
        ("not_finite", {"volume": float("nan")}),
        ("non_positive_price", {"low": 0.0}),
        ("non_positive_price", {"low": -1.0}),
        ("high_below_low", {"high": 8.0}),
        ("ohlc_inconsistent", {"open": 11.5}),
        ("ohlc_inconsistent", {"close": 8.9}),
        ("negative_volume", {"volume": -1.0}),
        ("future_day", {"trading_day": date(2020, 4, 1)}),
        ("not_a_session", {"trading_day": date(2020, 3, 1)}),
        ("outside_the_calendar", {"trading_day": date(2019, 12, 31)}),
        ("exchange_not_known", {"symbol": "^N22A"}),
        ("exchange_not_known", {"symbol": "NEW"}),
    ],
)
def test_each_fault_has_its_reason(reason: str, changes: dict[str, Any]) -> None:
    result = _screen(_bar(**changes), _bar(symbol="B"))
    assert result.rejects["reason"].to_list() == [reason]
    assert result.accepted["symbol"].to_list() == ["B"]


def test_first_reason_in_the_documented_order_wins() -> None:
    worst = _bar(symbol="?", close=None, open=float("nan"), trading_day=date(2021, 1, 1))
    assert _screen(worst).rejects["reason"].to_list() == ["malformed_symbol"]
    assert _screen({**worst, "symbol": "A"}).rejects["reason"].to_list() == ["missing_value"]


def test_payload_is_the_raw_row() -> None:
    payload = json.loads(_screen(_bar(open=float("nan"))).rejects["payload"][0])
    assert payload["open"] == "NaN"
    assert payload["close"] == "10.5"
    assert payload["trading_day"] == "2020-03-02"


def test_disagreeing_duplicates_are_all_rejected() -> None:
    result = _screen(_bar(), _bar(), _bar(close=10.6), _bar(symbol="B"))
    assert result.rejects["reason"].to_list() == ["duplicate_disagrees"] * 3
    assert result.accepted["symbol"].to_list() == ["B"]


def test_identical_duplicates_keep_one() -> None:
    result = _screen(_bar(), _bar(), _bar())
    assert result.rejects["reason"].to_list() == ["duplicate_identical"] * 2
    assert result.accepted.height == 1


def test_invalid_copy_does_not_take_a_valid_one_with_it() -> None:
    result = _screen(_bar(), _bar(close=None))
    assert result.rejects["reason"].to_list() == ["missing_value"]
    assert result.accepted.height == 1


def test_float_noise_is_clipped() -> None:
    result = _screen(_bar(close=11.0 * (1 + 5e-7), open=9.0 * (1 - 5e-7)))
    assert result.accepted.select("open", "close").row(0) == (9.0, 11.0)


def test_missing_volume_of_an_index_is_zero() -> None:
    result = _screen(_bar(symbol="^GSPC", volume=None), _bar(symbol="EURUSD=X", volume=None))
    assert result.accepted["volume"].to_list() == [0.0, 0.0]


def test_jump_is_kept_and_flagged() -> None:
    days = [DAY + timedelta(days=n) for n in range(3)]
    flat = dict.fromkeys(("open", "high", "low", "close"), 20.0)
    result = _screen(
        _bar(trading_day=days[0]), _bar(trading_day=days[1], **flat), _bar(trading_day=days[2])
    )
    assert result.accepted["flag"].to_list() == [None, "jump", "jump"]
    assert result.accepted["quality"].to_list() == ["good", "suspect", "suspect"]


def test_jump_is_measured_from_the_last_stored_close() -> None:
    stored = pl.DataFrame([("A", DAY - timedelta(days=3), 30.0)], schema=PREVIOUS, orient="row")
    assert _screen(_bar(), previous=stored).accepted["flag"].to_list() == ["jump"]


@pytest.mark.parametrize(
    ("kind", "value", "previous"), [("split", 3.0, 31.5), ("dividend", 21.0, 31.5)]
)
def test_jump_explained_by_an_action_is_good(kind: str, value: float, previous: float) -> None:
    stored = pl.DataFrame([("A", DAY - timedelta(days=3), previous)], schema=PREVIOUS, orient="row")
    action = pl.DataFrame([("A", DAY, kind, value, False)], schema=ACTIONS, orient="row")
    assert _screen(_bar(), previous=stored).accepted["quality"].to_list() == ["suspect"]
    explained = _screen(_bar(), previous=stored, actions=action)
    assert explained.accepted["quality"].to_list() == ["good"]


def test_split_that_the_price_does_not_show_is_a_jump() -> None:
    stored = pl.DataFrame([("A", DAY - timedelta(days=3), 10.5)], schema=PREVIOUS, orient="row")
    action = pl.DataFrame([("A", DAY, "split", 4.0, False)], schema=ACTIONS, orient="row")
    assert _screen(_bar(), previous=stored, actions=action).accepted["flag"].to_list() == ["jump"]


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"high": 1e15}, "range"),
        ({"low": 1e-300}, "range"),
        ({"high": 17.0}, None),
        ({"high": 17.4}, "range"),
        ({"close": 8.0, "low": 7.0, "high": 16.0}, None),
    ],
)
def test_a_range_far_beyond_both_closes_is_suspect(
    changes: dict[str, Any], flag: str | None
) -> None:
    """The close before, 10.5, counts too: a day that falls begins where the last one ended."""
    rows = [_bar(), _bar(trading_day=DAY + timedelta(days=1), **changes)]
    assert _screen(*rows).accepted["flag"].to_list() == [None, flag]


def test_rejected_bar_is_nobodys_predecessor() -> None:
    days = [DAY + timedelta(days=n) for n in range(3)]
    broken = _bar(trading_day=days[1], high=900.0, close=900.0, open=float("nan"))
    result = _screen(_bar(trading_day=days[0]), broken, _bar(trading_day=days[2]))
    assert result.accepted["flag"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("symbol", "flag"), [("A", "stale"), ("^GSPC", None), ("EURUSD=X", None), ("VFIAX", None)]
)
def test_stale_bar(symbol: str, flag: str | None) -> None:
    dead = dict.fromkeys(("open", "high", "low", "close"), 10.5) | {"volume": 0.0}
    result = _screen(
        _bar(symbol=symbol), _bar(symbol=symbol, trading_day=DAY + timedelta(days=1), **dead)
    )
    assert result.accepted["flag"].to_list() == [None, flag]


def test_what_has_never_traded_repeats_its_price_rightly() -> None:
    """A net asset value under a name that does not say fund."""
    values = [41.10, 41.27, 41.27, 41.27]
    rows = [
        _bar(trading_day=DAY + timedelta(days=n), volume=0.0)
        | dict.fromkeys(("open", "high", "low", "close"), value)
        for n, value in enumerate(values)
    ]
    assert _screen(*rows).accepted["flag"].to_list() == [None] * 4
    assert _screen(*rows, traded=["A"]).accepted["flag"].to_list() == [None, None, "stale", "stale"]


def test_exchange_without_sessions_is_an_error() -> None:
    with pytest.raises(ValueError, match="no sessions given for XNYS"):
        _screen(_bar(), sessions={})


def test_empty_input_has_the_schemas() -> None:
    result = _screen()
    assert result.accepted.schema == ACCEPTED
    assert result.rejects.schema == REJECTS


_VALUES = st.sampled_from(
    [10.0, 10.5, 9.0, 11.0, 30.0, 0.0, -1.0, None, float("nan"), float("inf")]
)
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "symbol": st.sampled_from(["A", "B", "^GSPC", "EURUSD=X", "x", "", None]),
            "trading_day": st.one_of(st.none(), st.dates(date(2020, 2, 24), date(2020, 4, 3))),
            **dict.fromkeys(("open", "high", "low", "close", "volume"), _VALUES),
        }
    ),
    max_size=30,
)
_GOOD_ROWS = st.lists(
    st.builds(
        lambda symbol, day, close, volume: _bar(
            symbol=symbol,
            trading_day=day,
            open=close,
            high=close,
            low=close,
            close=close,
            volume=volume,
        ),
        st.sampled_from(["A", "B", "^GSPC"]),
        st.dates(date(2020, 3, 2), date(2020, 3, 14)),
        st.sampled_from([10.0, 11.0, 30.0, 5.0]),
        st.sampled_from([0.0, 5.0]),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=100)
@given(_ROWS)
def test_no_row_is_lost_and_none_judged_twice(rows: list[dict[str, Any]]) -> None:
    result = _screen(*rows)
    assert result.accepted.height + result.rejects.height == len(rows)
    assert set(result.rejects["reason"]) <= set(REASONS)
    assert result.accepted.select("symbol", "trading_day").is_unique().all()
    prices = result.accepted.select("open", "high", "low", "close")
    assert (prices.min_horizontal() == prices["low"]).all()
    assert (prices.max_horizontal() == prices["high"]).all()


@settings(deadline=None, max_examples=50)
@given(_GOOD_ROWS)
def test_range_equals_day_by_day(rows: list[dict[str, Any]]) -> None:
    actions = pl.DataFrame(
        [
            ("A", date(2020, 3, 5), "split", 2.0, False),
            ("A", date(2020, 3, 7), "dividend", 1.0, False),
        ],
        schema=ACTIONS,
        orient="row",
    )
    whole = _screen(*rows, actions=actions)
    traded: set[str] = set()
    stored, kept, refused = empty_previous(), [pl.DataFrame(schema=ACCEPTED)], []
    for day in sorted({row["trading_day"] for row in rows}):
        of_day = [row for row in rows if row["trading_day"] == day]
        result = _screen(*of_day, previous=stored, traded=traded, actions=actions)
        kept.append(result.accepted)
        refused.append(result.rejects)
        traded |= set(result.accepted.filter(pl.col("volume") > 0)["symbol"])
        latest = pl.concat([stored, result.accepted.select(list(PREVIOUS))])
        stored = latest.sort("trading_day").unique("symbol", keep="last", maintain_order=True)
    assert_frame_equal(whole.accepted, pl.concat(kept).sort("symbol", "trading_day"))
    one_by_one = pl.concat([pl.DataFrame(schema=REJECTS), *refused])
    assert_frame_equal(whole.rejects, one_by_one, check_row_order=False)
