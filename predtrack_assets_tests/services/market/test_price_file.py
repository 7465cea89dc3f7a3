"""What a price file is found to be before anything is stored."""

from __future__ import annotations

from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from predtrack_assets.reporting.tables.price_file import file_check_table
from predtrack_assets.services.market.price_file import (
    FileCheck,
    check_file,
    file_source,
    require_rows,
)
from predtrack_assets.settings import Settings, get_settings
from predtrack_assets.sources.base import SourceError

LAST = date(2024, 6, 28)
HEADER = "Symbol,Date,Open,High,Low,Close,Volume,Stock Splits,vw"
ROWS = """ABC,10.08.2023,"1,5","1,5","1,5","1,5","1.000",,7
ABC,11.08.2023,"3,0","3,0","3,0","3,0",500,,7
ABC,14.08.2023,"3,0","2,0","3,0","3,0",500,,7
ABC,15.08.2023,x,"3,0","3,0","3,0",500,,7
N.ONE,15.08.2023,"3,0","3,0","3,0","3,0",500,2,7
"""


def settings(folder: Path, text: str) -> Settings:
    path = folder / "p.csv"
    path.write_text(text)
    return get_settings().model_copy(update={"source": "file", "file": path})


def text_of(found: FileCheck) -> str:
    console = Console(file=StringIO(), width=150)
    console.print(file_check_table(found))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_what_is_understood_and_what_is_refused_is_told(tmp_path: Path) -> None:
    found = check_file(settings(tmp_path, f"{HEADER}\n{ROWS}"), LAST)
    assert (found.rows, found.symbols) == (5, 2)
    assert (found.first, found.last) == (date(2023, 8, 10), date(2023, 8, 11))
    how = {role: spelled for role, _, spelled in found.columns}
    assert how["date"] == "day/month/year"
    assert how["close"] == "decimal comma"
    assert found.unread == ["vw"]
    assert {reason: (rows, example) for reason, rows, example in found.refused} == {
        "malformed": (1, "row 5, open: 'x' is no number"),
        "high_below_low": (
            1,
            "ABC on 2023-08-14: open 3.0, high 2.0, low 3.0, close 3.0, volume 500.0",
        ),
        "exchange_not_known": (
            1,
            "N.ONE on 2023-08-15: open 3.0, high 3.0, low 3.0, close 3.0, volume 500.0",
        ),
    }
    assert found.flagged == [("jump", 1, "ABC on 2023-08-11")]
    assert found.head["volume"].to_list() == [1000.0, 500.0]
    shown = text_of(found)
    for words in ("5 rows of 2 symbols", "Not read: vw", "Refused: 3 rows", "decimal comma"):
        assert words in shown


def test_a_clean_file_says_so_and_control_characters_are_shown(tmp_path: Path) -> None:
    header = "symbol,date,open,high,low,close,volume,\x1b[31mred"
    found = check_file(settings(tmp_path, f"{header}\nABC,2023-08-10,1,1,1,1,1,2\n"), LAST)
    shown = text_of(found)
    assert "Refused: nothing" in shown
    assert "no column tells of splits and dividends" in shown
    assert "\x1b[31m" not in shown
    assert r"\x1b[31mred" in shown


def test_prices_of_yfinance_without_adj_close_are_doubted(tmp_path: Path) -> None:
    header = "Symbol,Date,Open,High,Low,Close,Volume,Dividends,Stock Splits"
    rows = "ABC,2023-08-10 00:00:00-04:00,1,1,1,1,1,0.1,0.0\n"
    (note,) = check_file(settings(tmp_path, f"{header}\n{rows}"), LAST).notes
    assert "auto_adjust=False" in note


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            f"{HEADER}\n{ROWS}",
            "no row between 2020-01-02 and 2020-12-31: .* 2023-08-10 to 2023-08-15",
        ),
        (f"{HEADER}\n", "has columns and no row"),
        (
            f"{HEADER}\nABC,soon,1,1,1,1,1,,1\n",
            "no row can be read; row 2, date: 'soon' is no date",
        ),
    ],
)
def test_a_file_without_rows_of_the_window_is_refused_first(
    tmp_path: Path, text: str, sentence: str
) -> None:
    source = file_source(settings(tmp_path, text))
    with pytest.raises(SourceError, match=sentence):
        require_rows(source, date(2020, 1, 2), date(2020, 12, 31))


def test_a_file_with_rows_of_the_window_is_told_in_a_line(tmp_path: Path) -> None:
    source = file_source(settings(tmp_path, f"{HEADER}\n{ROWS}"))
    told = require_rows(source, date(2023, 8, 11), date(2023, 8, 15))
    assert told == "p.csv: 3 rows of 2 symbols in these days; not read: vw"
