"""The calendar against exchange_calendars, and its arithmetic against plain counting."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.time.calendar import (
    EXCHANGES,
    FIRST_DAY,
    LAST_DAY,
    as_of,
    as_of_array,
    calendar,
)
from predtrack_assets_tests.domain.time import holidays_snapshot

XNYS = calendar("XNYS")
inner_days = st.dates(date(1991, 1, 1), date(2029, 12, 31))


def days(*iso: str) -> np.ndarray:
    return np.array(iso, dtype="datetime64[D]")


@pytest.mark.filterwarnings("ignore:Series.values returning")
@pytest.mark.parametrize("exchange", holidays_snapshot.EXCHANGES)
def test_snapshot_equals_exchange_calendars(exchange: str) -> None:
    reference = holidays_snapshot.reference(exchange)
    ours = calendar(exchange)
    sessions = reference.sessions.to_numpy().astype("datetime64[D]")
    np.testing.assert_array_equal(ours.sessions, sessions)

    def utc(times: object) -> np.ndarray:
        return times.dt.tz_convert(None).to_numpy().astype("datetime64[us]")

    np.testing.assert_array_equal(ours.opens_utc(sessions), utc(reference.opens))
    closes = utc(reference.closes)
    early = closes != ours.closes_utc(sessions)
    assert (closes[early] < ours.closes_utc(sessions)[early]).all()
    # The regular close is a local time: early closes are few and named as such by the reference.
    assert set(sessions[early]) <= set(reference.early_closes.to_numpy().astype("datetime64[D]"))


def test_every_exchange_has_hours_and_only_the_weekday_ones_have_files() -> None:
    files = {file.stem for file in holidays_snapshot.FILES.glob("*.txt")}
    assert files == set(holidays_snapshot.EXCHANGES) == set(EXCHANGES) - {"24/7", "24/5"}


def test_unknown_exchange_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown exchange 'XXXX'; known are XNYS, .*24/7"):
        calendar("XXXX")


def test_calendar_is_loaded_once_and_cannot_be_changed() -> None:
    assert calendar("XNYS") is XNYS
    with pytest.raises(ValueError, match="read-only"):
        XNYS.sessions[0] = np.datetime64("1990-01-01")


def test_round_the_clock_markets() -> None:
    week = days("2024-12-25", "2024-12-27", "2024-12-28", "2024-12-29")
    assert calendar("24/7").is_session(week).all()
    assert calendar("24/5").is_session(week).tolist() == [True, True, False, False]
    assert calendar("24/7").closes_utc(date(2024, 12, 28)) == np.datetime64("2024-12-29T00:00")
    assert calendar("24/7").opens_utc(date(2024, 12, 28)) == np.datetime64("2024-12-28T00:00")


def test_is_session_is_false_on_holidays_weekends_and_outside_the_snapshot() -> None:
    asked = days("2012-10-29", "2024-07-04", "2024-07-05", "2024-07-06", "1971-01-04", "2035-01-03")
    assert XNYS.is_session(asked).tolist() == [False, False, True, False, False, False]
    assert XNYS.is_session(asked.reshape(2, 3)).shape == (2, 3)


def test_between_includes_both_ends_and_may_be_empty() -> None:
    assert XNYS.between(date(2024, 7, 3), date(2024, 7, 5)).tolist() == [
        date(2024, 7, 3),
        date(2024, 7, 5),
    ]
    assert XNYS.between(date(2024, 7, 6), date(2024, 7, 7)).size == 0
    assert XNYS.between(date(2024, 7, 8), date(2024, 7, 1)).size == 0


def test_close_follows_daylight_saving() -> None:
    around = days("2024-03-08", "2024-03-11", "2024-11-01", "2024-11-04")
    hours = XNYS.closes_utc(around).astype("datetime64[h]").astype(int) % 24
    assert hours.tolist() == [21, 20, 20, 21]
    # Sydney closes on its own date, which is still morning in UTC.
    assert calendar("XASX").closes_utc(date(2024, 1, 15)).item() == datetime(2024, 1, 15, 5)
    assert calendar("XASX").closes_utc(date(2024, 7, 15)).item() == datetime(2024, 7, 15, 6)


@given(day=inner_days, exchange=st.sampled_from(sorted(EXCHANGES)))
def test_close_lies_within_the_utc_day_and_agrees_with_zoneinfo(day: date, exchange: str) -> None:
    close = calendar(exchange).closes_utc(day).item().replace(tzinfo=UTC)
    assert close <= as_of(day)
    if exchange == "XLON":
        local = datetime(day.year, day.month, day.day, 16, 30, tzinfo=ZoneInfo("Europe/London"))
        assert close == local


@given(day=inner_days, n=st.integers(-300, 300))
def test_offset_agrees_with_counting(day: date, n: int) -> None:
    day = min(max(day, date(1992, 6, 1)), date(2028, 6, 1))
    found = XNYS.offset(day, n)
    assert XNYS.is_session(found)
    if n > 0:
        assert XNYS.count_between(day, found) == n
    elif n < 0:
        before = day - timedelta(days=1)
        assert XNYS.count_between(found, before) == -n - 1
    else:
        assert XNYS.between(day, found.item()).tolist() == [found.item()]


def test_offset_is_vectorised_over_days_and_counts() -> None:
    friday, saturday = "2024-07-05", "2024-07-06"
    assert XNYS.offset(days(friday, saturday), 1).tolist() == [date(2024, 7, 8)] * 2
    assert XNYS.offset(days(friday, saturday), -1).tolist() == [date(2024, 7, 3), date(2024, 7, 5)]
    assert XNYS.offset(days(friday, friday), np.array([1, 5])).tolist() == [
        date(2024, 7, 8),
        date(2024, 7, 12),
    ]
    assert XNYS.offset(days(), 1).size == 0


@pytest.mark.parametrize(
    ("day", "n"),
    [
        (LAST_DAY, 1),
        (FIRST_DAY, -1),
        (LAST_DAY + timedelta(days=1), -5),
        (FIRST_DAY - timedelta(days=1), 5),
    ],
)
def test_offset_refuses_to_leave_the_snapshot(day: date, n: int) -> None:
    with pytest.raises(ValueError, match="outside the calendar snapshot, 1990-01-01 to 2030-12-31"):
        XNYS.offset(np.array([date(2024, 1, 2), day], dtype="datetime64[D]"), n)


def test_missing_day_is_refused() -> None:
    with pytest.raises(ValueError, match="NaT lies outside"):
        XNYS.count_between(days("NaT"), days("2024-01-02"))


def test_as_of_is_the_next_midnight_in_utc() -> None:
    assert as_of(date(2024, 2, 29)) == datetime(2024, 3, 1, tzinfo=UTC)
    assert as_of_array(days("2024-02-29")).tolist() == [datetime(2024, 3, 1)]
    assert as_of_array(days("2024-02-29")).dtype == "datetime64[us]"
