"""Where predtrack_assets/domain/time/exchanges comes from: `make calendars` runs this file.

It needs exchange_calendars, pandas and NumPy alone, so that it runs in an environment of its own:
exchange_calendars 4.13 computes what BROKEN_UNDER_PANDAS_3 names wrongly, or not at all, with pandas 3.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd

FOLDER = Path(__file__).parents[3] / "predtrack_assets" / "domain" / "time" / "exchanges"
FIRST_DAY, LAST_DAY = pd.Timestamp("1990-01-01"), pd.Timestamp("2030-12-31")
_NAMES = """
ASEX BVMF CMES IEPA XAMS XASX XBKK XBOG XBOM XBRU XBSE XBUD XBUE XCSE XDUB XDUS XETR XFRA XHAM XHEL
XHKG XICE XIDX XIST XJSE XKAR XKLS XKRX XLIM XLIS XLIT XLON XMAD XMEX XMIL XMOS XNYS XNZE XOSL XPAR
XPHS XPRA XRIS XSAU XSES XSGO XSHG XSTO XSTU XSWX XTAE XTAI XTAL XTKS XTSE XWAR XWBO
"""
EXCHANGES = tuple(_NAMES.split())
BROKEN_UNDER_PANDAS_3 = ("ASEX", "XBOM", "XBSE", "XKRX", "XMOS", "XTAE")
HEADER = """\
# {exchange} from exchange_calendars {version}, by `make calendars`. Local times; -hh:mm is before midnight.
# hours FROM OPENS CLOSES | closed, extra YEAR DAYS | opens, closes TIME YEAR DAYS that open late, close early
"""


def reference(exchange: str) -> exchange_calendars.ExchangeCalendar:
    """exchange_calendars' calendar over the span of the snapshot, or what it knows of it."""
    factory = exchange_calendars.calendar_utils._default_calendar_factories[exchange]
    first, last = factory.bound_min(), factory.bound_max()
    start = FIRST_DAY if first is None else max(first, FIRST_DAY)
    end = LAST_DAY if last is None else min(last, LAST_DAY)
    return exchange_calendars.get_calendar(exchange, start=start, end=end)


def local_hours(calendar: exchange_calendars.ExchangeCalendar) -> pd.DataFrame:
    """opens and closes of each session, timedeltas from local midnight, by day."""
    schedule = calendar.schedule

    def since_midnight(column: str) -> pd.Series:
        local = schedule[column].dt.tz_convert(calendar.tz).dt.tz_localize(None)
        return local - schedule.index

    return pd.DataFrame({"opens": since_midnight("open"), "closes": since_midnight("close")})


def text(exchange: str) -> str:
    """The file of an exchange."""
    calendar = reference(exchange)
    span = pd.date_range(calendar.bound_min() or FIRST_DAY, calendar.bound_max() or LAST_DAY)
    span = span[(span >= FIRST_DAY) & (span <= LAST_DAY)]
    hours = local_hours(calendar)
    share = pd.Series(span.isin(hours.index)).groupby(span.dayofweek).mean()
    week = [bool(share.get(day, 0) > 0.5) for day in range(7)]
    in_week = np.array(week)[span.dayofweek]
    session = span.isin(hours.index)
    eras = _eras(calendar, span[0])
    lines = [
        f"zone {calendar.tz}",
        f"span {span[0].date()} {span[-1].date()}",
        "week " + "".join("01"[day] for day in week),
        *(f"hours {day.date()} {_time(opens)} {_time(closes)}" for day, opens, closes in eras),
        *_by_year("closed", span[in_week & ~session]),
        *_by_year("extra", span[~in_week & session]),
    ]
    starts = pd.DatetimeIndex([day for day, *_ in eras])
    era = starts.searchsorted(hours.index, side="right") - 1
    for column, place in (("opens", 1), ("closes", 2)):
        usual = pd.TimedeltaIndex([e[place] for e in eras])[era]
        special = hours[column][(hours[column] != usual).to_numpy()]
        for time in sorted(special.unique()):
            days = pd.DatetimeIndex(special.index[special == time])
            lines += _by_year(f"{column} {_time(time)}", days)
    header = HEADER.format(exchange=exchange, version=exchange_calendars.__version__)
    return header + "".join(f"{line}\n" for line in lines)


def _eras(
    calendar: exchange_calendars.ExchangeCalendar, first: pd.Timestamp
) -> list[tuple[pd.Timestamp, pd.Timedelta, pd.Timedelta]]:
    """(first day, opens, closes) of each stretch of regular hours."""

    def changes(times: tuple, offset: int) -> dict[pd.Timestamp, pd.Timedelta]:
        found = {}
        for day, time in times:
            since = pd.Timedelta(hours=time.hour, minutes=time.minute) + pd.Timedelta(days=offset)
            found[max(first, pd.Timestamp(day)) if day else first] = since
        return found

    opens = changes(calendar.open_times, calendar.open_offset)
    closes = changes(calendar.close_times, calendar.close_offset)
    days = sorted(day for day in {*opens, *closes} if day <= LAST_DAY)
    usual = pd.DataFrame({"opens": opens, "closes": closes}).reindex(days).ffill()
    return [(day, row.opens, row.closes) for day, row in zip(days, usual.itertuples(), strict=True)]


def _by_year(name: str, days: pd.DatetimeIndex) -> list[str]:
    return [
        f"{name} {year} " + " ".join(f"{day:%m-%d}" for day in of_year)
        for year, of_year in groupby(days, key=lambda day: day.year)
    ]


def _time(since_midnight: pd.Timedelta) -> str:
    minutes = round(since_midnight.total_seconds() / 60)
    return f"{'-' * (minutes < 0)}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def main() -> None:
    """Write one file per exchange."""
    if int(pd.__version__.split(".")[0]) > 2:
        raise SystemExit("needs pandas 2: run `make calendars`")
    FOLDER.mkdir(exist_ok=True)
    for exchange in EXCHANGES:
        (FOLDER / f"{exchange}.txt").write_text(text(exchange), encoding="ascii")


if __name__ == "__main__":
    main()
