"""Universes and membership files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from predtrack_assets.sources.base import SourceError
from predtrack_assets.sources.universes import members, read_membership, universe


@pytest.mark.parametrize(
    ("name", "size", "symbol"),
    [("SPX500", 100, "BRK-B"), ("NASDAQ100", 50, "MELI"), ("ASX200", 32, "BHP.AX")],
)
def test_built_in(name: str, size: int, symbol: str) -> None:
    found = members(universe(name), date(2000, 1, 1), date(2000, 1, 1))
    assert len(found) == size
    assert symbol in found


def test_unknown_universe_names_the_known() -> None:
    with pytest.raises(SourceError, match="SPX500, NASDAQ100, ASX200"):
        universe("DAX")


def test_membership_is_dated(tmp_path: Path) -> None:
    path = tmp_path / "members.csv"
    path.write_text("ticker,start_date,end_date\nB,2010-01-01,\nA,,2015-06-30\nA,2018-01-01,\n")
    found = universe(str(path))
    assert members(found, date(2009, 1, 1), date(2009, 12, 31)) == ["A"]
    assert members(found, date(2015, 6, 30), date(2015, 6, 30)) == ["A", "B"]
    assert members(found, date(2015, 7, 1), date(2017, 12, 31)) == ["B"]
    assert members(found, date(2009, 12, 31), date(2018, 1, 1)) == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ticker,start_date\nA,2010-01-01\n", "lacks end_date"),
        ("ticker,start_date,end_date\nA,2010-01-01,\n,2010-01-01,\n", "line 3 has no ticker"),
        ("ticker,start_date,end_date\nA,01.02.2010,\n", "line 2 has a start_date that is no date"),
        ("ticker,start_date,end_date\nA,2010-01-01,2009-01-01\n", "line 2 ends before it starts"),
        ("", "no readable CSV"),
    ],
)
def test_faults_of_a_membership_file_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "members.csv"
    path.write_text(text)
    with pytest.raises(SourceError, match=message):
        read_membership(path)


def test_absent_membership_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no membership file"):
        read_membership(tmp_path / "none.csv")
