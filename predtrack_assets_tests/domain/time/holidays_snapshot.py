"""Where predtrack_assets/domain/holidays comes from.

`python -m predtrack_assets_tests.domain.holidays_snapshot` writes the files anew from the
installed exchange_calendars; test_calendar compares them with it.
"""

from __future__ import annotations

from pathlib import Path

import exchange_calendars
import numpy as np

from predtrack_assets.domain.time import calendar as snapshot

FILES = Path(snapshot.__file__).parent / "holidays"
EXCHANGES = ("XNYS", "XASX", "XLON", "XTSE", "XETR")


def reference(exchange: str) -> exchange_calendars.ExchangeCalendar:
    """exchange_calendars' calendar over the span of the snapshot."""
    return exchange_calendars.get_calendar(
        exchange, start=snapshot.FIRST_DAY.isoformat(), end=snapshot.LAST_DAY.isoformat()
    )


def weekday_holidays(exchange: str) -> np.ndarray:
    """Weekdays without a session, datetime64[D], sorted."""
    sessions = reference(exchange).sessions.to_numpy().astype("datetime64[D]")
    days = snapshot.all_days(snapshot.FIRST_DAY, snapshot.LAST_DAY)
    return np.setdiff1d(days[np.is_busday(days)], sessions)


def main() -> None:
    """Write one file per exchange."""
    for exchange in EXCHANGES:
        header = (
            f"# Weekdays from {snapshot.FIRST_DAY} to {snapshot.LAST_DAY} on which {exchange} has "
            f"no session.\n# From exchange_calendars {exchange_calendars.__version__}, by "
            f"python -m {__spec__.name}\n"
        )
        lines = "".join(f"{day}\n" for day in weekday_holidays(exchange))
        (FILES / f"{exchange}.txt").write_text(header + lines, encoding="ascii")


if __name__ == "__main__":
    main()
