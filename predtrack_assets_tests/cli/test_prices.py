"""`predtrack prices check`, and a backfill that looks at its file first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NASDAQ = """Date,Close/Last,Volume,Open,High,Low
08/15/2023,$101.00,"1,234,567",$100.00,$103.00,$99.00
"""


def predtrack(*arguments: object) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "predtrack_assets.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_check_shows_a_vendors_file_without_a_database(tmp_path: Path) -> None:
    path = tmp_path / "ABC.csv"
    path.write_text(NASDAQ)
    code, _, error = predtrack("prices", "check", path)
    assert (code, "--symbol ABC" in error) == (1, True)
    code, text, _ = predtrack("prices", "check", path, "--symbol", "ABC")
    assert code == 0
    assert "1 row of 1 symbol, 2023-08-15 to 2023-08-15" in text
    assert "1234567.0" in text
    assert "thousands separators or units" in text


def test_check_ends_one_where_nothing_could_be_stored(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("symbol,date,open,high,low,close,volume\nABC,2023-08-10,1,1,1,one,1\n")
    code, text, _ = predtrack("prices", "check", path)
    assert code == 1
    assert "row 2, close: 'one' is no number" in text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("none.csv", "there is no price file"),
        ("loop.csv", "loop.csv"),
        ("late.csv", "no row between"),
    ],
)
def test_a_backfill_refuses_its_file_before_it_starts_anything(
    tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    row = "ABC,2023-08-10,1,1,1,1,1"
    (tmp_path / "late.csv").write_text(f"symbol,date,open,high,low,close,volume\n{row}\n")
    days = ("--from", "2020-01-02", "--to", "2020-01-31")
    home = tmp_path / "home"
    code, _, error = predtrack("backfill", *days, "--file", tmp_path / name, "--home", home)
    assert code == 1
    assert sentence in error
    assert error.count("\n") == 1
    assert not home.exists()


def test_what_a_file_holds_cannot_control_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("symbol,\x1b]0;owned\x07:fire:\x1b[31m,close\nABC,1,2\n")
    code, text, error = predtrack("prices", "check", path)
    assert code == 1
    assert "\x1b" not in text + error
    assert "\x07" not in text + error
    assert ":fire:" in error
