"""Hours of one exchange as exchanges/<exchange>.txt states them.

The files are a snapshot of exchange_calendars (`make calendars` writes them, a test compares them),
so that nothing is computed or imported from there at run time.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]
Times = NDArray[np.timedelta64]
FOLDER = Path(__file__).parent / "exchanges"


@dataclass(frozen=True, eq=False)
class Hours:
    """Local times of day, timedelta64[m] from midnight (negative: on the day before).

    regular[i] holds from since[i] (datetime64[D], sorted) on; special[j] holds on days[j] instead.
    """

    since: Days
    regular: Times
    days: Days
    special: Times

    def at(self, days: Days) -> Times:
        """The time of each day, in the shape of `days`; before since[0] as then."""
        era = np.searchsorted(self.since, days, side="right") - 1
        usual = self.regular[np.maximum(era, 0)]
        if not len(self.days):
            return usual
        place = np.minimum(np.searchsorted(self.days, days), len(self.days) - 1)
        return np.where(self.days[place] == days, self.special[place], usual)


@dataclass(frozen=True, eq=False)
class ExchangeFile:
    """Time zone, first and last day covered, week mask (Monday first), and what differs from it.

    closed: days of the week mask without a session; extra: sessions beside it; datetime64[D].
    """

    zone: str
    first: date
    last: date
    week: str
    closed: Days
    extra: Days
    opens: Hours
    closes: Hours

    def sessions(self) -> Days:
        """Session days from first to last, sorted, datetime64[D]."""
        days = np.arange(np.datetime64(self.first), np.datetime64(self.last) + 1)
        regular = days[np.is_busday(days, self.week, self.closed)]
        return np.union1d(regular, self.extra)


def round_the_clock(week: str, first: date, last: date) -> ExchangeFile:
    """A market that is open from 00:00 to 24:00 UTC on the days of its week mask."""
    none = np.array([], "datetime64[D]")

    def always(time: str) -> Hours:
        since = np.array([first], "datetime64[D]")
        return Hours(since, np.array([_time(time)]), none, np.array([], "timedelta64[m]"))

    return ExchangeFile("UTC", first, last, week, none, none, always("00:00"), always("24:00"))


def known_exchanges() -> tuple[str, ...]:
    """Names of the exchanges that have a file, sorted."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.txt")))


def read_exchange(exchange: str) -> ExchangeFile:
    """The file of an exchange. Raises ValueError, naming the line, where it cannot be read."""
    facts: dict[str, list[str]] = {}
    days: dict[str, list[np.datetime64]] = {"closed": [], "extra": []}
    eras: list[list[str]] = []
    special: dict[str, dict[np.datetime64, np.timedelta64]] = defaultdict(dict)
    for line in (FOLDER / f"{exchange}.txt").read_text(encoding="ascii").splitlines():
        match line.split():
            case ["#", *_]:
                pass
            case ["zone" | "span" | "week" as name, *values]:
                facts[name] = values
            case ["hours", *values]:
                eras.append(values)
            case ["closed" | "extra" as name, year, *month_days]:
                days[name] += _dates(year, month_days)
            case ["opens" | "closes" as name, time, year, *month_days]:
                special[name] |= dict.fromkeys(_dates(year, month_days), _time(time))
            case _:
                raise ValueError(f"{exchange}.txt: cannot read the line {line!r}")
    since = np.array([day for day, *_ in eras], "datetime64[D]")
    first, last = map(date.fromisoformat, facts["span"])
    return ExchangeFile(
        facts["zone"][0],
        first,
        last,
        facts["week"][0],
        np.array(days["closed"], "datetime64[D]"),
        np.array(days["extra"], "datetime64[D]"),
        _hours(since, [opens for _, opens, _ in eras], special["opens"]),
        _hours(since, [closes for *_, closes in eras], special["closes"]),
    )


def _hours(since: Days, regular: list[str], special: dict[np.datetime64, np.timedelta64]) -> Hours:
    days = sorted(special)
    return Hours(
        since,
        np.array([_time(time) for time in regular], "timedelta64[m]"),
        np.array(days, "datetime64[D]"),
        np.array([special[day] for day in days], "timedelta64[m]"),
    )


def _dates(year: str, month_days: list[str]) -> list[np.datetime64]:
    return [np.datetime64(f"{year}-{month_day}") for month_day in month_days]


def _time(text: str) -> np.timedelta64:
    """Minutes from midnight of 'hh:mm', or before it of '-hh:mm'."""
    hours, minutes = text.removeprefix("-").split(":")
    since_midnight = int(hours) * 60 + int(minutes)
    return np.timedelta64(-since_midnight if text.startswith("-") else since_midnight, "m")
