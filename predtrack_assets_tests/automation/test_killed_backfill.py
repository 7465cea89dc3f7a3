"""kill -9 of a backfill while it holds a pool's slot, and backfills that wait for a live one."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer

BACKFILL = ("backfill", "--from", "2021-01-04", "--to", "2021-01-08", "--select", "market_data")
COMMAND = ("predtrack_assets.cli",)
DISTURBED = "predtrack_assets_tests.automation.disturbed"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(reachable_directory: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(reachable_directory / "backfills")
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def nothing_stored(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS predtrack WITH (FORCE)")
        connection.execute("DROP DATABASE IF EXISTS predtrack_dagster WITH (FORCE)")
    monkeypatch.setattr(tempfile, "tempdir", str(server.home.parent))
    monkeypatch.setenv("PREDTRACK_HOME", str(server.home))
    monkeypatch.setenv("PREDTRACK_SOURCE", "simulated")
    monkeypatch.setenv("PREDTRACK_SIMULATED_SYMBOLS", "2")


def start(program: Sequence[str] = COMMAND) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *program, *BACKFILL],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(stream: Iterator[str] | None, text: str) -> None:
    lines = []
    for line in stream or ():
        lines.append(line)
        if text in line:
            return
    raise AssertionError(f"{text!r} was not said: {lines}")


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code, and what is left of both streams."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def statuses(server: EmbeddedServer) -> list[str]:
    """Of the runs of prices, oldest first."""
    with psycopg.connect(server.url("predtrack_dagster")) as connection:
        rows = connection.execute(
            "SELECT status FROM runs WHERE pipeline_name = 'backfill_inputs' ORDER BY id"
        )
        return [status for (status,) in rows]


def test_a_backfill_goes_on_after_one_was_killed(server: EmbeddedServer) -> None:
    code, said = finish(start((DISTURBED, "die")))
    assert code == -signal.SIGKILL, said
    assert "inside prices" in said
    assert statuses(server) == ["STARTED"]
    code, said = finish(start())
    assert code == 0, said
    assert "Waiting" not in said
    assert "nothing new" not in said.split("prices")[-1]
    assert statuses(server) == ["FAILURE", "SUCCESS"]
    code, said = finish(start())
    assert code == 0, said
    assert "prices: nothing new since" in said
    assert statuses(server) == ["FAILURE", "SUCCESS"], "there was nothing to run"


def test_backfills_wait_for_a_live_one_and_end_at_a_signal(server: EmbeddedServer) -> None:
    first = start((DISTURBED, "wait"))
    read_until(first.stdout, "inside prices")
    for number in (signal.SIGINT, signal.SIGTERM):
        waiting = start()
        read_until(waiting.stderr, "Waiting for run ")
        waiting.send_signal(number)
        code, said = finish(waiting)
        assert code == 130, said
        assert "Traceback" not in said
    patient = start()
    read_until(patient.stderr, "Waiting for run ")
    first.kill()
    assert finish(first)[0] == -signal.SIGKILL
    code, said = finish(patient)
    assert code == 0, said
    assert statuses(server) == ["FAILURE", "FAILURE", "FAILURE", "SUCCESS"]


def test_a_backfill_interrupted_at_work_gives_its_slot_back(server: EmbeddedServer) -> None:
    first = start((DISTURBED, "wait"))
    read_until(first.stdout, "inside prices")
    first.send_signal(signal.SIGINT)
    code, said = finish(first)
    assert code == 130, said
    code, said = finish(start())
    assert code == 0, said
    assert statuses(server) == ["FAILURE", "SUCCESS"]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [("end", "The database does not answer: "), ("full", "No space left on device")],
)
def test_a_database_that_fails_under_a_run_is_a_sentence(
    fault: str, sentence: str, server: EmbeddedServer
) -> None:
    code, said = finish(start((DISTURBED, fault)))
    server.start()
    assert code == 1, said
    assert sentence in said
    assert "Traceback" not in said
    assert said.count("trying again") <= 1
    code, said = finish(start())
    assert code == 0, said
