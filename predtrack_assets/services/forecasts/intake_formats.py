"""Predictions in bytes: JSON, NDJSON, CSV, Parquet, Arrow; what they hold, as rows of intake.

What is packed is unpacked within limits: a small body may hold much.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from predtrack_assets.domain.forecasts.intake.rows import (
    MAX_ROWS,
    MAX_SAMPLES,
    Unreadable,
    nested,
    read_json,
)

MAX_UNPACKED = 64 * 1024 * 1024  # bytes
MAX_COLUMNS = 64
MAX_TEXT = 1_000  # bytes of a cell
ENVELOPE = ("model", "version")


class TooManyRows(Unreadable):
    """More rows than a batch holds."""


@dataclass(frozen=True)
class HandedIn:
    """Rows, and the model and version that stand beside them, if any do."""

    rows: list[Any]
    model: str | None = None
    version: int | None = None


def read_rows(data: bytes, form: str, most: int | None = MAX_ROWS) -> HandedIn:
    """What bytes of a form in READERS hold; most: rows, None for any number.

    Columns `model` and `version` of a table belong to all of its rows. Raises Unreadable.
    """
    found = READERS[form](data, most)
    if most is not None and len(found.rows) > most:
        raise TooManyRows(f"a batch has 1 to {most:,} rows, not {len(found.rows):,}")
    return found


def _json(data: bytes, most: int | None) -> HandedIn:
    found = read_json(data)
    if isinstance(found, list):
        return HandedIn(found)
    rows = found.get("predictions") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise Unreadable("it holds no list of predictions")
    return HandedIn(rows, found.get("model"), found.get("version"))


def _ndjson(data: bytes, most: int | None) -> HandedIn:
    lines = [line for line in data.splitlines() if line.strip()]
    if most is not None and len(lines) > most:
        raise TooManyRows(f"a batch has 1 to {most:,} rows, not {len(lines):,}")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(read_json(line))
        except Unreadable as error:
            raise Unreadable(f"line {number}: {error}") from None
    return _without_envelope(rows)


def _csv(data: bytes, most: int | None) -> HandedIn:
    try:
        frame = pl.read_csv(io.BytesIO(data), try_parse_dates=False, n_rows=most and most + 1)
    except pl.exceptions.PolarsError as error:
        raise Unreadable(f"it is no table: {str(error).splitlines()[0][:200]}") from None
    return _table(frame, most)


def _parquet(data: bytes, most: int | None) -> HandedIn:
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        about = file.metadata
        unpacked = sum(about.row_group(n).total_byte_size for n in range(about.num_row_groups))
        _within_limits(about.num_rows, about.num_columns, unpacked, most)
        frame = pl.DataFrame(pl.from_arrow(file.read()))
    except (pa.ArrowException, OSError, pl.exceptions.PolarsError, TypeError) as error:
        raise Unreadable(f"it is no Parquet that can be read: {_first_line(error)}") from None
    return _table(frame, most)


def _arrow(data: bytes, most: int | None) -> HandedIn:
    batches, rows, size = [], 0, 0
    try:
        with pa.ipc.open_stream(data) as stream:
            for batch in stream:
                rows, size = rows + batch.num_rows, size + batch.nbytes
                _within_limits(rows, batch.num_columns, size, most)
                batches.append(batch)
            table = pa.Table.from_batches(batches, stream.schema)
        frame = pl.DataFrame(pl.from_arrow(table))
    except (pa.ArrowException, OSError, pl.exceptions.PolarsError, TypeError) as error:
        raise Unreadable(f"it is no Arrow stream that can be read: {_first_line(error)}") from None
    return _table(frame, most)


READERS: dict[str, Callable[[bytes, int | None], HandedIn]] = {
    "json": _json,
    "ndjson": _ndjson,
    "csv": _csv,
    "parquet": _parquet,
    "arrow": _arrow,
}


def _table(frame: pl.DataFrame, most: int | None) -> HandedIn:
    """The rows of a flat table, whose cells are looked at before they are copied."""
    _within_limits(len(frame), frame.width, int(frame.estimated_size()), most)
    for name, kind in frame.schema.items():
        if kind == pl.String and (frame[name].str.len_bytes().max() or 0) > MAX_TEXT:  # type: ignore[operator]
            raise Unreadable(f"column {name[:64]!r}: a cell has at most {MAX_TEXT:,} bytes")
        if isinstance(kind, pl.List) and (frame[name].list.len().max() or 0) > MAX_SAMPLES:  # type: ignore[operator]
            raise Unreadable(f"column {name[:64]!r}: a cell has at most {MAX_SAMPLES:,} values")
    return _without_envelope(nested(frame.iter_rows(named=True)))


def _without_envelope(rows: Sequence[Any]) -> HandedIn:
    """Rows without their columns of ENVELOPE, which say the same in every row."""
    named = {
        tuple(row.pop(name, None) for name in ENVELOPE) if isinstance(row, dict) else (None, None)
        for row in rows
    }
    if len(named) > 1:
        raise Unreadable("it is of one model and version, the same in every row")
    model, version = named.pop() if named else (None, None)
    return HandedIn(list(rows), model, version)


def _within_limits(rows: int, columns: int, size: int, most: int | None) -> None:
    if most is not None and rows > most:
        raise TooManyRows(f"a batch has 1 to {most:,} rows, not {rows:,}")
    if columns > MAX_COLUMNS:
        raise Unreadable(f"it has more than {MAX_COLUMNS} columns")
    if most is not None and size > MAX_UNPACKED:
        raise Unreadable(f"unpacked it has more than {MAX_UNPACKED:,} bytes")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
