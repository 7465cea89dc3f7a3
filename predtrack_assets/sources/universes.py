"""Universes: which symbols to ask a vendor for, as dated membership."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import polars as pl

from predtrack_assets.sources.base import SourceError

MEMBERSHIP = pl.Schema({"symbol": pl.String, "start_date": pl.Date, "end_date": pl.Date})

_BUILT_IN = Path(__file__).parent / "universes.csv"


def universe(name: str) -> pl.DataFrame:
    """MEMBERSHIP of a built-in universe (SPX500, NASDAQ100, ASX200) or of a file, '<path>.csv'.

    The built-in ones are today's names with unknown start: **survivorship-biased**. Use a file
    with dates for anything but trying things out. Raises SourceError for another name.
    """
    if name.lower().endswith(".csv"):
        return read_membership(Path(name).expanduser())
    listed = built_in_membership()
    members_of = listed.filter(pl.col("universe") == name)
    if members_of.is_empty():
        known = ", ".join(listed["universe"].unique(maintain_order=True))
        raise SourceError(f"there is no universe {name!r}: choose one of {known}, or give a .csv")
    return members_of.select(list(MEMBERSHIP))


@cache
def built_in_membership() -> pl.DataFrame:
    """universe, symbol, start_date, end_date of the built-in universes."""
    return pl.read_csv(_BUILT_IN, schema={"universe": pl.String, **dict(MEMBERSHIP.items())})


def read_membership(path: Path) -> pl.DataFrame:
    """MEMBERSHIP from a CSV file with columns ticker (or symbol), start_date, end_date (ISO 8601).

    An empty start_date means unknown, an empty end_date still a member; end_date is the last day.
    A symbol may have several rows. Raises SourceError that names the fault and its line.
    """
    if not path.is_file():
        raise SourceError(f"there is no membership file {path}")
    try:
        raw = pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        cause = str(error).splitlines()[0]
        raise SourceError(f"{path} is no readable CSV file: {cause}") from error
    raw = raw.rename(lambda name: name.strip().lower()).rename({"ticker": "symbol"}, strict=False)
    missing = [c for c in MEMBERSHIP if c not in raw.columns]
    if missing:
        raise SourceError(
            f"{path} lacks {', '.join(missing)}: it needs the columns ticker, start_date, end_date"
        )
    text = raw.select(pl.col(list(MEMBERSHIP)).str.strip_chars().replace("", None))
    read = text.with_columns(pl.col("start_date", "end_date").str.to_date("%Y-%m-%d", strict=False))
    _refuse(path, text["symbol"].is_null(), "has no ticker")
    for column in ("start_date", "end_date"):
        wrong = read[column].is_null() & text[column].is_not_null()
        _refuse(path, wrong, f"has a {column} that is no date like 2020-12-31")
    _refuse(path, (read["end_date"] < read["start_date"]).fill_null(False), "ends before it starts")
    return read.sort("symbol", "start_date", nulls_last=False)


def _refuse(path: Path, wrong: pl.Series, fault: str) -> None:
    lines = wrong.arg_true()
    if not lines.is_empty():
        raise SourceError(f"{path}, line {lines[0] + 2} {fault} ({len(lines)} such lines)")


def members(membership: pl.DataFrame, start: date, end: date) -> list[str]:
    """The symbols that were members on at least one day of [start, end], sorted."""
    began = pl.col("start_date").is_null() | (pl.col("start_date") <= end)
    remained = pl.col("end_date").is_null() | (pl.col("end_date") >= start)
    return membership.filter(began & remained)["symbol"].unique().sort().to_list()
