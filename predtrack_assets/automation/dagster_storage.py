"""Where Dagster keeps its runs and events; dagster.yaml names this class.

Stock dagster-postgres wants one URL with the right driver in it and answers a missing one with a
page of traceback. This one takes it from our settings, and fails with a sentence. As every process
of Dagster loads it, it is also where Dagster is told to batch events.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import click
import dagster as dg
import psycopg
import sqlalchemy as sa
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
)
from dagster._core.errors import raise_execution_interrupts
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster._utils.concurrency import ConcurrencyClaimStatus
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage

from predtrack_assets.automation.dagster_schema import complete_dagster_schema
from predtrack_assets.automation.dead_runs import end_dead_runs
from predtrack_assets.automation.progress import CONSOLE
from predtrack_assets.settings import Settings, get_settings
from predtrack_assets.warehouse.database.binaries import ServerError
from predtrack_assets.warehouse.database.embedded_server import (
    EmbeddedServer,
    dagster_url,
    ensure_database,
)
from predtrack_assets.warehouse.database.run_locks import RunLocks

# Without these, a range run writes several events per asset and day, each on a new connection.
EVENT_VARIABLES = {
    "DAGSTER_EVENT_BATCH_SIZE": "1000",
    "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "true",
}


# What the process that executes a run tells first, and last.
FIRST = (dg.DagsterEventType.RUN_START,)
LAST = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)
LOOK_AGAIN = 1.0  # seconds between two looks at a pool that is full


class EventLogStorage(PostgresEventLogStorage):
    """Plans a check once for a run, whatever its number of days; writes a batch as arrays; knows
    which runs are alive.

    Dagster 1.13 gives a check without partitions the partitions of its run: a row per check and
    day, each with the whole event, that stay "planned" for ever. Ours have no partitions. And it
    writes a batch as one INSERT of thousands of parameters, which takes longer to compile than to run.
    Last, a run that was killed keeps its slot of a pool, and who waits for it takes a whole CPU
    and hears no signal.
    """

    def __init__(self, postgres_url: str) -> None:
        super().__init__(postgres_url)
        self._locks = RunLocks(postgres_url)
        self._waits_for: set[str] = set()

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store one event; a run's first and last begin and end the lock that shows it alive."""
        kind = event.dagster_event.event_type if event.dagster_event else None
        if kind in FIRST:
            self._locks.hold(event.run_id)
            end_dead_runs(self._instance, self._locks)
        planned = event.dagster_event.event_specific_data if event.dagster_event else None
        if event.dagster_event and isinstance(planned, AssetCheckEvaluationPlanned):
            once = AssetCheckEvaluationPlanned(
                asset_key=planned.asset_key, check_name=planned.check_name
            )
            event = event._replace(
                dagster_event=event.dagster_event._replace(event_specific_data=once)
            )
        super().store_event(event)
        if kind in LAST:
            self._locks.release(event.run_id)

    def dispose(self) -> None:
        """Close what is open, when the instance is done with."""
        super().dispose()
        self._engine.dispose()

    def claim_concurrency_slot(
        self, concurrency_key: str, run_id: str, step_key: str, priority: int | None = None
    ) -> ConcurrencyClaimStatus:
        """Claim a slot of a pool, or wait a second for it; a signal ends the waiting at once."""
        end_dead_runs(self._instance, self._locks)
        status = super().claim_concurrency_slot(concurrency_key, run_id, step_key, priority)
        if status.is_claimed:
            return status
        self._say_whom_we_wait_for(concurrency_key)
        with raise_execution_interrupts():
            time.sleep(LOOK_AGAIN)
        return status.with_sleep_interval(0.0)

    def _say_whom_we_wait_for(self, pool: str) -> None:
        holders = self.get_concurrency_info(pool).active_run_ids
        for run_id in sorted(holders - self._waits_for):
            run = self._instance.get_run_by_id(run_id)
            job = f" ({run.job_name})" if run else ""
            CONSOLE.print(f"Waiting for run {run_id[:8]}{job}, which is at work on {pool} ...")
        self._waits_for = holders

    def prepare_insert_event_batch(self, events: Sequence[dg.EventLogEntry]) -> sa.Insert:
        """INSERT ... SELECT unnest(...), one parameter per column; ids ascend in the events' order."""
        rows = [self._event_to_row(event) for event in events]
        columns = [column for column in SqlEventLogStorageTable.c if column.name in rows[0]]
        arrays = [
            sa.cast([row[column.name] for row in rows], sa.ARRAY(column.type)) for column in columns
        ]
        unnested = sa.select(*(sa.func.unnest(array) for array in arrays))
        return SqlEventLogStorageTable.insert().from_select(columns, unnested)


class PredtrackDagsterStorage(DagsterPostgresStorage):
    """dagster-postgres storage in the database that `dagster_url` names, created if need be.

    Never starts a server. Raises click.ClickException, which every Dagster command prints as one
    line, when there is nothing to connect to.
    """

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, inst_data=inst_data)
        self._event_log_storage = EventLogStorage(postgres_url)
        # Stock storages connect for every statement, 2,000 times in a run. One connection is kept,
        # and tried before it is used: the server may have restarted.
        engine = sa.create_engine(
            postgres_url,
            isolation_level="AUTOCOMMIT",
            pool_size=1,
            max_overflow=-1,
            pool_pre_ping=True,
        )
        for part in (self._run_storage, self._event_log_storage, self._schedule_storage):
            part._engine = engine

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """No configuration here; see settings.dagster_url and settings.database_url."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Called by Dagster in each of its processes."""
        for name, value in EVENT_VARIABLES.items():
            os.environ.setdefault(name, value)
        return cls(postgres_url=_checked_url(get_settings()), inst_data=inst_data)


def _checked_url(settings: Settings) -> str:
    try:
        if settings.dagster_url is None and settings.database_url is None:
            EmbeddedServer(settings.home).url()  # raises if it does not run
        url = dagster_url(settings)
        ensure_database(url)
        complete_dagster_schema(url)
    except (ServerError, psycopg.OperationalError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise click.ClickException(
            "Dagster has no database: set PREDTRACK_DAGSTER_URL or use `predtrack dev`, "
            f"which starts everything ({reason})."
        ) from error
    return url
