"""Files loaded one after the other: what a later one does not speak of stays."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from predtrack_assets.sources.file.source import FileSource
from predtrack_assets.sources.routing import exchange_of
from predtrack_assets_tests import graph
from predtrack_assets_tests.services.market.test_ingest import take

FIRST, LAST = date(2021, 3, 1), date(2021, 3, 5)
HEADER = "symbol,date,open,high,low,close,volume"
ACTIONS = """SELECT ex_date, kind, value FROM market.corporate_actions_as_of('infinity')
             ORDER BY ex_date, kind"""


def load(url: str, folder: Path, text: str, *, first: date = FIRST, last: date = LAST) -> None:
    path = folder / "prices.csv"
    path.write_text(text)
    source = FileSource(path, split_adjusted=False, exchange_of=exchange_of)
    take(url, source, first, last)


def rows(closes: list[float], adjusted: list[float] | None = None, first: int = 1) -> list[str]:
    """AAA from 2021-03-01 on, a row a day, with adj_close where there is one."""
    found = []
    for n, close in enumerate(closes, first - 1):
        prices = ",".join([str(close)] * 4)
        tail = "" if adjusted is None else f",{adjusted[n - first + 1]}"
        found.append(f"AAA,2021-03-0{n + 1},{prices},1000{tail}")
    return found


def test_a_file_without_action_columns_withdraws_nothing(database_url: str, tmp_path: Path) -> None:
    bars = rows([100, 102, 51, 52, 53])
    stated = [
        f"{row},{'2' if n == 2 else ''},{'0.5' if n == 3 else ''}" for n, row in enumerate(bars)
    ]
    load(database_url, tmp_path, "\n".join([f"{HEADER},split,dividend", *stated]))
    before = graph.frame(database_url, ACTIONS)
    assert before["value"].to_list() == [2.0, 0.5]
    load(database_url, tmp_path, "\n".join([HEADER, *bars]))
    assert graph.frame(database_url, ACTIONS).equals(before)
    silent = [f"{row},," for row in bars[:3]]
    load(database_url, tmp_path, "\n".join([f"{HEADER},split,dividend", *silent]))
    left = graph.frame(database_url, ACTIONS)
    assert left["kind"].to_list() == ["dividend"], "the file has no row of the dividend's day"


def test_nightly_files_of_two_days_keep_what_was_inferred(
    database_url: str, tmp_path: Path
) -> None:
    """The first row of a file has no row before it, so nothing can be inferred there."""
    closes, adjusted = [100.0, 102.0, 51.0, 52.0, 51.0], [50.0, 51.0, 51.0, 52.0, 51.0]
    for last in range(2, 6):
        night = rows(closes[last - 2 : last], adjusted[last - 2 : last], first=last - 1)
        day = date(2021, 3, last)
        text = "\n".join([f"{HEADER},adj_close", *night])
        load(database_url, tmp_path, text, first=date(2021, 3, last - 1), last=day)
    assert graph.frame(database_url, ACTIONS).rows() == [(date(2021, 3, 3), "split", 2.0)]
    suspect = "SELECT count(*) AS n FROM market.market_data WHERE quality = 'suspect'"
    assert graph.frame(database_url, suspect)["n"].to_list() == [0]


def test_a_step_that_went_withdraws_what_was_inferred(database_url: str, tmp_path: Path) -> None:
    closes = [100.0, 102.0, 51.0, 52.0, 53.0]
    night = rows(closes, [50.0, 51.0, 51.0, 52.0, 53.0])
    load(database_url, tmp_path, "\n".join([f"{HEADER},adj_close", *night]))
    assert graph.frame(database_url, ACTIONS)["kind"].to_list() == ["split"]
    load(database_url, tmp_path, "\n".join([f"{HEADER},adj_close", *rows(closes, closes)]))
    assert graph.frame(database_url, ACTIONS).is_empty()


def test_a_null_byte_is_quarantined(database_url: str, tmp_path: Path) -> None:
    bad = "A\x00B,2021-03-01,1,1,1,1,1\nAAA,2021-03-02,1,1,1,\x00,1\nAAA,2021-03-0\x003,1,1,1,1,1"
    load(database_url, tmp_path, f"{HEADER}\nAAA,2021-03-01,1,1,1,1,1\n{bad}\n")
    found = graph.frame(
        database_url,
        "SELECT reason, payload ->> 'cell' AS cell FROM market.quarantine ORDER BY 1, 2",
    )
    assert found.rows() == [
        ("malformed", "row 4, close: '\\x00' is no number"),
        ("malformed", "row 5, date: '2021-03-0\\x003' is no date"),
        ("malformed_symbol", None),
    ]
