"""Dagster's tables, whole or mended: dagster-postgres makes them one by one, and never looks again.

A first start that is cut short leaves some of them, with which no later start can work.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from dagster._core.storage.event_log.migration import (
    ASSET_DATA_MIGRATIONS,
    EVENT_LOG_DATA_MIGRATIONS,
)
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
from dagster._core.storage.runs.migration import OPTIONAL_DATA_MIGRATIONS, REQUIRED_DATA_MIGRATIONS
from dagster._core.storage.runs.schema import RunStorageSqlMetadata, SecondaryIndexMigrationTable
from dagster._core.storage.schedules.migration import (
    OPTIONAL_SCHEDULE_DATA_MIGRATIONS,
    REQUIRED_SCHEDULE_DATA_MIGRATIONS,
)
from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata
from dagster._core.storage.sql import check_alembic_revision, stamp_alembic_rev
from dagster_postgres import (
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.run_storage import run_storage
from dagster_postgres.utils import pg_alembic_config

from predtrack_assets.warehouse.database.migrate import migration_lock

METADATA = (RunStorageSqlMetadata, SqlEventLogStorageMetadata, ScheduleStorageSqlMetadata)
DATA_MIGRATIONS = {
    *REQUIRED_DATA_MIGRATIONS,
    *OPTIONAL_DATA_MIGRATIONS,
    *EVENT_LOG_DATA_MIGRATIONS,
    *ASSET_DATA_MIGRATIONS,
    *REQUIRED_SCHEDULE_DATA_MIGRATIONS,
    *OPTIONAL_SCHEDULE_DATA_MIGRATIONS,
}


def complete_dagster_schema(url: str) -> None:
    """Create what lacks of Dagster's tables, indexes and notes of its own migrations.

    url: of SQLAlchemy. Does nothing to the schema of an older Dagster: `dagster instance migrate`
    is for that. Safe to call at once from several processes.
    """
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    if _is_complete(engine):
        return
    with migration_lock(url):
        with engine.begin() as connection:
            config = pg_alembic_config(run_storage.__file__)
            revision, head = check_alembic_revision(config, connection)
            if revision not in (None, head):
                return
            for metadata in METADATA:
                metadata.create_all(connection)
            for index in _indexes():
                index.create(connection, checkfirst=True)
            stamp_alembic_rev(config, connection)
        runs, schedules = PostgresRunStorage(url), PostgresScheduleStorage(url)
        events = PostgresEventLogStorage(url)
        for migration in (
            *(runs.migrate, runs.optimize),
            *(schedules.migrate, schedules.optimize),
            *(events.reindex_events, events.reindex_assets),
        ):
            migration()  # what is noted as done is left out


def _is_complete(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        tables = set(inspector.get_table_names())
        if not {"alembic_version", *(t for m in METADATA for t in m.tables)} <= tables:
            return False
        indexes = {
            found["name"] for each in inspector.get_multi_indexes().values() for found in each
        }
        if not {index.name for index in _indexes()} <= indexes:
            return False
        name, done = SecondaryIndexMigrationTable.c["name", "migration_completed"]
        noted = connection.execute(sa.select(name).where(done.is_not(None)))
        return set(noted.scalars()) >= DATA_MIGRATIONS


def _indexes() -> Iterator[sa.Index]:
    for metadata in METADATA:
        for table in metadata.tables.values():
            yield from table.indexes
