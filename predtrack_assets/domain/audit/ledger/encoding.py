"""Rows as bytes: typed, unambiguous, the same on any machine, so that they can be hashed.

A row is the values of the encoding's columns, in their order. Null is the byte 00. Any other value
is the byte 01 and, big-endian: boolean 1 byte; smallint 2, integer 4, bigint 8 bytes of two's
complement; double precision 8 bytes of IEEE 754, every NaN as 7ff8000000000000; date 4 bytes,
days since 2000-01-01; timestamp with time zone 8 bytes, microseconds since 2000-01-01 UTC; uuid
16 bytes; text, and jsonb as PostgreSQL prints it, 4 bytes of length and UTF-8.

These are PostgreSQL's own binary forms: it encodes millions of rows (warehouse.row_bytes), and
what is here encodes one, the same.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

VERSION = 1
NULL, PRESENT = b"\x00", b"\x01"
NAN = bytes.fromhex("7ff8000000000000")
_FIRST_DAY = date(2000, 1, 1)
_FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


def _double(value: float) -> bytes:
    return NAN if math.isnan(value) else struct.pack(">d", value)


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">i", len(data)) + data


FORMS: dict[str, Callable[[Any], bytes]] = {
    "boolean": lambda value: struct.pack(">?", value),
    "smallint": lambda value: struct.pack(">h", value),
    "integer": lambda value: struct.pack(">i", value),
    "bigint": lambda value: struct.pack(">q", value),
    "double precision": _double,
    "date": lambda value: struct.pack(">i", (value - _FIRST_DAY).days),
    "timestamp with time zone": lambda value: struct.pack(
        ">q", (value - _FIRST_MOMENT) // timedelta(microseconds=1)
    ),
    "uuid": lambda value: UUID(str(value)).bytes,
    "text": _text,
    "jsonb": _text,
}


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8 with sorted keys and no spaces. Texts and integers only are canonical."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


@dataclass(frozen=True)
class Encoding:
    """Which columns a row's bytes hold: (name, SQL type) in order. Raises ValueError for a type
    that has no form."""

    columns: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        for name, kind in self.columns:
            if kind not in FORMS:
                raise ValueError(f"column {name}: no encoding of type {kind}")

    @classmethod
    def parse(cls, description: str) -> Encoding:
        """The encoding that a description describes. Raises ValueError for another version."""
        parsed = json.loads(description)
        if parsed["version"] != VERSION:
            raise ValueError(f"row encoding of version {parsed['version']}, known is {VERSION}")
        return cls(tuple((name, kind) for name, kind in parsed["columns"]))

    @cached_property
    def description(self) -> str:
        """Canonical JSON of the version and the columns."""
        columns = [list(column) for column in self.columns]
        return canonical_json({"version": VERSION, "columns": columns}).decode()

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the description: what headers name it by."""
        return hashlib.sha256(self.description.encode()).digest()


def encode_row(row: Mapping[str, Any], encoding: Encoding) -> bytes:
    """The bytes of one row: a value, or None, per column of the encoding.

    Raises KeyError for a column that is not there, ValueError or struct.error for a value that is
    not of its type.
    """
    return b"".join(
        NULL if row[name] is None else PRESENT + FORMS[kind](row[name])
        for name, kind in encoding.columns
    )


def leaf_hashes(rows: Iterable[bytes]) -> list[bytes]:
    """SHA-256(00 || row) of each row."""
    sha256 = hashlib.sha256
    return [sha256(b"\x00" + row).digest() for row in rows]
