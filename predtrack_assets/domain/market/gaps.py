"""Sessions without a bar, between the first and the last bar of each symbol."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from predtrack_assets.domain.time.calendar import calendar

GAPS: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "exchange": pl.String(),
    "first_missing": pl.Date(),
    "last_missing": pl.Date(),
    "sessions": pl.Int64(),
}


def find_gaps(steps: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    """Gaps of which a part lies in [first, last], cut to it; columns GAPS, longest first.

    steps: symbol, exchange, previous, next: days of two consecutive bars of a symbol. A gap is
    the sessions of its exchange strictly between them. Raises ValueError for an unknown exchange
    and for a day outside the calendar snapshot.

    >>> steps = pl.DataFrame({"symbol": ["A"], "exchange": ["XNYS"],
    ...                       "previous": [date(2024, 1, 2)], "next": [date(2024, 1, 8)]})
    >>> find_gaps(steps, date(2024, 1, 1), date(2024, 1, 31)).row(0)[2:]
    (datetime.date(2024, 1, 3), datetime.date(2024, 1, 5), 3)
    """
    parts = [
        _missing_between(group, str(exchange), first, last)
        for (exchange,), group in steps.group_by("exchange", maintain_order=True)
    ]
    found = pl.concat(parts) if parts else pl.DataFrame(schema=GAPS)
    return found.sort("sessions", "symbol", "first_missing", descending=[True, False, False])


def missing_per_day(gaps: pl.DataFrame) -> pl.DataFrame:
    """day (date), missing (int64): symbols in a gap on each session that is missing for any.

    >>> gap = pl.DataFrame({"exchange": ["XNYS"], "first_missing": [date(2024, 1, 5)],
    ...                     "last_missing": [date(2024, 1, 8)]})
    >>> missing_per_day(gap).sort("day").rows()
    [(datetime.date(2024, 1, 5), 1), (datetime.date(2024, 1, 8), 1)]
    """
    days = [
        _sessions_missing(group, str(exchange))
        for (exchange,), group in gaps.group_by("exchange", maintain_order=True)
    ]
    schema = {"day": pl.Date(), "missing": pl.Int64()}
    return pl.concat(days).group_by("day").sum() if days else pl.DataFrame(schema=schema)


def ended_per_day(last_bars: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    """day (date), ended (int64): symbols whose last bar is of the session before, in [first, last].

    last_bars: symbol, exchange, last_bar (date).

    >>> last = pl.DataFrame({"symbol": ["A"], "exchange": ["XNYS"], "last_bar": [date(2024, 1, 5)]})
    >>> ended_per_day(last, date(2024, 1, 1), date(2024, 1, 31)).rows()
    [(datetime.date(2024, 1, 8), 1)]
    """
    following = [
        pl.DataFrame(
            {"day": calendar(str(exchange)).offset_or_nat(group["last_bar"].to_numpy(), 1)}
        )
        for (exchange,), group in last_bars.group_by("exchange", maintain_order=True)
    ]
    days = pl.concat(following) if following else pl.DataFrame(schema={"day": pl.Date()})
    return (
        days.filter(pl.col("day").is_between(first, last))
        .group_by("day")
        .agg(pl.len().cast(pl.Int64).alias("ended"))
    )


def _missing_between(steps: pl.DataFrame, exchange: str, first: date, last: date) -> pl.DataFrame:
    sessions = calendar(exchange).sessions
    after_previous = np.searchsorted(sessions, steps["previous"].to_numpy(), side="right")
    at_next = np.searchsorted(sessions, steps["next"].to_numpy(), side="left")
    begin = np.maximum(after_previous, np.searchsorted(sessions, np.datetime64(first)))
    end = np.minimum(at_next, np.searchsorted(sessions, np.datetime64(last), side="right"))
    gap = end > begin
    return steps.filter(gap).select(
        "symbol",
        "exchange",
        first_missing=pl.Series(sessions[begin[gap]]).cast(pl.Date),
        last_missing=pl.Series(sessions[end[gap] - 1]).cast(pl.Date),
        sessions=pl.Series(end[gap] - begin[gap]).cast(pl.Int64),
    )


def _sessions_missing(gaps: pl.DataFrame, exchange: str) -> pl.DataFrame:
    """Running count of gaps that have begun and not ended."""
    sessions = calendar(exchange).sessions
    begin = np.searchsorted(sessions, gaps["first_missing"].to_numpy())
    end = np.searchsorted(sessions, gaps["last_missing"].to_numpy(), side="right")
    size = len(sessions) + 1
    open_ = np.cumsum(np.bincount(begin, minlength=size) - np.bincount(end, minlength=size))[:-1]
    missing = open_ > 0
    return pl.DataFrame({"day": sessions[missing], "missing": open_[missing]}).cast(
        {"day": pl.Date, "missing": pl.Int64}
    )
