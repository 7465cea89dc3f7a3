"""Rows as bytes: nothing is lost, two rows are never the same bytes, a stranger can read them."""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.audit.ledger.encoding import Encoding, canonical_json, encode_row

EVERY_TYPE = Encoding(
    (
        ("flag", "boolean"), ("small", "smallint"), ("middle", "integer"), ("big", "bigint"),
        ("number", "double precision"), ("day", "date"), ("at", "timestamp with time zone"),
        ("id", "uuid"), ("name", "text"), ("said", "jsonb"),
    )
)  # fmt: skip


def bits(size: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (size - 1)), 2 ** (size - 1) - 1)


text = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
row_strategy = st.fixed_dictionaries(
    {
        name: st.none() | strategy
        for name, strategy in {
            "flag": st.booleans(),
            "small": bits(16),
            "middle": bits(32),
            "big": bits(64),
            "number": st.floats(),
            "day": st.dates(),
            "at": st.datetimes(timezones=st.just(UTC)),
            "id": st.uuids(),
            "name": text,
            "said": text,
        }.items()
    }
)


def decode(data: bytes) -> dict[str, Any]:
    """A stranger's reader, written from docs/guide/ledger.md."""
    at = 0

    def take(form: str) -> Any:
        nonlocal at
        at += struct.calcsize(form)
        return struct.unpack(form, data[at - struct.calcsize(form) : at])[0]

    def read(kind: str) -> Any:
        if kind in ("text", "jsonb"):
            return take(f">{take('>i')}s").decode()
        if kind == "uuid":
            return UUID(bytes=take(">16s"))
        value = take(
            {
                "boolean": ">?", "smallint": ">h", "integer": ">i", "date": ">i",
                "double precision": ">d",
            }.get(kind, ">q")
        )  # fmt: skip
        if kind == "date":
            return date(2000, 1, 1) + timedelta(days=value)
        if kind == "timestamp with time zone":
            return datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
        return value

    row = {name: read(kind) if take(">?") else None for name, kind in EVERY_TYPE.columns}
    assert at == len(data), "every byte belongs to a value"
    return row


@given(row_strategy)
def test_nothing_is_lost(row: dict[str, Any]) -> None:
    found = decode(encode_row(row, EVERY_TYPE))
    number, stored = row.pop("number"), found.pop("number")
    assert found == row
    if number is None or math.isnan(number):
        assert str(stored) == str(number)
    else:
        assert struct.pack(">d", stored) == struct.pack(">d", number), "signed zeros too"


@given(row_strategy, row_strategy)
def test_different_rows_are_different_bytes(left: dict[str, Any], right: dict[str, Any]) -> None:
    same = encode_row(left, EVERY_TYPE) == encode_row(right, EVERY_TYPE)
    assert same == (repr(sorted(left.items())) == repr(sorted(right.items())))


def test_text_cannot_slide_into_its_neighbour() -> None:
    two = Encoding((("a", "text"), ("b", "text")))
    rows = [
        {"a": "xy", "b": "z"},
        {"a": "x", "b": "yz"},
        {"a": "", "b": "xyz"},
        {"a": None, "b": "xyz"},
    ]
    assert len({encode_row(row, two) for row in rows}) == len(rows)


def test_one_nan() -> None:
    one = Encoding((("number", "double precision"),))
    other = struct.unpack(">d", bytes.fromhex("fff8000000000001"))[0]
    assert encode_row({"number": other}, one).hex() == "017ff8000000000000"


def test_the_description_names_columns_and_types() -> None:
    one = Encoding((("number", "double precision"),))
    assert one.description == '{"columns":[["number","double precision"]],"version":1}'
    assert Encoding.parse(one.description) == one
    assert one.digest != Encoding((("number", "bigint"),)).digest
    assert one.digest != Encoding((("count", "double precision"),)).digest


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="price: no encoding of type numeric"):
        Encoding((("price", "numeric"),))
    with pytest.raises(ValueError, match="version 2"):
        Encoding.parse('{"columns":[],"version":2}')
    with pytest.raises(KeyError):
        encode_row({}, EVERY_TYPE)


def test_canonical_json_has_one_form() -> None:
    assert canonical_json({"b": 1, "a": "é"}) == canonical_json({"a": "é", "b": 1})
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
