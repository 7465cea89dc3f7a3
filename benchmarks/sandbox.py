"""A home, a server and databases of their own for one run of the benchmarks.

What is measured runs in a process of its own, so that its peak memory is its own too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.migrate import migrate
from predtrack_assets.warehouse.server import EmbeddedServer, ensure_database

DAGSTER_ENVIRONMENT = {
    "DAGSTER_EVENT_BATCH_SIZE": "1000",
    "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "true",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
}


@dataclass(frozen=True)
class Database:
    """A migrated database with a Dagster instance beside it; environment: settings of its steps."""

    url: str
    dagster_home: Path
    environment: dict[str, str]

    def step(self, name: str, **options: Any) -> dict[str, Any]:
        """What `benchmarks.steps` answers, from a new process. Raises CalledProcessError."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREDTRACK_")}
        environment = {
            **inherited,
            **DAGSTER_ENVIRONMENT,
            **self.environment,
            "PREDTRACK_DATABASE_URL": self.url,
            "DAGSTER_HOME": str(self.dagster_home),
        }
        command = [sys.executable, "-m", "benchmarks.steps", name, json.dumps(options)]
        done = subprocess.run(
            command, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return json.loads(done.stdout.splitlines()[-1])

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection]:
        """A connection of the owner, freshly after a checkpoint, so that each starts alike."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            yield connection


class Sandbox:
    """An embedded server in a temporary home. Get one from `sandbox()`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._server = EmbeddedServer(home)

    def database(self, name: str, **environment: str) -> Database:
        """A new migrated database; environment: PREDTRACK_ settings of its steps."""
        url = self._server.url(name)
        ensure_database(url)
        migrate(url, PROJECT_ROOT / "sql")
        dagster_home = self.home / f"dagster_{name}"
        dagster_home.mkdir()
        shutil.copy(PROJECT_ROOT / "dagster.yaml", dagster_home)
        return Database(url, dagster_home, environment)


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox; stopped and removed at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="predtrack-bench-") as directory:
        home = Path(directory).resolve()
        home.chmod(0o711)  # root runs the server as another user
        server = EmbeddedServer(home)
        server.start()
        try:
            yield Sandbox(home)
        finally:
            server.stop()
