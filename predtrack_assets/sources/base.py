"""What a market data vendor has to give: batches of bars, actions, rejects and a fetch log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, Protocol

import polars as pl

from predtrack_assets.domain.market.actions import ACTIONS, empty_actions
from predtrack_assets.domain.market.bars import BARS, REJECTS, empty_rejects
from predtrack_assets.faults import Fault

FETCHES = pl.Schema(
    {
        "symbol": pl.String,
        "first_day": pl.Date,  # the window asked for, both inclusive
        "last_day": pl.Date,
        "status": pl.String,  # 'ok' | 'empty' | 'failed'
        "category": pl.String,  # one of CATEGORIES, null when ok
        "attempts": pl.Int32,
        "rows": pl.Int64,
        "message": pl.String,
    }
)
TOLD = pl.Schema({"symbol": pl.String, "ex_date": pl.Date, "kind": pl.String})
CATEGORIES = ("DELISTED", "RATE_LIMIT", "TIMEOUT", "NETWORK", "MALFORMED", "EMPTY")
BATCH_ROWS = 500_000
Revises = Literal["never", "recent", "anything"]


class SourceError(Fault):
    """The source as a whole cannot be read; the message says what is wrong and what to do."""


def empty_bars() -> pl.DataFrame:
    """A BARS frame without rows."""
    return pl.DataFrame(schema=BARS)


def empty_fetches() -> pl.DataFrame:
    """A FETCHES frame without rows."""
    return pl.DataFrame(schema=FETCHES)


@dataclass(frozen=True)
class Batch:
    """Whole symbols of one window. bars: BARS, as traded, unjudged; actions: ACTIONS with ex_date
    in the window; rejects: REJECTS, what could not even be read; fetches: FETCHES, one per symbol.
    told: of actions (TOLD), those that the answer would contain if they were in force, so that
    silence withdraws them; None: all of the window, of each symbol that was answered.
    """

    bars: pl.DataFrame = field(default_factory=empty_bars)
    actions: pl.DataFrame = field(default_factory=empty_actions)
    rejects: pl.DataFrame = field(default_factory=empty_rejects)
    fetches: pl.DataFrame = field(default_factory=empty_fetches)
    told: Callable[[pl.DataFrame], pl.DataFrame] | None = None

    def __post_init__(self) -> None:
        expected = {"bars": BARS, "actions": ACTIONS, "rejects": REJECTS, "fetches": FETCHES}
        for name, schema in expected.items():
            actual = getattr(self, name).schema
            if actual != schema:
                raise TypeError(f"{name} has {dict(actual)}, expected {dict(schema)}")


class PriceSource(Protocol):
    """A vendor. Results do not depend on the window: a range equals its days one by one.

    name: as stored with every bar.
    publication_delay: from the session's close until its bar could be had.
    exchange: calendar of symbols whose names do not tell it; None: there is none.
    revises: what it may still change, and is therefore asked for again: nothing, recent sessions,
    or any day.
    """

    @property
    def name(self) -> str: ...

    @property
    def publication_delay(self) -> timedelta: ...

    @property
    def exchange(self) -> str | None: ...

    @property
    def revises(self) -> Revises: ...

    def symbols(self) -> list[str] | None:
        """The symbols the source brings by itself, sorted; None: ask the universe."""

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Iterator[Batch]:
        """Bars from start to end, both inclusive, in batches of whole symbols of about BATCH_ROWS.

        A symbol's failure is a row of FETCHES and never stops the others.
        Raises SourceError when the source as a whole cannot be read.
        """


def log_fetches(
    symbols: Sequence[str],
    bars: pl.DataFrame,
    start: date,
    end: date,
    refused: Iterable[str] = (),
) -> pl.DataFrame:
    """FETCHES of a source that cannot fail per symbol: 'ok' where there are bars, or rows that were
    `refused` and are counted as such, else 'empty'."""
    delivered = (pl.col("rows") > 0) | pl.col("symbol").is_in(list(set(refused)))
    counted = bars.group_by("symbol").agg(pl.len().cast(pl.Int64).alias("rows"))
    return (
        pl.DataFrame({"symbol": list(symbols)}, schema={"symbol": pl.String})
        .join(counted, on="symbol", how="left", maintain_order="left")
        .with_columns(pl.col("rows").fill_null(0))
        .with_columns(
            first_day=pl.lit(start),
            last_day=pl.lit(end),
            attempts=pl.lit(1, pl.Int32),
            message=pl.lit(None, pl.String),
            status=pl.when(delivered).then(pl.lit("ok")).otherwise(pl.lit("empty")),
            category=pl.when(~delivered).then(pl.lit("EMPTY")),
        )
        .select(list(FETCHES))
    )


def within(frame: pl.DataFrame, column: str, start: date, end: date) -> pl.DataFrame:
    """The rows of `frame` whose `column` lies in [start, end]."""
    return frame.filter(pl.col(column).is_between(start, end))


def group_by_rows(counts: Sequence[tuple[str, int]], limit: int = BATCH_ROWS) -> list[list[str]]:
    """Symbols in the given order, grouped so that a group has at most `limit` rows (one symbol
    with more makes a group of its own)."""
    groups: list[list[str]] = []
    filled = 0
    for symbol, rows in counts:
        if not groups or filled + rows > limit:
            groups.append([])
            filled = 0
        groups[-1].append(symbol)
        filled += rows
    return groups
