"""The calendar against exchange_calendars, and its arithmetic against plain counting."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.time import exchange_files
from predtrack_assets.domain.time.calendar import (
    EXCHANGES,
    FIRST_DAY,
    LAST_DAY,
    as_of,
    as_of_array,
    calendar,
)
from predtrack_assets_tests.domain.time import exchange_snapshot

XNYS = calendar("XNYS")
inner_days = st.dates(date(1991, 1, 1), date(2029, 12, 31))


def days(*iso: str) -> np.ndarray:
    return np.array(iso, dtype="datetime64[D]")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(
            exchange,
            marks=pytest.mark.xfail(
                exchange in exchange_snapshot.BROKEN_UNDER_PANDAS_3 and pd.__version__ >= "3",
                reason="exchange_calendars computes it with pandas 2 only",
                strict=True,
            ),
        )
        for exchange in exchange_snapshot.EXCHANGES
    ],
)
def test_snapshot_equals_exchange_calendars(exchange: str) -> None:
    reference = exchange_snapshot.reference(exchange)
    ours = calendar(exchange)
    sessions = reference.sessions.to_numpy().astype("datetime64[D]")
    np.testing.assert_array_equal(ours.sessions, sessions)

    def utc(times: object) -> np.ndarray:
        return times.dt.tz_convert(None).to_numpy().astype("datetime64[us]")

    np.testing.assert_array_equal(ours.opens_utc(sessions), utc(reference.opens))
    np.testing.assert_array_equal(ours.closes_utc(sessions), utc(reference.closes))
    assert (ours.first, ours.last) == (
        max(FIRST_DAY, (reference.bound_min() or pd.Timestamp(FIRST_DAY)).date()),
        min(LAST_DAY, (reference.bound_max() or pd.Timestamp(LAST_DAY)).date()),
    )


@pytest.mark.parametrize("exchange", ["XNYS", "BVMF", "CMES", "XSGO", "XETR"])
@pytest.mark.filterwarnings("ignore")
def test_files_are_what_the_generator_writes(exchange: str) -> None:
    file = exchange_snapshot.FOLDER / f"{exchange}.txt"
    assert file.read_text() == exchange_snapshot.text(exchange)


def test_every_exchange_has_a_file_but_the_round_the_clock_ones() -> None:
    files = {file.stem for file in exchange_snapshot.FOLDER.glob("*.txt")}
    assert files == set(exchange_snapshot.EXCHANGES) == set(EXCHANGES) - {"24/7", "24/5"}
    span = (exchange_snapshot.FIRST_DAY.date(), exchange_snapshot.LAST_DAY.date())
    assert span == (FIRST_DAY, LAST_DAY)


def test_line_that_is_not_understood_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "XNYS.txt").write_text("zone UTC\nclosing 13:00 2024 12-24\n")
    monkeypatch.setattr(exchange_files, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"XNYS\.txt: cannot read the line 'closing 13:00 2024"):
        exchange_files.read_exchange("XNYS")


# Published by the exchanges themselves; exchange_calendars is asked for none of these.
@pytest.mark.parametrize(
    ("exchange", "day", "close"),
    [
        ("XNYS", "2012-12-24", "18:00"),
        ("XNYS", "2024-12-24", "18:00"),
        ("XNYS", "2025-07-03", "17:00"),
        ("XNYS", "2026-11-27", "18:00"),
        ("XNYS", "2026-11-25", "21:00"),
        ("XLON", "2024-12-24", "12:30"),
        ("XETR", "2024-12-30", "13:00"),
        ("XTSE", "2024-12-24", "18:00"),
        ("XASX", "2024-12-24", "03:10"),
        ("XHKG", "2024-12-24", "04:00"),
        ("XPAR", "2024-12-24", "13:05"),
        ("XKRX", "2016-07-29", "06:00"),
        ("XKRX", "2016-08-01", "06:30"),
        ("XTAE", "2025-12-28", "13:40"),
        ("CMES", "2024-11-29", "18:00"),
        ("24/7", "2024-12-24", "24:00"),
    ],
)
def test_close_is_the_actual_one(exchange: str, day: str, close: str) -> None:
    hours, minutes = map(int, close.split(":"))
    moment = datetime.fromisoformat(day) + timedelta(hours=hours, minutes=minutes)
    assert calendar(exchange).closes_utc(date.fromisoformat(day)).item() == moment


def test_weekend_sessions_and_other_weeks() -> None:
    tel_aviv = calendar("XTAE")
    week = days("2025-12-26", "2025-12-27", "2025-12-28", "2026-01-09", "2026-01-11")
    assert tel_aviv.is_session(week).tolist() == [False, False, True, True, False]
    assert calendar("XKRX").is_session(date(1998, 11, 28))  # Saturdays until December 1998


def test_late_opening_and_opening_on_the_evening_before() -> None:
    assert calendar("BVMF").opens_utc(date(2024, 2, 14)).item() == datetime(2024, 2, 14, 16)
    assert calendar("CMES").opens_utc(date(2024, 1, 16)).item() == datetime(2024, 1, 15, 23)
    assert calendar("XNZE").opens_utc(date(2024, 1, 16)).item() == datetime(2024, 1, 15, 21)


def test_due_at_is_the_actual_close_of_the_due_session() -> None:
    asked = days("2024-12-23", "2024-12-20", "2024-12-23", "2024-12-28")
    horizons = np.array([1, 2, 2, 1])
    assert XNYS.due_at(asked, horizons).tolist() == [
        datetime(2024, 12, 24, 18),
        datetime(2024, 12, 24, 18),
        datetime(2024, 12, 26, 21),
        datetime(2024, 12, 30, 21),
    ]
    assert XNYS.due_at(date(2025, 7, 2), 1).item() == datetime(2025, 7, 3, 17)
    with pytest.raises(ValueError, match="XSHG: a session outside its calendar, 1990-12-03 to"):
        calendar("XSHG").due_at(date(2026, 12, 30), 5)


def test_unknown_exchange_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown exchange 'XXXX'; known are .*XNYS, .*24/7"):
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
def test_open_and_close_lie_by_the_end_of_the_day_and_agree_with_zoneinfo(
    day: date, exchange: str
) -> None:
    market = calendar(exchange)
    opening, close = (
        moment.item().replace(tzinfo=UTC)
        for moment in (market.opens_utc(day), market.closes_utc(day))
    )
    assert opening < close <= as_of(day)
    since_midnight = market.closes.at(np.datetime64(day)).item()
    local = datetime(day.year, day.month, day.day) + since_midnight
    assert close == local.replace(tzinfo=ZoneInfo(market.zone))


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
    with pytest.raises(ValueError, match="outside its calendar, 1990-01-01 to 2030-12-31"):
        XNYS.offset(np.array([date(2024, 1, 2), day], dtype="datetime64[D]"), n)


def test_offset_or_nat_is_offset_within_the_calendar_and_nat_beyond() -> None:
    shanghai = calendar("XSHG")
    asked = days("2026-12-29", "2026-12-29", "2026-12-29", "2027-02-01", "NaT")
    found = shanghai.offset_or_nat(asked, np.array([0, 2, 3, -1, 1]))
    assert found.tolist() == [date(2026, 12, 29), date(2026, 12, 31), None, None, None]
    inside = XNYS.sessions[500:800]
    np.testing.assert_array_equal(XNYS.offset_or_nat(inside, -7), XNYS.offset(inside, -7))


def test_between_ends_where_the_calendar_ends() -> None:
    shanghai = calendar("XSHG")
    assert shanghai.between(date(2026, 12, 30), date(2027, 6, 1)).tolist() == [
        date(2026, 12, 30),
        date(2026, 12, 31),
    ]
    assert calendar("XSAU").between(date(2005, 1, 1), date(2006, 1, 1)).size == 0
    with pytest.raises(ValueError, match="2031-01-01 lies outside all calendars"):
        shanghai.between(date(2026, 12, 30), date(2031, 1, 1))


def test_missing_day_is_refused() -> None:
    with pytest.raises(ValueError, match="NaT lies outside"):
        XNYS.count_between(days("NaT"), days("2024-01-02"))


def test_as_of_is_the_next_midnight_in_utc() -> None:
    assert as_of(date(2024, 2, 29)) == datetime(2024, 3, 1, tzinfo=UTC)
    assert as_of_array(days("2024-02-29")).tolist() == [datetime(2024, 3, 1)]
    assert as_of_array(days("2024-02-29")).dtype == "datetime64[us]"
