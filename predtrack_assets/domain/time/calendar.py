"""Exchange sessions and hours, from a checked-in snapshot of holidays.

The snapshot (holidays/<exchange>.txt) is compared with exchange_calendars in a test, so nothing
is computed or imported from there at run time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.numerics.types import Days

FIRST_DAY = date(1990, 1, 1)
LAST_DAY = date(2030, 12, 31)

_HOLIDAYS = Path(__file__).parent / "holidays"
_WEEKDAYS = "1111100"
_EVERY_DAY = "1111111"


@dataclass(frozen=True)
class _Market:
    """Week mask (Monday first), time zone, and regular hours counted from local midnight."""

    week: str
    zone: str
    opens: timedelta
    closes: timedelta


def _hours(zone: str, opens: time, closes: time) -> _Market:
    def since_midnight(t: time) -> timedelta:
        return timedelta(hours=t.hour, minutes=t.minute)

    return _Market(_WEEKDAYS, zone, since_midnight(opens), since_midnight(closes))


_MARKETS = {
    "XNYS": _hours("America/New_York", time(9, 30), time(16, 0)),
    "XASX": _hours("Australia/Sydney", time(10, 0), time(16, 0)),
    "XLON": _hours("Europe/London", time(8, 0), time(16, 30)),
    "XTSE": _hours("America/Toronto", time(9, 30), time(16, 0)),
    "XETR": _hours("Europe/Berlin", time(9, 0), time(17, 30)),
    "24/5": _Market(_WEEKDAYS, "UTC", timedelta(0), timedelta(hours=24)),
    "24/7": _Market(_EVERY_DAY, "UTC", timedelta(0), timedelta(hours=24)),
}
EXCHANGES = tuple(_MARKETS)


@dataclass(frozen=True, eq=False)
class Calendar:
    """The sessions of one exchange within the snapshot, FIRST_DAY to LAST_DAY.

    name: one of EXCHANGES (ISO 10383 codes; XTSE is Toronto).
    sessions: sorted, unique session dates, datetime64[D], read-only.

    `days` arguments are dates or arrays of any shape that NumPy reads as datetime64[D]; a result
    has their shape, a NumPy scalar for a scalar (`.item()` makes it a date or datetime).
    """

    name: str
    sessions: Days

    def between(self, start: date | np.datetime64, end: date | np.datetime64) -> Days:
        """Sessions from start to end, both included; empty when end < start.

        Raises ValueError when a bound lies outside the snapshot.
        """
        first = np.searchsorted(self.sessions, self._covered(start), side="left")
        last = np.searchsorted(self.sessions, self._covered(end), side="right")
        return self.sessions[first:last]

    def is_session(self, days: date | Days) -> NDArray[np.bool_]:
        """Whether each day is a session, bool; False outside the snapshot."""
        return np.isin(_as_days(days), self.sessions)

    def offset(self, days: date | Days, n: int | NDArray[np.integer]) -> Days:
        """The n-th session after each day, datetime64[D]; n < 0 counts the sessions before it.

        The day need not be a session; n = 0 is the first session on or after it. n broadcasts
        with days. Raises ValueError when a day or its result lies outside the snapshot.
        """
        days, n = self._covered(days), np.asarray(n)
        at_or_after = np.searchsorted(self.sessions, days, side="left")
        after = np.searchsorted(self.sessions, days, side="right")
        index = np.where(n > 0, after - 1, at_or_after) + n
        if ((index < 0) | (index >= len(self.sessions))).any():
            raise ValueError(f"{self.name}: a session {_SPAN} was asked for")
        return self.sessions[index]

    def count_between(self, a: date | Days, b: date | Days) -> NDArray[np.int64]:
        """Sessions in (a, b], int64; negative when b < a.

        Raises ValueError when a day lies outside the snapshot.
        """
        upto_b = np.searchsorted(self.sessions, self._covered(b), side="right")
        return upto_b - np.searchsorted(self.sessions, self._covered(a), side="right")

    def opens_utc(self, days: date | Days) -> NDArray[np.datetime64]:
        """Regular opening of each day, datetime64[us] in UTC; '24/7' and '24/5': 00:00 UTC."""
        market = _MARKETS[self.name]
        return _local_to_utc(_as_days(days), market.opens, market.zone)

    def closes_utc(self, days: date | Days) -> NDArray[np.datetime64]:
        """Regular close of each day, datetime64[us] in UTC; '24/7' and '24/5': 24:00 UTC.

        An upper bound on days that close early. Hours are those of today for every year.
        """
        market = _MARKETS[self.name]
        return _local_to_utc(_as_days(days), market.closes, market.zone)

    def _covered(self, days: date | np.datetime64 | Days) -> Days:
        days = _as_days(days)
        inside = (days >= np.datetime64(FIRST_DAY)) & (days <= np.datetime64(LAST_DAY))
        if not inside.all():  # NaT is not inside either
            outside = days[~inside].flat[0] if days.ndim else days
            raise ValueError(f"{self.name}: {outside} lies {_SPAN}")
        return days


_SPAN = f"outside the calendar snapshot, {FIRST_DAY} to {LAST_DAY}"


@cache
def calendar(exchange: str) -> Calendar:
    """The calendar of an exchange. Raises ValueError, naming the known ones, if it is not known."""
    if exchange not in _MARKETS:
        raise ValueError(f"unknown exchange {exchange!r}; known are {', '.join(EXCHANGES)}")
    week = _MARKETS[exchange].week
    every_day = all_days(FIRST_DAY, LAST_DAY)
    sessions = every_day[np.is_busday(every_day, week, _holidays(exchange))]
    sessions.flags.writeable = False
    return Calendar(exchange, sessions)


def all_days(start: date, end: date) -> Days:
    """Every calendar day from start to end, both included, datetime64[D]."""
    return np.arange(np.datetime64(start), np.datetime64(end) + 1, dtype="datetime64[D]")


def as_of(day: date) -> datetime:
    """24:00 UTC of the day, timezone-aware: nothing known later may serve that day."""
    return datetime.combine(day + timedelta(days=1), time(0), UTC)


def as_of_array(days: Days) -> NDArray[np.datetime64]:
    """`as_of` of each day, datetime64[us] in UTC."""
    return (_as_days(days) + np.timedelta64(1, "D")).astype("datetime64[us]")


def _holidays(exchange: str) -> Days:
    file = _HOLIDAYS / f"{exchange}.txt"
    if not file.exists():  # the round-the-clock markets have none
        return np.array([], dtype="datetime64[D]")
    lines = file.read_text(encoding="ascii").splitlines()
    return np.array([line for line in lines if not line.startswith("#")], dtype="datetime64[D]")


def _as_days(days: date | np.datetime64 | Days) -> Days:
    return np.asarray(days, dtype="datetime64[D]")


def _local_to_utc(days: Days, since_midnight: timedelta, zone: str) -> NDArray[np.datetime64]:
    local = days.astype("datetime64[us]") + np.timedelta64(since_midnight)
    utc = pl.Series(local.reshape(-1)).dt.replace_time_zone(zone).dt.convert_time_zone("UTC")
    return utc.dt.replace_time_zone(None).to_numpy().reshape(days.shape)[()]
