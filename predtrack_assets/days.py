"""Trading days of the configured exchanges, and windows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.settings import Settings, get_settings


def sessions_of(exchanges: Sequence[str]) -> Days:
    """Sorted days on which any of the exchanges has a session, datetime64[D]."""
    return np.unique(np.concatenate([calendar(exchange).sessions for exchange in exchanges]))


@dataclass(frozen=True)
class Window:
    """The trading days from start to end, both included. Raises ValueError if end < start."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"window ends on {self.end}, before its start {self.start}")

    @property
    def days(self) -> Days:
        """Sorted trading days of the configured exchanges, datetime64[D]."""
        days = sessions_of(get_settings().exchanges)
        return days[(days >= np.datetime64(self.start)) & (days <= np.datetime64(self.end))]

    @property
    def opens(self) -> date:
        """`window_start` of the first day: what becomes known from then on belongs to it."""
        return window_start(self.start, get_settings())


def no_trading_day(first: date, last: date) -> str:
    """The sentence that no trading day lies in [first, last], and which are the nearest."""
    exchanges = get_settings().exchanges
    days = sessions_of(exchanges)
    before, after = days[days < np.datetime64(first)][-1:], days[days > np.datetime64(last)][:1]
    nearest = " and ".join(str(day) for day in (*before, *after))
    asked = f"on {first}" if first == last else f"from {first} to {last}"
    closed = ", ".join(exchanges)
    return f"no trading day {asked}: {closed} closed (weekend or holiday); nearest: {nearest}"


def month_ends(first: date, last: date) -> list[date]:
    """The last trading day of every month from that of `first` to that of `last`."""
    days = sessions_of(get_settings().exchanges)
    after = np.arange(np.datetime64(first, "M"), np.datetime64(last, "M") + 1) + 1
    index = np.searchsorted(days, after.astype("datetime64[D]")) - 1
    return [day.item() for day in days[index[index >= 0]]]


def window_start(day: date, settings: Settings) -> date:
    """The day after the last trading day before `day`: where the window of `day` begins.

    Days in between belong to no partition; what a vendor says of them is judged with `day`.
    """
    days = sessions_of(settings.exchanges)
    index = int(np.searchsorted(days, np.datetime64(day))) - 1
    return day if index < 0 else (days[index] + 1).item()


def last_days_of(unit: str, days: Days) -> Days:
    """Those of `days` that are the last trading day of their week, month, quarter or year.

    unit: "W", "M", "3M" or "Y".
    """
    sessions = sessions_of(get_settings().exchanges)
    following = sessions[np.minimum(np.searchsorted(sessions, days) + 1, len(sessions) - 1)]
    # datetime64[W] weeks begin on Thursdays; shift so that they begin on Mondays.
    shift = np.timedelta64(3, "D") if unit == "W" else np.timedelta64(0, "D")
    period = f"datetime64[{unit}]"
    return days[(days + shift).astype(period) != (following + shift).astype(period)]
