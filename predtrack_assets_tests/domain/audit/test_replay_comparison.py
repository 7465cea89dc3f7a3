"""Parity of frames: bits are compared, and what differs is named."""

from __future__ import annotations

import struct
from collections import Counter
from datetime import UTC, date, datetime

import polars as pl
import pytest

from predtrack_assets.domain.audit.replay_comparison import ABSENT, Parity, compare
from predtrack_assets.domain.numerics.digest import frame_digest, total_digest

FRAME = pl.DataFrame(
    {
        "name": ["a", "b", "c"],
        "group": ["x", "x", "y"],
        "number": [1.0, None, -0.0],
        "count": [1, None, 3],
        "text": ["one", None, ""],
        "day": [date(2024, 1, 2), None, date(1960, 1, 1)],
        "moment": [datetime(2024, 1, 2, tzinfo=UTC), None, datetime(2024, 1, 3, tzinfo=UTC)],
        "flag": [True, None, False],
        "vector": [struct.pack("<2d", 1.0, float("nan")), None, struct.pack("<d", 2.0)],
        "list": [[1.0, 2.0], None, []],
    }
)
VALUES = [c for c in FRAME.columns if c not in ("name", "group")]
CHANGES = {
    "number": [1.0000000000000002, 0.0, 0.0],
    "count": [2, 0, 4],
    "text": ["One", "", "two"],
    "day": [date(2024, 1, 3), date(1970, 1, 1), date(1960, 1, 2)],
    "moment": [datetime(2024, 1, 2, 0, 0, 0, 1, tzinfo=UTC)] * 3,
    "flag": [False, False, True],
    "vector": [struct.pack("<2d", 1.0, 3.0), struct.pack("<d", 0.0), struct.pack("<2d", 2.0, 0.0)],
    "list": [[1.0, 2.5], [0.0], [0.0]],
}


def parity(stored: pl.DataFrame, recomputed: pl.DataFrame) -> Parity:
    return compare(stored, recomputed, ["name"], ["group"])


def test_a_frame_is_equal_to_itself_in_any_order() -> None:
    found = parity(FRAME, FRAME.reverse())
    assert found.holds
    assert dict(found.compared) == dict(found.equal) == {("x",): 2, ("y",): 1}
    assert found.mismatches == []
    assert total_digest(FRAME) == total_digest(FRAME.reverse())


@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("column", VALUES)
def test_every_change_of_a_value_is_seen_and_named(column: str, row: int) -> None:
    values = FRAME[column].to_list()
    values[row] = CHANGES[column][row]
    changed = FRAME.with_columns(pl.Series(column, values, FRAME[column].dtype))
    differs = frame_digest(changed) != frame_digest(FRAME)
    assert differs.tolist() == [index == row for index in range(3)]
    found = parity(FRAME, changed)
    assert not found.holds
    (mismatch,) = found.mismatches
    assert mismatch.row == FRAME["name"][row]
    assert mismatch.column.split("[")[0] == column


def test_missing_numbers_are_equal_however_they_are_missing() -> None:
    nan = FRAME.with_columns(pl.col("number").fill_null(float("nan")))
    assert parity(FRAME, nan).holds


def test_rows_that_only_one_side_has() -> None:
    found = parity(FRAME, FRAME.with_columns(name=pl.Series(["a", "b", "d"])))
    assert found.compared.total() - found.equal.total() == 1
    assert found.not_predicted == 1
    assert [(m.row, m.column) for m in found.mismatches] == [("c", ABSENT)]
    assert str(found.mismatches[0]) == "c: stored, not computed now"


def test_parities_add_up() -> None:
    whole = parity(FRAME, FRAME) + parity(FRAME, FRAME.head(2))
    assert whole.compared.total() == 6
    assert whole.equal.total() == 5
    assert (whole + Parity()).compared == whole.compared


def test_nothing_proves_nothing_and_what_is_lost_holds_not() -> None:
    found = parity(FRAME, FRAME)
    assert found.proves
    assert Parity().holds
    assert not Parity().proves, "0 of 0"
    apart = found + Parity(foreign=Counter({(("theirs",), "handed in"): 2}))
    assert apart.proves
    lost = apart + Parity(unreplayable=Counter({(("x",), "its file is missing"): 1}))
    assert not lost.holds
    assert not lost.proves
    assert lost.foreign.total() == 2


def test_the_digest_of_a_frame_is_a_fixed_function() -> None:
    """Equal on every machine, whatever its hash seed."""
    assert total_digest(FRAME) == KNOWN


KNOWN = "c867e28158a0932352e5cef5e95e0b22862959d45648eddb3f758150bdf1c38b"
