"""A home, a server and databases of their own for one run of the benchmarks.

What is measured runs in a process of its own, so that its peak memory is its own too.
"""

from __future__ import annotations

import json
import os
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
from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer, ensure_database
from predtrack_assets.warehouse.database.migrate import migrate


@dataclass(frozen=True)
class Database:
    """A migrated database. settings: the PREDTRACK_ variables of what runs on it."""

    url: str
    settings: dict[str, str]

    def step(self, name: str, **options: Any) -> dict[str, Any]:
        """What `benchmarks.steps` answers, from a new process. Raises CalledProcessError."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREDTRACK_")}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.steps", name, json.dumps(options)],
            cwd=PROJECT_ROOT,
            env={**inherited, **self.settings},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return json.loads(done.stdout.splitlines()[-1])

    def connect(self) -> psycopg.Connection:
        """A connection of the owner, after a checkpoint, so that what follows starts clean."""
        connection = psycopg.connect(self.url, autocommit=True)
        connection.execute("CHECKPOINT")
        return connection


class Sandbox:
    """An embedded server in a temporary home. Get one from `sandbox()`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._server = EmbeddedServer(home)

    def database(self, name: str, **settings: str) -> Database:
        """A new migrated database with a Dagster storage of its own beside it."""
        url = self._server.url(name)
        ensure_database(url)
        migrate(url, PROJECT_ROOT / "sql")
        own = {"PREDTRACK_HOME": str(self.home / name), "PREDTRACK_DATABASE_URL": url}
        return Database(url, {**own, **settings})


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
