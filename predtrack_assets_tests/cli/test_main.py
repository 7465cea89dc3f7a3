"""The command line: faults that a user can mend are sentences that name what to mend."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from predtrack_assets.cli import main
from predtrack_assets.settings import Settings, unknown_settings


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "PREDTRACK_HORIZONS",
            "1,soon",
            "PREDTRACK_HORIZONS: horizons are whole numbers",
        ),
        ("PREDTRACK_HORIZONS", "0", "PREDTRACK_HORIZONS: horizons are counts of sessions"),
        ("PREDTRACK_GATE_HORIZONS", "5,7", "PREDTRACK_GATE_HORIZONS: only horizons that are"),
        ("PREDTRACK_WEBHOOK_URL", "ftp://token", "PREDTRACK_WEBHOOK_URL: it must begin with http"),
        ("PREDTRACK_SOURCE", "gossip", "PREDTRACK_SOURCE: Input should be 'yahoo'"),
    ],
)
def test_a_bad_setting_is_named_as_it_is_set(
    name: str,
    value: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["predtrack", "status"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(said)


def test_a_mistyped_setting_is_named_once_with_the_one_it_may_mean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREDTRACK_HORIZON", "1,5")
    monkeypatch.setenv("PREDTRACK_ZZZZ", "1")
    for known in ("PREDTRACK_HORIZONS", "predtrack_vix", "PREDTRACK_TEST_DATABASE_URL"):
        monkeypatch.setenv(known, "5")
    said = CliRunner().invoke(main.app, ["ledger", "check-proof", "no-such-file"]).stderr
    assert "PREDTRACK_HORIZON is no setting and is ignored; is it PREDTRACK_HORIZONS?\n" in said
    assert "PREDTRACK_ZZZZ is no setting and is ignored\n" in said
    assert said.count("is no setting") == 2


def test_every_setting_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"PREDTRACK_{name.upper()}", "1")
    assert unknown_settings() == {}


def failed(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command and expect that it ends with 1."""
    monkeypatch.setattr(sys, "argv", ["predtrack", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1


def test_a_taken_port_is_said_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        failed(["dev", "--port", port], monkeypatch)
        assert f"127.0.0.1:{port} cannot be listened on" in capsys.readouterr().err
        failed(["dev", f"--port={port}"], monkeypatch)
    failed(["dev", "-p", "http"], monkeypatch)
    assert "--port http: a port is a number" in capsys.readouterr().err


def test_an_unknown_schedule_is_said_before_the_ui_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREDTRACK_SCHEDULES", "gossip_schedule")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    failed(["dev", "--port", port], monkeypatch)
    assert "PREDTRACK_SCHEDULES names gossip_schedule; there are " in capsys.readouterr().err


def test_a_home_that_cannot_be_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PREDTRACK_DATABASE_URL", raising=False)
    failed(["db", "start", "--home", "/proc/nowhere"], monkeypatch)
    assert capsys.readouterr().err.startswith("/proc/nowhere: ")


def test_unknown_exchange_is_named_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    days = ["--from", "2012-01-05", "--to", "2012-01-06"]
    failed(["backfill", *days, "--file", "prices.csv", "--exchange", "TOKYO"], monkeypatch)
    said = capsys.readouterr().err
    assert said.startswith("unknown exchange 'TOKYO'; known are ASEX, ")
    assert "XTKS" in said


def test_holiday_is_told_its_nearest_trading_days(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed(["backfill", "--from", "2012-12-25", "--to", "2012-12-25"], monkeypatch)
    said = " ".join(capsys.readouterr().err.split())
    assert "XNYS closed (weekend or holiday); nearest: 2012-12-24 and 2012-12-26" in said


def test_an_unknown_source_is_a_wrong_option() -> None:
    asked = ["backfill", "--from", "2012-01-05", "--to", "2012-01-06", "--source", "gossip"]
    done = CliRunner().invoke(main.app, asked)
    assert done.exit_code == 2
    assert "--source" in done.stderr
    assert "simulated" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "example"),
    [
        (["backfill", "--from", "2013-13-01", "--to", "2013-02-01"], "2013-01-31"),
        (["backfill", "--from", "2013-01-02", "--to", "20130201"], "2013-01-31"),
        (["recommendations", "--day", "yesterday"], "2013-01-31"),
        (["replay", "--from", "2013-01-02T00:00"], "2013-01-31"),
        (["champions", "--at", "2013"], "2013-01-31T14:30"),
    ],
)
def test_what_is_no_day_is_told_one(arguments: list[str], example: str) -> None:
    done = CliRunner().invoke(main.app, arguments, terminal_width=200)
    assert done.exit_code == 2
    assert f"give one like {example}" in " ".join(done.stderr.replace("│", " ").split())
    assert "%Y" not in done.stderr


def test_a_home_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    failed(["status", "--home", str(tmp_path / "hme")], monkeypatch)
    assert capsys.readouterr().err.startswith(
        f"there is no home {tmp_path / 'hme'}: `predtrack demo`"
    )
