"""The drop folder on a real database: taken once, whatever the name, with a report beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from typer.testing import CliRunner
from upath import UPath

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.automation.drop_folder import build_drop_sensor
from predtrack_assets.cli.main import app
from predtrack_assets.services.forecasts import intake_files
from predtrack_assets.services.forecasts.intake_files import sweep
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests.builders.api import store_prices

HEADER = "model,version,symbol,decision_day,horizon,p_up\n"
GOOD = HEADER + "tilt,1,AAPL,2021-05-03,5,0.6\ntilt,1,MSFT,2021-05-03,5,0.4\n"


@pytest.fixture
def database(database_url: str) -> Database:
    store_prices(database_url)
    return Database(url=database_url)


def swept(database: Database, folder: Path) -> list[dict[str, Any]]:
    """Two looks, as two ticks of the sensor."""
    first, seen = sweep(database, str(folder), {})
    second, _ = sweep(database, str(folder), seen)
    return first + second


def stored(database: Database) -> int:
    with psycopg.connect(str(database.url)) as connection:
        row = connection.execute("SELECT count(*) FROM forecasts.predictions").fetchone()
    assert row
    return int(row[0])


def test_a_file_is_taken_and_put_away_with_a_report(database: Database, tmp_path: Path) -> None:
    (tmp_path / "monday.csv").write_text(GOOD + "tilt,1,APPL,2021-05-03,5,0.4\n")
    (report,) = swept(database, tmp_path)
    assert report["counts"] == {"accepted": 2, "duplicate": 0, "conflict": 0, "rejected": 1}
    assert [row["code"] for row in report["refused"]] == ["symbol_unknown"]
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == [
        "monday.csv", "monday.csv.report.json",
    ]  # fmt: skip
    assert json.loads((tmp_path / "done" / "monday.csv.report.json").read_text()) == report
    assert stored(database) == 2


def test_content_is_taken_once_whatever_its_name_and_date(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    swept(database, tmp_path)
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "old.csv").write_text(HEADER + "tilt,1,AAPL,2021-05-04,5,0.6\n")
    os.utime(tmp_path / "old.csv", (0, 0))  # older than anything that was taken before
    reports = {report["file"]: report for report in swept(database, tmp_path)}
    assert (reports["a.csv"]["status"], reports["a.csv"]["first"]) == ("duplicate", "a.csv")
    assert reports["old.csv"]["counts"]["accepted"] == 1
    assert {path.name for path in (tmp_path / "done").glob("*.csv")} == {
        "a.csv", "a-2.csv", "old.csv",
    }  # fmt: skip
    assert stored(database) == 3


def test_a_file_that_grows_is_left_until_it_stands_still(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "slow.csv"
    path.write_text(HEADER)
    _, seen = sweep(database, str(tmp_path), {})
    path.write_text(GOOD)
    reports, seen = sweep(database, str(tmp_path), seen)
    assert not reports
    (report,), _ = sweep(database, str(tmp_path), seen)
    assert report["counts"]["accepted"] == 2


def test_a_marker_says_that_a_file_is_whole(database: Database, tmp_path: Path) -> None:
    (tmp_path / "now.csv").write_text(GOOD)
    (tmp_path / "now.csv.done").touch()
    (report,), _ = sweep(database, str(tmp_path), {})
    assert report["status"] == "done"
    assert not (tmp_path / "now.csv.done").exists()


WRONG: dict[str, tuple[str, str, str | None]] = {
    "no JSON": ("a.json", "{", "unreadable"),
    "no model": ("a.csv", "symbol,horizon,p_up\nAAPL,5,0.6\n", "unreadable"),
    "no rows": ("a.csv", HEADER, "unreadable"),
    "two models": ("a.csv", GOOD + "other,1,AAPL,2021-05-03,5,0.6\n", "unreadable"),
    "reserved": ("a.csv", GOOD.replace("tilt", "no_change"), "name_reserved"),
    "a path": ("x..%2f.csv", GOOD.replace("tilt", "../../x"), "model_name"),
    "no Parquet": ("a.parquet", "PAR1", "unreadable"),
    "no good row": ("a.csv", HEADER + "tilt,1,APPL,2021-05-03,5,0.6\n", None),
}


def test_what_cannot_be_taken_is_put_away_with_the_reason(
    database: Database, tmp_path: Path
) -> None:
    for title, (name, content, code) in WRONG.items():
        drop = tmp_path / title
        drop.mkdir()
        (drop / name).write_text(content)
        (report,) = swept(database, drop)
        assert (report["status"], report.get("code")) == ("rejected", code), title
        assert (drop / "rejected" / f"{name}.report.json").exists()
    assert stored(database) == 0


def test_links_and_other_files_are_left_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(GOOD)
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "link.csv").symlink_to(secret)
    (drop / ".hidden.csv").write_text(GOOD)
    (drop / "folder.csv").mkdir()
    (drop / "note.txt").write_text(GOOD)
    never = Database(url="postgresql://nobody@nowhere/none")
    assert swept(never, drop) == []
    assert swept(never, tmp_path / "nowhere") == []
    assert len(list(drop.iterdir())) == 4


def test_a_large_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_files, "MAX_FILE", 10)
    (tmp_path / "a.csv").write_text(GOOD)
    (report,) = swept(Database(url="postgresql://nobody@nowhere/none"), tmp_path)
    assert report["code"] == "file_too_large"


def test_a_move_that_was_lost_is_made_up_for(database: Database, tmp_path: Path) -> None:
    """The process ended between the commit and the move: the file is still there."""
    (tmp_path / "a.csv").write_text(GOOD)
    intake_files._take_once(database, "a.csv", GOOD.encode(), "local")
    (report,) = swept(database, tmp_path)
    assert (report["status"], report["counts"]["accepted"]) == ("duplicate", 2)
    assert not (tmp_path / "a.csv").exists()


def test_objects_of_a_store_are_taken_as_files_are(database: Database) -> None:
    folder = UPath("memory://drop")
    folder.mkdir(exist_ok=True)
    (folder / "a.csv").write_text(GOOD)
    first, seen = sweep(database, "memory://drop", {})
    second, _ = sweep(database, "memory://drop", seen)
    assert [report["status"] for report in first + second] == ["done"]
    assert (folder / "done" / "a.csv").exists()
    assert not (folder / "a.csv").exists()


def test_the_sensor_takes_what_stood_still_for_a_tick(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = build_drop_sensor(())
    warehouse = Warehouse(url=database.url)
    cursor, said = None, []
    (tmp_path / "a.csv").write_text(GOOD)
    for folder in (None, str(tmp_path), str(tmp_path)):
        if folder:
            monkeypatch.setenv("PREDTRACK_DROP", folder)
        with dg.build_sensor_context(cursor=cursor, resources={"warehouse": warehouse}) as context:
            found = sensor(context)
            assert isinstance(found, dg.SkipReason)
            said.append(found.skip_message)
            cursor = context.cursor
    assert said == [
        "PREDTRACK_DROP names no folder",
        "0 files taken, 1 not finished yet",
        "1 files taken, 0 not finished yet",
    ]
    assert stored(database) == 2


def test_watch_says_what_became_of_each_file(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", str(database.url))
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "b.json").write_text("{")
    command = ["predictions", "watch", str(tmp_path), "--once", "--every", "0.1"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "a.csv: done: 2 accepted\n" in done.output
    assert "b.json: rejected: unreadable: the body is no JSON" in done.output
