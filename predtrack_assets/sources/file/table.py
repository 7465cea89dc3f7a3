"""The rows of a price file under the names of their roles, as the file spells them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from predtrack_assets.sources.base import SourceError
from predtrack_assets.sources.file.columns import (
    NUMBERS,
    REQUIRED,
    Columns,
    plain_name,
    read_columns,
)

ROW, SURPLUS = "row", "surplus"
_DELIMITERS = (",", ";", "\t", "|")
_HEAD_BYTES = 65_536
_SURPLUS_FIELDS = 8  # looked at beyond the header's
_FOREIGN = {
    b"PK\x03\x04": "is a ZIP archive or an Excel workbook, no CSV or Parquet: save it as CSV",
    b"\x1f\x8b": "is compressed: unpack it first",
    b"\xff\xfe": "is UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text: save it as UTF-8",
}


@dataclass(frozen=True)
class Table:
    """rows: row (number in the file, from 1, the header's included), the roles as in the file and,
    of text, surplus: the first field beyond the header's. columns: what they were read from."""

    rows: pl.LazyFrame
    columns: Columns
    is_text: bool


def unreadable(path: Path, error: Exception) -> SourceError:
    """The fault of a file that cannot be read at all, in one line."""
    cause = str(error).splitlines()[0] if str(error) else type(error).__name__
    return SourceError(f"{path} cannot be read: {cause}. Give a Parquet or CSV file")


def open_table(path: Path, symbol: str | None) -> Table:
    """The table in a file; raises SourceError, saying what to do, where there is none.

    symbol: of a file of one symbol, which has no column for it.
    """
    try:
        head = _head(path)
        if head.startswith(b"PAR1") or path.suffix.lower() in (".parquet", ".pq"):
            return _parquet(path, symbol)
        for magic, what in _FOREIGN.items():
            if head.startswith(magic):
                raise SourceError(f"{path} {what}")
        return _text(path, head, symbol)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable(path, error) from error


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise SourceError(f"{path} is a directory: name one Parquet or CSV file in it")
        if not path.is_file():
            raise SourceError(f"there is no price file {path}: check PREDTRACK_FILE or --file")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise SourceError(f"{path} is empty: it needs at least the columns {', '.join(REQUIRED)}")
    return head


def _parquet(path: Path, symbol: str | None) -> Table:
    raw = pl.scan_parquet(path, row_index_name=f"#{ROW}")
    names = raw.collect_schema().names()[1:]
    columns = read_columns(names, path, symbol)
    roles = [pl.col(name).alias(role) for role, name in columns.roles.items()]
    rows = raw.select((pl.col(f"#{ROW}") + 1).alias(ROW), *_symbol(symbol), *roles)
    return Table(rows, columns, is_text=False)


def _text(path: Path, head: bytes, symbol: str | None) -> Table:
    lines = head.decode("utf-8-sig", errors="replace").splitlines()
    delimiter, header = _header(lines)
    levels = _levels(header)
    skipped = len(header) if levels else 1
    width = max(len(header[0]), 1)
    fields = [*map(str, range(width)), *(f"+{n}" for n in range(_SURPLUS_FIELDS))]
    raw = pl.scan_csv(
        path,
        has_header=False,
        skip_rows=skipped,
        schema=dict.fromkeys(fields, pl.String),
        missing_columns="insert",
        separator=delimiter,
        truncate_ragged_lines=True,
        encoding="utf8-lossy",
        row_index_name=f"#{ROW}",
    ).filter(~pl.all_horizontal(pl.col(field).is_null() for field in fields))
    fixed = [
        (pl.col(f"#{ROW}") + skipped + 1).alias(ROW),
        pl.coalesce(fields[width:]).alias(SURPLUS),
    ]
    if levels:
        return _wide(raw, fixed, levels, path, symbol)
    columns = read_columns(header[0], path, symbol)
    at = {role: header[0].index(name) for role, name in columns.roles.items()}
    roles = [pl.col(str(place)).alias(role) for role, place in at.items()]
    return Table(raw.select(*fixed, *_symbol(symbol), *roles), columns, is_text=True)


def _symbol(symbol: str | None) -> list[pl.Expr]:
    return [] if symbol is None else [pl.lit(symbol).alias("symbol")]


def _header(lines: Sequence[str]) -> tuple[str, list[list[str]]]:
    """(delimiter, the first three rows): by the delimiter that makes the most fields of the first."""
    head = [line.replace("\0", "\u2400") for line in lines]
    split = {mark: list(islice(csv.reader(head, delimiter=mark), 3)) for mark in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda mark: len(split[mark][0]))
    return best, split[best]


@dataclass(frozen=True)
class _Levels:
    """Names and symbols of the columns of a header in several rows; the first column is the date."""

    names: list[str]
    symbols: list[str]


def _levels(header: list[list[str]]) -> _Levels | None:
    """yfinance's header: a row of names, one of symbols in either order, and 'Date,,,'."""
    if len(header) < 3:
        return None
    first, second, index = header
    if not index or plain_name(index[0]) not in ("date", "datetime") or any(index[1:]):
        return None
    for names, symbols in ((first, second), (second, first)):
        if {"open", "close"} <= set(map(plain_name, names[1:])):
            return _Levels(names, symbols)
    return None


def _wide(
    raw: pl.LazyFrame, fixed: list[pl.Expr], levels: _Levels, path: Path, symbol: str | None
) -> Table:
    """One table under the other, a symbol each; a row without a price of a symbol is none of its."""
    if symbol is not None:
        raise SourceError(
            f"--symbol {symbol} is for a file of one symbol; {path} names its symbols"
        )
    parts, columns = [], None
    for of in dict.fromkeys(levels.symbols[1:]):
        places = [n for n, name in enumerate(levels.symbols) if n and name == of]
        names = ["date", *(levels.names[n] for n in places)]
        columns = read_columns(names, path, of)
        at = dict(zip(names, [0, *places], strict=True))
        roles = [pl.col(str(at[name])).alias(role) for role, name in columns.roles.items()]
        numbers = [role for role in NUMBERS if role in columns.roles]
        given = ~pl.all_horizontal(pl.col(role).is_null() for role in numbers)
        parts.append(raw.select(*fixed, pl.lit(of).alias("symbol"), *roles).filter(given))
    if columns is None:
        raise SourceError(f"{path} names no symbol in its header")
    return Table(pl.concat(parts, how="diagonal"), columns, is_text=True)
