"""Rows as bytes: typed, unambiguous, the same on any machine, so that they can be hashed.

A row is the values of the encoding's columns in their order. A value is the byte 01 and its bytes,
null the byte 00 and as many zero bytes (for text: an empty text). Big-endian throughout:

boolean 1 byte; smallint, integer, bigint 8 bytes two's complement; double precision 8 bytes
IEEE 754, one NaN (7ff8 and zeros); date 8 bytes, days since 1970-01-01; timestamp with time zone
8 bytes, microseconds since 1970-01-01 UTC; uuid 16 bytes; text and jsonb (as PostgreSQL prints it)
4 bytes of length and UTF-8.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

VERSION = 1
LEAF_PREFIX = 0
DIGEST_BYTES = 32

_INTEGER, _FLOAT = (">i8", pl.Int64()), (">f8", pl.Float64())
# Type of a column: its bytes, and the Polars type that its values are brought to first.
_FIXED: dict[str, tuple[str, pl.DataType]] = {
    "boolean": ("u1", pl.UInt8()),
    "smallint": _INTEGER,
    "integer": _INTEGER,
    "bigint": _INTEGER,
    "date": _INTEGER,
    "timestamp with time zone": _INTEGER,
    "double precision": _FLOAT,
    "uuid": ("V16", pl.Binary()),
}
_TEXT = {"text", "jsonb"}
_NAN = np.uint64(0x7FF8000000000000).view(np.float64)


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8 with sorted keys and no spaces. Texts and integers only are canonical."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


@dataclass(frozen=True)
class Encoding:
    """Which columns a row's bytes hold: (name, SQL type) in order. Raises ValueError for a type
    that has no encoding."""

    columns: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        for name, kind in self.columns:
            if kind not in _FIXED and kind not in _TEXT:
                raise ValueError(f"column {name}: no encoding of type {kind}")

    @classmethod
    def parse(cls, description: str) -> Encoding:
        """The encoding that a description describes. Raises ValueError for another version."""
        said = json.loads(description)
        if said["version"] != VERSION:
            raise ValueError(f"row encoding of version {said['version']}, known is {VERSION}")
        return cls(tuple((name, kind) for name, kind in said["columns"]))

    @cached_property
    def description(self) -> str:
        """Canonical JSON of the version and the columns."""
        columns = [list(column) for column in self.columns]
        return canonical_json({"version": VERSION, "columns": columns}).decode()

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the description: what headers name it by."""
        return hashlib.sha256(self.description.encode()).digest()


def leaf_hashes(frame: pl.DataFrame, encoding: Encoding) -> list[bytes]:
    """SHA-256(00 || row) of each row, 32 bytes each.

    frame: the encoding's columns among others; uuid as 16 bytes, jsonb as text. Raises Polars
    errors for a column that is missing or of another type.
    """
    data, ends = _rows(frame, encoding, LEAF_PREFIX)
    sha256 = hashlib.sha256
    return [sha256(data[start:end]).digest() for start, end in pairwise(ends)]


def encode_rows(frame: pl.DataFrame, encoding: Encoding) -> list[bytes]:
    """The bytes of each row, as they are hashed after the leaf's prefix."""
    data, ends = _rows(frame, encoding, LEAF_PREFIX)
    return [bytes(data[start + 1 : end]) for start, end in pairwise(ends)]


def _rows(frame: pl.DataFrame, encoding: Encoding, prefix: int) -> tuple[memoryview, list[int]]:
    """All rows end to end, each after the byte `prefix`, and where they end (n + 1 numbers)."""
    parts = [_prefix(len(frame), prefix)]
    run: list[tuple[str, str]] = []
    for column in (*encoding.columns, None):
        if column is not None and column[1] in _FIXED:
            run.append(column)
            continue
        if run:
            parts.append(_fixed(frame, run))
            run = []
        if column is not None:
            parts.append(_text(frame[column[0]]))
    joined = pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.large_binary()))
    _, offsets, data = joined.buffers()
    ends = np.frombuffer(offsets, np.int64, len(frame) + 1, joined.offset * 8)
    return memoryview(data or b""), ends.tolist()


def _prefix(rows: int, prefix: int) -> pa.Array:
    return _binary(np.full(rows, prefix, np.uint8))


def _fixed(frame: pl.DataFrame, columns: Sequence[tuple[str, str]]) -> pa.Array:
    """Columns of fixed width side by side, each value after its tag."""
    fields = [f for name, kind in columns for f in ((f"?{name}", "u1"), (name, _FIXED[kind][0]))]
    rows = np.zeros(len(frame), np.dtype(fields))
    for name, kind in columns:
        values = frame[name].cast(_FIXED[kind][1])
        rows[f"?{name}"] = values.is_not_null().to_numpy()
        rows[name] = _uuids(values) if kind == "uuid" else _numbers(values)
    return _binary(rows)


def _numbers(values: pl.Series) -> np.ndarray:
    numbers = values.fill_null(0).to_numpy()
    return np.where(np.isnan(numbers), _NAN, numbers) if numbers.dtype.kind == "f" else numbers


def _uuids(values: pl.Series) -> np.ndarray:
    joined = b"".join(values.fill_null(bytes(16)).to_list())
    if len(joined) != 16 * len(values):
        raise ValueError(f"column {values.name}: a uuid is 16 bytes")
    return np.frombuffer(joined, "V16")


def _binary(rows: np.ndarray) -> pa.Array:
    """An array of n items as n values of their bytes."""
    width = rows.dtype.itemsize
    fixed = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), len(rows), [None, pa.py_buffer(rows)]
    )
    return fixed.cast(pa.large_binary())


def _text(values: pl.Series) -> pa.Array:
    """Each text after its tag and length; every distinct one is encoded once."""
    found = values.cast(pl.String).to_arrow().dictionary_encode()
    encoded = [_one_text(value) for value in found.dictionary.to_pylist()] + [_one_text(None)]
    codes = found.indices.fill_null(len(encoded) - 1)
    return pa.array(encoded, pa.large_binary()).take(codes)


def _one_text(value: str | None) -> bytes:
    data = (value or "").encode()
    return bytes([value is not None]) + len(data).to_bytes(4, "big") + data
