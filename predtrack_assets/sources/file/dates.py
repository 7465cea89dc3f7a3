"""Dates as price files spell them: days, moments, and triples of numbers in an unknown order.

>>> read_date("2020-08-27"), read_date("27-Aug-20")
(datetime.date(2020, 8, 27), datetime.date(2020, 8, 27))
>>> read_date("2020-08-27 00:00:00-04:00")  # midnight in its own zone: a day
datetime.date(2020, 8, 27)
>>> read_date("2023-08-09T22:00Z")
datetime.datetime(2023, 8, 9, 22, 0, tzinfo=datetime.timezone.utc)
>>> read_date("03/02/2020")
Triple(first='03', second='02', third='2020')
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
FIRST_YEAR = 1970  # two digits: 70 to 99 are of the last century
_PER_SECOND = {10: 1, 13: 10**3, 16: 10**6, 19: 10**9}  # digits of an epoch -> its unit

_TIME = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
_YEAR_FIRST = re.compile(r"(\d{4})([-/.]?)(\d{2})\2(\d{2})")
_MOMENT = re.compile(
    r"(\d{4}[-/]?\d{2}[-/]?\d{2})[T ]" + _TIME + r"\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?"
)
_TRIPLE = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})(?: 0?0:00(?::00)?)?")
_LOOSE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_MONTH_DAY = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})")
_DAY_MONTH = re.compile(r"(\d{1,2})[- /]([A-Za-z]{3,9})\.?[- /,]+(\d{4}|\d{2})")
_EPOCH = re.compile(r"\d{10}|\d{13}|\d{16}|\d{19}")


class Triple(NamedTuple):
    """Three numbers whose order is not known yet; `third` has two digits or four."""

    first: str
    second: str
    third: str

    def read(self, order: str) -> date | None:
        """The day in an order of ORDERS, None where there is none."""
        parts = dict(zip(order, self, strict=True))
        if len(self.third) == 4 and order[2] != "y":
            return None
        return _day(_year(parts["y"]), int(parts["m"]), int(parts["d"]))


ORDERS = {"mdy": "month/day/year", "dmy": "day/month/year", "ymd": "year/month/day"}

Reading = date | datetime | Triple


def read_date(text: str) -> Reading | None:
    """A date, a moment in UTC where the text is one that is not midnight in its own zone, or a
    Triple; None where it is no date. A time without a zone is local: its date counts."""
    text = text.strip()
    if match := _YEAR_FIRST.fullmatch(text):
        return _day(int(match[1]), int(match[3]), int(match[4]))
    if match := _TRIPLE.fullmatch(text):
        return Triple(match[1], match[2], match[3])
    if match := _MOMENT.fullmatch(text):
        return _moment(match)
    if match := _LOOSE.fullmatch(text):
        return _day(int(match[1]), int(match[2]), int(match[3]))
    if match := _MONTH_DAY.fullmatch(text):
        return _day(int(match[3]), _month(match[1]), int(match[2]))
    if match := _DAY_MONTH.fullmatch(text):
        return _day(_year(match[3]), _month(match[2]), int(match[1]))
    if _EPOCH.fullmatch(text):
        return _epoch(int(text), _PER_SECOND[len(text)])
    return None


def day_of(reading: date | datetime, local: Callable[[datetime], date] | None) -> date | None:
    """The trading day: a date is one, a moment is read by `local`, in the exchange's zone; None
    where the zone is not known."""
    if not isinstance(reading, datetime):
        return reading
    return local(reading) if local else None


def decide_order(
    triples: Mapping[Triple, Collection[str]],
    is_session: Callable[[str, date], bool],
) -> tuple[str, ...]:
    """The orders in which the triples of a file can be read: one where it is decided, none where
    they contradict each other.

    An order reads every triple that any order reads; of several, those count in which every day is
    a session of its exchange.

    Args:
        triples: each with the exchanges of the symbols that it stands beside.
        is_session: of an exchange and a day; days to come are none.
    """
    legible = [t for t in triples if any(t.read(order) for order in ORDERS)]
    orders = tuple(o for o in ORDERS if all(t.read(o) for t in legible))
    if len(orders) < 2:
        return orders
    open_in = tuple(
        order
        for order in orders
        if all(
            (day := t.read(order)) and is_session(exchange, day)
            for t in legible
            for exchange in triples[t]
        )
    )
    known = any(triples[t] for t in legible)
    return open_in if known and open_in else orders


def readings(triple: Triple, orders: Iterable[str]) -> set[date]:
    """The different days that a triple can be in `orders`."""
    return {day for order in orders if (day := triple.read(order))}


def _year(text: str) -> int:
    if len(text) != 2:
        return int(text)
    century = 1900 if 1900 + int(text) >= FIRST_YEAR else 2000
    return century + int(text)


def _month(name: str) -> int:
    short = name.lower()[:3]
    return MONTHS.index(short) + 1 if short in MONTHS else 0


def _day(year: int, month: int, day: int) -> date | None:
    if not 1900 <= year < 2100:
        return None  # a year of two digits read as four
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _moment(match: re.Match[str]) -> date | datetime | None:
    day = read_date(match[1])
    if not isinstance(day, date):
        return None
    hour, minute, second = int(match[2]), int(match[3]), int(match[4] or 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    midnight = hour == minute == second == int(match[5] or 0) == 0
    if match[6] is None or midnight:
        return day
    moment = datetime.combine(day, time(hour, minute, second), UTC)
    return moment - _offset(match[6])


def _offset(text: str) -> timedelta:
    if text in ("Z", "UTC"):
        return timedelta(0)
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return -offset if text.startswith("-") else offset


def _epoch(count: int, per_second: int) -> date | datetime | None:
    try:
        moment = datetime.fromtimestamp(count // per_second, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.date() if moment.time() == time(0) else moment
