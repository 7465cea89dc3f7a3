"""The instance that dagster.yaml describes, on a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import dagster as dg
import pytest
from dagster._core.instance import InstanceRef
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster_postgres import PostgresRunStorage

from predtrack_assets.dagster_storage import EVENT_VARIABLES
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.server import EmbeddedServer
from predtrack_assets.warehouse.urls import database_name


@pytest.fixture(scope="module")
def server(reachable_directory: Path) -> Iterator[EmbeddedServer]:
    """A server of its own, whose home a test can name: databases are created beside ours."""
    server = EmbeddedServer(reachable_directory / "dagster")
    server.start()
    yield server
    server.stop()


def boot(directory: Path) -> dg.DagsterInstance:
    """As `dagster dev` does in the project's root, which is where dagster.yaml comes from."""
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(str(directory), config_dir=str(PROJECT_ROOT))
    )


@dg.asset
def numbers() -> None: ...


@pytest.mark.parametrize("variable", ["PREDTRACK_HOME", "PREDTRACK_DATABASE_URL", "DATABASE_URL"])
def test_the_instance_boots_on_postgresql_and_remembers_runs(
    variable: str, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    value = str(server.home) if variable == "PREDTRACK_HOME" else server.url()
    monkeypatch.setenv(variable, value)
    with boot(tmp_path) as instance:
        assert isinstance(instance.run_storage, PostgresRunStorage)
        assert instance.run_storage.postgres_url.startswith("postgresql+psycopg2://")
        assert "/predtrack_dagster?" in instance.run_storage.postgres_url
        run_id = dg.materialize([numbers], instance=instance).run_id
    with boot(tmp_path) as again:
        assert again.get_run_by_id(run_id) is not None


def test_limits_and_retention_are_in_force(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare_url = empty_database_url.replace("postgresql://", "postgres://")
    monkeypatch.setenv("PREDTRACK_DAGSTER_URL", bare_url)
    with boot(tmp_path) as instance:
        assert database_name(instance.run_storage.postgres_url) == database_name(bare_url)
        assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
        concurrency = instance.get_concurrency_config()
        assert concurrency.run_queue_config.max_concurrent_runs == 4
        assert concurrency.pool_config.default_pool_limit == 1
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] == 60
        assert not instance.telemetry_enabled
        assert instance.get_settings("sensors")["use_threads"]
        assert instance.get_settings("schedules")["use_threads"]


def test_every_process_batches_its_events_unless_told_otherwise(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREDTRACK_DAGSTER_URL", empty_database_url)
    batch_size, planned = EVENT_VARIABLES
    monkeypatch.setenv(batch_size, "7")
    monkeypatch.setenv(planned, "")
    monkeypatch.delenv(planned)
    with boot(tmp_path):
        assert os.environ[batch_size] == "7"
        assert os.environ[planned] == "true"


def test_no_server_is_one_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException) as raised:
        boot(tmp_path)
    message = raised.value.format_message()
    assert message.startswith(
        "Dagster has no database: set PREDTRACK_DAGSTER_URL or use `predtrack"
    )
    assert "\n" not in message


def test_an_unreachable_server_does_not_show_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREDTRACK_DAGSTER_URL", "postgresql://u:secret@127.0.0.1:1/dagster")
    with pytest.raises(click.ClickException, match="Connection refused") as raised:
        boot(tmp_path)
    assert "secret" not in raised.value.format_message()


def test_plain_dagster_dev_fails_with_that_sentence_alone() -> None:
    command = [sys.executable, "-m", "dagster", "dev", "--port", "0"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.rstrip().splitlines()[-1].startswith("Error: Dagster has no database: ")
    assert "Traceback" not in done.stderr
