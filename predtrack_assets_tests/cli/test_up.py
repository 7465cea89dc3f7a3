"""`predtrack up`: three services with one command, answering, and gone with one Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from predtrack_assets.cli.main import app
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def home(reachable_directory: Path) -> Iterator[Path]:
    path = reachable_directory / "up"
    yield path
    if EmbeddedServer(path).is_running():
        EmbeddedServer(path).stop()


@pytest.mark.slow
def test_up_starts_what_answers_and_one_interrupt_ends_it(home: Path) -> None:
    port, dagster_port = free_port(), free_port()
    command = [sys.executable, "-m", "predtrack_assets.cli", "up", "--home", str(home)]
    command += ["--port", str(port), "--dagster-port", str(dagster_port)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                break
        text = "".join(said)
        assert f"http://127.0.0.1:{port}/api/v1" in text, text
        assert f"http://127.0.0.1:{dagster_port}/" in text
        for path in (f"{port}/api/v1/health/ready", f"{dagster_port}/server_info"):
            with urllib.request.urlopen(f"http://127.0.0.1:{path}", timeout=30) as answer:
                assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(90)
    for number in (port, dagster_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", number)) != 0
    assert not EmbeddedServer(home).is_running()


def test_ports_are_looked_at_before_anything_starts(tmp_path: Path) -> None:
    same = CliRunner().invoke(app, ["up", "--port", "3000"])
    assert str(same.exception) == "--port and --dagster-port are the same"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        found = CliRunner().invoke(app, ["up", "--port", port, "--home", str(tmp_path / "home")])
    assert f"127.0.0.1:{port} cannot be listened on" in str(found.exception)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_that_a_command_started(number: signal.Signals) -> None:
    """A grandchild that ignores the interrupt goes too."""
    group = "trap '' INT; sleep 600 & echo $!; wait"
    run = "from predtrack_assets.cli import up; up.STOP_SECONDS = 1"
    run += f"; up.run_in_group(['sh', '-c', {group!r}])"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", run], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        process.send_signal(number)
        process.wait(60)
    for _ in range(600):  # a signal is delivered, then acted upon
        if not _runs(grandchild):
            break
        time.sleep(0.1)
    assert not _runs(grandchild)


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
