"""What would come of a price file: how it is understood, what is refused and why, without a database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from predtrack_assets.domain.market.actions import empty_actions
from predtrack_assets.domain.market.bars import BARS, REJECTS, empty_previous, screen
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.settings import Settings
from predtrack_assets.sources.base import SourceError
from predtrack_assets.sources.file.source import FileSource
from predtrack_assets.sources.routing import make_source, routes

FIRST_ROWS = 5


@dataclass(frozen=True)
class FileCheck:
    """columns: role, the file's name for it, how its cells are read; unread: the other columns.

    head: BARS, the first as they would be stored. refused: reason, rows, example; flagged: flag,
    rows, example. splits, contained: stated splits, and how many the prices are adjusted for.
    """

    path: Path
    rows: int
    symbols: int
    first: date | None
    last: date | None
    columns: list[tuple[str, str, str]]
    unread: list[str]
    head: pl.DataFrame
    refused: list[tuple[str, int, str]]
    flagged: list[tuple[str, int, str]]
    actions: int
    splits: int
    contained: int
    notes: list[str]

    @property
    def refusals(self) -> int:
        """Rows that would be refused."""
        return sum(rows for _, rows, _ in self.refused)


def file_source(settings: Settings) -> FileSource:
    """The file of the settings as a source. Raises SourceError where there is none."""
    source = make_source(settings)
    if not isinstance(source, FileSource):
        raise SourceError(f"prices come from {source.name}, not from a file")
    return source


def check_file(settings: Settings, last_complete: date) -> FileCheck:
    """Read and judge the whole file as an ingest into an empty database would.

    last_complete: the last day whose bars are final. Raises SourceError where it is no price file.
    """
    source = file_source(settings)
    symbols = source.symbols()
    bars, actions, rejects, flagged = _judged(source, symbols, last_complete, settings)
    kept = bars.select("trading_day")
    return FileCheck(
        source.path,
        source.row_count,
        len(symbols),
        kept["trading_day"].min(),  # type: ignore[arg-type]
        kept["trading_day"].max(),  # type: ignore[arg-type]
        list(_columns(source)),
        source.table.columns.unread,
        bars.head(FIRST_ROWS),
        _counted(rejects, "reason", _example_of_refusal),
        _counted(flagged, "flag", lambda row: f"{row['symbol']} on {row['trading_day']}"),
        actions.height,
        source.splits.height,
        source.splits_in_prices.height,
        list(_notes(source, actions)),
    )


def require_rows(source: FileSource, first: date, last: date) -> str:
    """One sentence of what the file holds for [first, last].

    Raises SourceError where it holds no row of them that can be read: nothing could be stored.
    """
    rows, symbols, begins, ends = source.extent(first, last)
    if rows:
        unread = source.table.columns.unread
        ignored = f"; not read: {', '.join(unread)}" if unread else ""
        return f"{source.path.name}: {rows:,} rows of {symbols:,} symbols in these days{ignored}"
    refused = source.refused
    if begins is None and not refused.is_empty():
        cell = json.loads(refused["payload"][0])["cell"]
        raise SourceError(f"{source.path}: no row can be read; {cell}")
    if begins is None:
        raise SourceError(f"{source.path} has columns and no row")
    raise SourceError(
        f"{source.path} has no row between {first} and {last}: it reaches from {begins} to {ends}"
    )


def _judged(
    source: FileSource, symbols: list[str], last_complete: date, settings: Settings
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """(BARS accepted, ACTIONS, REJECTS, accepted bars with a flag), all of the file."""
    accepted, actions = [pl.DataFrame(schema=BARS)], [empty_actions()]
    rejects, flagged = [pl.DataFrame(schema=REJECTS)], []
    for batch in source.fetch(symbols, date(1900, 1, 1), last_complete):
        listed = routes(batch.fetches["symbol"], settings.default_exchange)
        exchanges = listed["exchange"].drop_nulls().unique()
        screened = screen(
            batch.bars,
            routes=listed,
            sessions={name: calendar(name).sessions for name in exchanges},
            last_complete=last_complete,
            previous=empty_previous(),
            traded=(),
            actions=batch.actions,
            max_jump=settings.max_jump,
        )
        accepted.append(screened.accepted.select(list(BARS)))
        flagged.append(screened.accepted.filter(pl.col("flag").is_not_null()))
        actions.append(batch.actions)
        rejects += [batch.rejects, screened.rejects]
    return tuple(map(pl.concat, (accepted, actions, rejects, flagged)))  # type: ignore[return-value]


def _columns(source: FileSource) -> Iterator[tuple[str, str, str]]:
    for role, name in source.table.columns.roles.items():
        yield role, name, source.spelling.described(role)


def _counted(frame: pl.DataFrame, column: str, example: object) -> list[tuple[str, int, str]]:
    """(value, rows, example) of a column, the most frequent first."""
    assert callable(example)
    groups = frame.partition_by(column, as_dict=True, maintain_order=True)
    found = [
        (str(key[0]), rows.height, example(rows.row(0, named=True))) for key, rows in groups.items()
    ]
    return sorted(found, key=lambda group: (-group[1], group[0]))


def _example_of_refusal(row: dict[str, str]) -> str:
    payload = json.loads(row["payload"])
    if "cell" in payload:
        return str(payload["cell"])
    cells = (
        f"{name} {value}"
        for name, value in payload.items()
        if name not in ("symbol", "trading_day")
    )
    return f"{row['symbol']} on {row['trading_day']}: {', '.join(cells)}"


def _notes(source: FileSource, actions: pl.DataFrame) -> Iterator[str]:
    columns = source.table.columns
    has = columns.roles.keys()
    if not {"split", "dividend", "adj_close"} & has:
        yield "no column tells of splits and dividends: none are stored, and none withdrawn"
    cash = actions.filter(pl.col("kind") == "dividend")
    if "stock splits" in map(str.lower, columns.names) and "adj_close" not in has and cash.height:
        yield (
            "yfinance's prices without 'Adj Close' are usually adjusted for dividends too"
            " (auto_adjust=True), and would be stored so: export them with auto_adjust=False"
        )
