"""Sessions of exchanges, and the moments at which they open and close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.time.exchange_files import (
    Days,
    Hours,
    known_exchanges,
    read_exchange,
    round_the_clock,
)

FIRST_DAY = date(1990, 1, 1)
LAST_DAY = date(2030, 12, 31)

_NAT = np.datetime64("NaT", "D")
_ROUND_THE_CLOCK = {"24/5": "1111100", "24/7": "1111111"}
EXCHANGES = (*known_exchanges(), *_ROUND_THE_CLOCK)
"""Names of the calendars: ISO 10383 codes (XTSE is Toronto), fx round the clock, crypto."""


@dataclass(frozen=True, eq=False)
class Calendar:
    """The sessions of one exchange as far as they are known, first to last.

    name: one of EXCHANGES.
    zone: IANA time zone of its hours.
    first, last: the days covered, FIRST_DAY to LAST_DAY or less.
    sessions: sorted, unique session dates, datetime64[D], read-only.
    opens, closes: local hours; opens_utc and closes_utc make moments of them.

    `days` arguments are dates or arrays of any shape that NumPy reads as datetime64[D]; a result
    has their shape, a NumPy scalar for a scalar (`.item()` makes it a date or datetime).
    """

    name: str
    zone: str
    first: date
    last: date
    sessions: Days
    opens: Hours
    closes: Hours

    def between(self, start: date | np.datetime64, end: date | np.datetime64) -> Days:
        """Sessions from start to end, both included, as far as they are known; empty when end < start.

        Raises ValueError when a bound lies outside FIRST_DAY to LAST_DAY.
        """
        for day in (start, end):
            if not np.datetime64(FIRST_DAY) <= np.datetime64(day) <= np.datetime64(LAST_DAY):
                raise ValueError(f"{day} lies outside all calendars, {FIRST_DAY} to {LAST_DAY}")
        first = np.searchsorted(self.sessions, np.datetime64(start), side="left")
        last = np.searchsorted(self.sessions, np.datetime64(end), side="right")
        return self.sessions[first:last]

    def is_session(self, days: date | Days) -> NDArray[np.bool_]:
        """Whether each day is a session, bool; False outside the calendar."""
        return np.isin(_as_days(days), self.sessions)

    def offset(self, days: date | Days, n: int | NDArray[np.integer]) -> Days:
        """The n-th session after each day, datetime64[D]; n < 0 counts the sessions before it.

        The day need not be a session; n = 0 is the first session on or after it. n broadcasts
        with days. Raises ValueError when a day or its result lies outside the calendar.
        """
        found = self.offset_or_nat(self._covered(days), n)
        if np.isnat(found).any():
            raise ValueError(f"{self.name}: a session {self._beyond} was asked for")
        return found

    def offset_or_nat(self, days: date | Days, n: int | NDArray[np.integer]) -> Days:
        """`offset`, and NaT where a day or its result lies outside the calendar."""
        days, n = _as_days(days), np.asarray(n)
        at_or_after = np.searchsorted(self.sessions, days, side="left")
        after = np.searchsorted(self.sessions, days, side="right")
        index = np.where(n > 0, after - 1, at_or_after) + n
        inside = (index >= 0) & (index < len(self.sessions)) & self._covers(days)
        last = len(self.sessions) - 1
        return np.where(inside, self.sessions[np.clip(index, 0, last)], _NAT)[()]

    def count_between(self, a: date | Days, b: date | Days) -> NDArray[np.int64]:
        """Sessions in (a, b], int64; negative when b < a.

        Raises ValueError when a day lies outside the calendar.
        """
        upto_b = np.searchsorted(self.sessions, self._covered(b), side="right")
        return upto_b - np.searchsorted(self.sessions, self._covered(a), side="right")

    def opens_utc(self, days: date | Days) -> NDArray[np.datetime64]:
        """Opening of each day, late ones included, datetime64[us] in UTC.

        Futures open on the evening before. '24/7' and '24/5': 00:00 UTC. A day without a session
        has the regular hours of its time.
        """
        return _local_to_utc(_as_days(days), self.opens, self.zone)

    def closes_utc(self, days: date | Days) -> NDArray[np.datetime64]:
        """Actual close of each day, early closes included, datetime64[us] in UTC.

        '24/7' and '24/5': 24:00 UTC. A day without a session has the regular hours of its time.
        """
        return _local_to_utc(_as_days(days), self.closes, self.zone)

    def due_at(
        self, days: date | Days, horizon: int | NDArray[np.integer]
    ) -> NDArray[np.datetime64]:
        """The moment that a prediction of `horizon` sessions (1 or more) made on each day is due.

        It is the actual close of the due session, datetime64[us] in UTC. Raises ValueError when a
        day or its due session lies outside the calendar.
        """
        return self.closes_utc(self.offset(days, horizon))

    def _covered(self, days: date | np.datetime64 | Days) -> Days:
        days = _as_days(days)
        inside = self._covers(days)
        if not inside.all():  # NaT is not inside either
            outside = days[~inside].flat[0] if days.ndim else days
            raise ValueError(f"{self.name}: {outside} lies {self._beyond}")
        return days

    def _covers(self, days: Days) -> NDArray[np.bool_]:
        return (days >= np.datetime64(self.first)) & (days <= np.datetime64(self.last))

    @property
    def _beyond(self) -> str:
        return f"outside its calendar, {self.first} to {self.last}"


@cache
def calendar(exchange: str) -> Calendar:
    """The calendar of an exchange. Raises ValueError, naming the known ones, if it is not known."""
    if exchange not in EXCHANGES:
        raise ValueError(f"unknown exchange {exchange!r}; known are {', '.join(EXCHANGES)}")
    week = _ROUND_THE_CLOCK.get(exchange)
    file = round_the_clock(week, FIRST_DAY, LAST_DAY) if week else read_exchange(exchange)
    sessions = file.sessions()
    sessions.flags.writeable = False
    return Calendar(exchange, file.zone, file.first, file.last, sessions, file.opens, file.closes)


def all_days(start: date, end: date) -> Days:
    """Every calendar day from start to end, both included, datetime64[D]."""
    return np.arange(np.datetime64(start), np.datetime64(end) + 1, dtype="datetime64[D]")


def as_of(day: date) -> datetime:
    """24:00 UTC of the day, timezone-aware: nothing known later may serve that day."""
    return datetime.combine(day + timedelta(days=1), time(0), UTC)


def as_of_array(days: Days) -> NDArray[np.datetime64]:
    """`as_of` of each day, datetime64[us] in UTC."""
    return (_as_days(days) + np.timedelta64(1, "D")).astype("datetime64[us]")


def _as_days(days: date | np.datetime64 | Days) -> Days:
    return np.asarray(days, dtype="datetime64[D]")


def _local_to_utc(days: Days, hours: Hours, zone: str) -> NDArray[np.datetime64]:
    local = days.astype("datetime64[us]") + hours.at(days)
    utc = pl.Series(local.reshape(-1)).dt.replace_time_zone(zone).dt.convert_time_zone("UTC")
    return utc.dt.replace_time_zone(None).to_numpy().reshape(days.shape)[()]
