"""What `predtrack backfill` says and how it ends."""

from __future__ import annotations

import logging
import subprocess
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from predtrack_assets.automation.progress import ProgressHandler
from predtrack_assets.automation.runs import RunReport
from predtrack_assets.cli.backfill import explain


def said(report: RunReport) -> tuple[int, str]:
    """The exit code and the text of `explain`."""
    console = Console(file=StringIO(), width=150)
    code = explain(report, console)
    assert isinstance(console.file, StringIO)
    return code, console.file.getvalue()


def test_one_bar_is_not_bars_and_a_name_is_no_markup() -> None:
    prices: dict[str, object] = {"rows_inserted": 9, "most_troubled": {"[/b]X": 1, "Y": 2000}}
    code, text = said(RunReport("r", True, {"market/market_data": prices}))
    assert code == 0
    assert "Most troubled: [/b]X (1 bar), Y (2,000 bars)" in text


def test_a_fault_of_the_source_is_its_sentence_alone() -> None:
    error = "predtrack_assets.sources.base.SourceError: there is no price file [/red]x.csv"
    code, text = said(RunReport("r", False, failed={"prices": error}))
    assert code == 1
    assert "prices failed: there is no price file [/red]x.csv\n" in text


def test_a_refused_file_of_a_fit_is_its_sentence_alone() -> None:
    error = (
        "predtrack_assets.stores.artifacts.ArtifactError: the file of fit x@2009-05-29 is missing"
    )
    text = said(RunReport("r", False, failed={"forecasts__predictions": error}))[1]
    assert "forecasts__predictions failed: the file of fit x@2009-05-29 is missing\n" in text


def test_months_without_a_fit_are_named() -> None:
    code, text = said(RunReport("r", True, {"models/pooled_models": {"fits_skipped": 6}}))
    assert code == 0
    assert "No fit in 6 months: fewer sessions" in text
    counts = {"fits_skipped": 2, "fits_retired": 2}
    _, text = said(RunReport("r", True, {"models/pooled_models": counts}))
    assert "No fit in 2 months: the version is retired." in text
    assert "fewer sessions" not in text
    assert "No fit" not in said(RunReport("r", True, {"models/pooled_models": {"fits": 6}}))[1]


def test_missing_symbols_have_an_exit_code_of_their_own() -> None:
    prices: dict[str, object] = {"failures": {"TIMEOUT": 1, "EMPTY": 2}}
    assert said(RunReport("r", True, {"market/market_data": prices}))[0] == 3
    some: dict[str, object] = {"rows_unchanged": 9, "failures": {"EMPTY": 2}}
    assert said(RunReport("r", True, {"market/market_data": some}))[0] == 0


def test_nothing_kept_is_not_everything_already_there() -> None:
    code, text = said(RunReport("r", True, {"market/market_data": {"quarantined": {"nan": 4}}}))
    assert code == 1, "a run that stored nothing of what was asked fails"
    assert "No price of these days is stored" in text
    assert "already there" not in text
    for there in ({"rows_unchanged": 4}, {"rows_unchanged": 0, "symbols_already_covered": 2}):
        _, text = said(RunReport("r", True, {"market/market_data": {**there}}))
        assert "No row changed: everything asked for was already there." in text


def test_steps_left_out_are_not_mentioned() -> None:
    console = Console(file=StringIO(), width=150)
    handler = ProgressHandler(console)

    def speak(step: str, message: str, kind: str | None = None) -> None:
        record = logging.LogRecord("dagster", logging.WARNING, "", 0, message, None, None)
        event = SimpleNamespace(event_type_value=kind) if kind else None
        record.dagster_meta = {"step_key": step, "dagster_event": event}
        handler.emit(record)

    speak("prices", "", "STEP_START")
    speak("prices", "3 bars refused: [/red]")
    speak("prices", "", "STEP_FAILURE")
    speak("forecasts__predictions", "Dependencies failed. Not executing.")
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert "! prices: 3 bars refused: [/red]" in text
    assert "Not executing" not in text


def test_a_database_that_does_not_answer_is_not_called_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/x")
    command = [sys.executable, "-m", "predtrack_assets.cli", "db", "status"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The database does not answer: ")
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["universe", "load", "X", "/no/[/red]/file.csv"],
            "there is no membership file /no/[/red]/file.csv",
        ),
        (
            ["backfill", "--from", "2020-01-02", "--to", "2020-01-03", "--select", ","],
            "--select names no asset; leave it out to compute all of them",
        ),
    ],
)
def test_a_fault_in_the_arguments_is_one_line(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "predtrack_assets.cli", *arguments, "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, f"{sentence}\n")


def test_a_failed_check_is_not_said_to_have_undone_what_was_stored() -> None:
    failed = ["forecasts/outcomes: no_look_ahead"]
    report = RunReport("r", False, failed={"check_outcomes": "failed"}, failed_checks=failed)
    code, text = said(report)
    assert code == 1
    assert "what was stored stays" in text
    assert "Nothing of a failed step" not in text
    assert "Nothing of a failed step" in said(RunReport("r", False, failed={"prices": "x"}))[1]
