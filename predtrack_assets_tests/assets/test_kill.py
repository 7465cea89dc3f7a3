"""kill -9 of a run or of the database, at any moment: what follows ends as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database.binaries import find_binaries
from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer
from predtrack_assets.warehouse.database.migrate import migrate
from predtrack_assets_tests import graph

WINDOW = (date(2021, 1, 4), date(2021, 2, 19))
# In the order of the graph, so that a run that was killed at one dies next time at a later one.
MOMENTS = [
    "market.corporate_actions",
    "forecasts.predictions",
    "accuracy.symbol_accuracy",
]

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def small_market(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDTRACK_SOURCE", "simulated")
    monkeypatch.setenv("PREDTRACK_SIMULATED_SYMBOLS", "4")
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1,4")


@pytest.fixture
def undisturbed(database_url: str) -> graph.Rows:
    """What a run leaves that nobody disturbs."""
    graph.run_reference(database_url)
    graph.run(database_url, *WINDOW)
    return graph.contents(database_url)


def run_that_dies(url: str, table: str, server: int = 0) -> subprocess.CompletedProcess[str]:
    days = [day.isoformat() for day in WINDOW]
    program = "predtrack_assets_tests.assets.killed"
    return subprocess.run(
        [sys.executable, "-m", program, url, *days, table, str(server)],
        cwd=PROJECT_ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def count(url: str, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table.split(".")))
    with psycopg.connect(url) as connection:
        (number,) = connection.execute(query).fetchone() or (0,)
    return int(number)


def test_a_run_killed_again_and_again_ends_equal(
    undisturbed: graph.Rows, empty_database_url: str
) -> None:
    url = empty_database_url
    migrate(url, PROJECT_ROOT / "sql")
    graph.run_reference(url)
    for table in MOMENTS:
        killed = run_that_dies(url, table)
        assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
        assert f"writing {table}" in killed.stdout
        assert count(url, table) == 0, "nothing of the killed asset is there"
    assert count(url, "forecasts.outcomes"), "what was committed before is"
    graph.run(url, *WINDOW)
    assert graph.differences(graph.contents(url), undisturbed) == {}


@pytest.fixture
def home(reachable_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(tempfile, "tempdir", str(reachable_directory))
    path = reachable_directory / "killed"
    yield path
    EmbeddedServer(path).stop()


def test_a_database_killed_under_a_run_ends_equal(undisturbed: graph.Rows, home: Path) -> None:
    server = EmbeddedServer(home)
    url = server.start()
    migrate(url, PROJECT_ROOT / "sql")
    graph.run_reference(url)
    pid_file = home / f"postgres-{find_binaries(home)[0]}" / "postmaster.pid"
    for table in ("market.market_data", "forecasts.outcomes"):
        postmaster = int(pid_file.read_text().split()[0])
        failed = run_that_dies(url, table, postmaster)
        assert failed.returncode != 0
        assert f"writing {table}" in failed.stdout
        assert server.start() == url
        assert count(url, table) == 0, "what was not committed did not survive"
    assert count(url, "forecasts.predictions"), "what was committed did"
    graph.run(url, *WINDOW)
    assert graph.differences(graph.contents(url), undisturbed) == {}
