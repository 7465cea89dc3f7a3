"""The instance that dagster.yaml describes, on a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import dagster as dg
import psycopg
import pytest
import sqlalchemy as sa
from dagster._core.instance import InstanceRef
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable
from dagster._core.storage.runs.schema import RunStorageSqlMetadata
from dagster._utils.tags import TagConcurrencyLimitsCounter
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage
from psycopg import sql

from predtrack_assets.automation.dagster_schema import DATA_MIGRATIONS, complete_dagster_schema
from predtrack_assets.automation.dagster_storage import EVENT_VARIABLES, EventLogStorage
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer, ensure_database
from predtrack_assets.warehouse.database.urls import database_name, normalise, with_database


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


def _scheduled(schedule: str) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="any", tags={"dagster/schedule_name": schedule})


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


def test_a_run_keeps_one_connection_and_gives_it_back(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", server.url())
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'predtrack_dagster'"
    with psycopg.connect(server.url("postgres"), autocommit=True) as outside:
        with boot(tmp_path) as instance:
            dg.materialize([numbers], instance=instance)
            assert outside.execute(count).fetchone() == (1,)
            outside.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = 'predtrack_dagster'"
            )
            assert dg.materialize([numbers], instance=instance).success
        outside.execute("SELECT pg_sleep(0.2)")  # a server process ends after its client
        assert outside.execute(count).fetchone() == (0,)


def dagster_tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        return [name for (name,) in found]


def test_a_schema_left_half_made_is_completed(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREDTRACK_DAGSTER_URL", empty_database_url)
    with boot(tmp_path):
        whole = dagster_tables(empty_database_url)
    for lost in (whole[number::4] for number in range(4)):
        with psycopg.connect(empty_database_url) as connection:
            for table in lost:
                connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(table)))
        complete_dagster_schema(normalise(empty_database_url, "psycopg2"))
        assert dagster_tables(empty_database_url) == whole, lost
    with boot(tmp_path) as instance:
        assert dg.materialize([numbers], instance=instance).success


def test_a_schema_cut_short_after_any_statement_is_completed(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """dagster-postgres commits each table by itself: its first start is ended after some of them."""
    monkeypatch.setenv("PREDTRACK_DAGSTER_URL", empty_database_url)
    url = normalise(empty_database_url, "psycopg2")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    for cut in (1, 3, 9):
        for table in RunStorageSqlMetadata.sorted_tables[:cut]:
            table.create(engine, checkfirst=True)
        with boot(tmp_path) as instance:
            assert dg.materialize([numbers], instance=instance).success
            assert instance.get_runs_count() == 1
            assert not instance.run_storage.has_run("none")
        with psycopg.connect(empty_database_url) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    engine.dispose()


def test_a_lost_index_or_note_is_mended_and_an_older_schema_is_left_alone(
    empty_database_url: str,
) -> None:
    url = normalise(empty_database_url, "psycopg2")
    complete_dagster_schema(url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("DROP INDEX idx_run_tags; DELETE FROM secondary_indexes")
    complete_dagster_schema(url)
    with psycopg.connect(empty_database_url) as connection:
        lost = "SELECT to_regclass('idx_run_tags'), (SELECT count(*) FROM secondary_indexes)"
        assert connection.execute(lost).fetchone() == ("idx_run_tags", len(DATA_MIGRATIONS))
        connection.execute("UPDATE alembic_version SET version_num = '7e2f3204cf8e'")
        connection.execute("DROP TABLE concurrency_limits")
    complete_dagster_schema(url)
    assert "concurrency_limits" not in dagster_tables(empty_database_url)


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
        limits = concurrency.run_queue_config.tag_concurrency_limits
        counter = TagConcurrencyLimitsCounter(limits, [_scheduled("decision_schedule")])
        assert counter.is_blocked(_scheduled("decision_schedule")), "one after the other"
        assert not counter.is_blocked(_scheduled("validation_schedule"))
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


DAYS = dg.DailyPartitionsDefinition("2020-01-01", end_date="2020-03-01")


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def days() -> dg.MaterializeResult:
    """Metadata that careless quoting would break."""
    return dg.MaterializeResult(metadata={"text": "a'b\"c\\d %s :x {1,2} NULL \n é"})


def test_a_batch_of_events_is_stored_as_dagster_stores_it(server: EmbeddedServer) -> None:
    keys = DAYS.get_partition_keys()
    tags = {
        "dagster/asset_partition_range_start": keys[0],
        "dagster/asset_partition_range_end": keys[-1],
    }
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = dg.materialize([days], instance=instance, tags=tags).run_id
        happened = dg.DagsterEventType.ASSET_MATERIALIZATION
        records = instance.get_records_for_run(run_id, of_type=happened).records
    events = [record.event_log_entry for record in records]
    assert len(events) == len(keys)
    stored = []
    for kind in (PostgresEventLogStorage, EventLogStorage):
        url = normalise(with_database(server.url(), kind.__name__), "psycopg2")
        ensure_database(url)
        storage = kind(url)
        storage.store_event_batch(events)
        asset = storage.get_asset_records([days.key])[0].asset_entry
        last = storage.get_latest_materialization_events([days.key])[days.key]
        assert last == events[-1]
        with storage.index_connection() as connection:
            tables = [
                connection.execute(sa.select(table).order_by("id")).all()
                for table in (SqlEventLogStorageTable, AssetEventTagsTable)
            ]
        partitions = storage.get_materialized_partitions(days.key)
        stored.append((tables, asset, partitions, storage.get_records_for_run(run_id).records))
        storage.dispose()
    assert stored[0] == stored[1]
    assert stored[1][2] == set(keys)
    assert all(stored[1][0])


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
