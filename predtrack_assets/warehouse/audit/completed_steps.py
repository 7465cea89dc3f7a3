"""What steps of backfills read when they last succeeded, and which of them have nothing new."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg

from predtrack_assets.warehouse.database.footprints import Footprint
from predtrack_assets.warehouse.database.transaction import WRITER
from predtrack_assets.warehouse.database.urls import normalise, with_role

LOCK = 0x70726564_73746570  # key of the advisory lock, "predstep" in ASCII
Span = tuple[str, str]  # first and last partition; empty strings for what has none

# A range is as its days one by one, so a part of it has nothing new either.
_FIND: LiteralString = """
    SELECT DISTINCT ON (step) step, failed_checks, results, recorded_at,
           (first_partition, last_partition) = (%(first)s, %(last)s) AS exact
    FROM audit.completed_steps s
    JOIN unnest(%(steps)s::text[], %(versions)s::text[]) AS asked (step, version) USING (step, version)
    WHERE first_partition <= %(first)s AND last_partition >= %(last)s AND audit.has_nothing_new(s)
    ORDER BY step, exact DESC, recorded_at DESC"""
_FORGET: LiteralString = """
    DELETE FROM audit.completed_steps s WHERE step = %(step)s
      AND (first_partition >= %(first)s AND last_partition <= %(last)s OR NOT audit.has_nothing_new(s))"""
_RECORD: LiteralString = """
    INSERT INTO audit.completed_steps VALUES
        (%(step)s, %(first)s, %(last)s, %(version)s, %(snapshot)s::pg_snapshot,
         %(transactions)s::text[]::xid8[], %(relations)s::bigint[]::oid[], %(failed_checks)s,
         %(results)s::jsonb)
    ON CONFLICT DO NOTHING"""
# In one statement, so of one moment: what is left has seen, or made, every change that goes.
_PRUNE: LiteralString = """
    WITH outdated AS (DELETE FROM audit.completed_steps s WHERE NOT audit.has_nothing_new(s))
    DELETE FROM audit.table_changes"""
# A copy on the same server counts transactions as the original does; its tables keep their oids.
_SERVER: LiteralString = "SELECT system_identifier::text FROM pg_control_system()"


@dataclass(frozen=True)
class Completed:
    """A step that has nothing new: checks that warned, what its materializations said, since when.

    exact: whether it was over these partitions, not over more.
    """

    failed_checks: list[str]
    results: dict[str, dict[str, Any]]
    at: datetime
    exact: bool

    @property
    def to_say_again(self) -> bool:
        """Whether it warned, and of these partitions nobody knows."""
        return bool(self.failed_checks) and not self.exact


class StepRecords:
    """The records, on a connection of its own. url: libpq URL.

    While it is open it holds a lock that keeps others from removing changes which a step at work may
    not have seen; where it could not get the lock, or lost it, nothing is recorded any more.
    """

    def __init__(self, url: str) -> None:
        self._url = with_role(normalise(url), WRITER)
        self._connection = self._connect()
        self._keeps = self._ask("SELECT pg_try_advisory_lock_shared(%s)", [LOCK])
        self.server: str = self._ask(_SERVER)

    def close(self) -> None:
        """Remove what nobody needs any more, unless another backfill is at work; give the lock back."""
        with suppress(psycopg.OperationalError), self._connection as connection:
            if self._keeps:
                connection.execute("SELECT pg_advisory_unlock_shared(%s)", [LOCK])
                if self._ask("SELECT pg_try_advisory_lock(%s)", [LOCK]):
                    connection.execute(_PRUNE)

    def snapshot(self) -> str:
        """What is committed now, as pg_snapshot. Raises psycopg.OperationalError."""
        try:
            return str(self._ask("SELECT pg_current_snapshot()::text"))
        except psycopg.OperationalError:
            self._keeps = False
            self._connection.close()
            self._connection = self._connect()
            return str(self._ask("SELECT pg_current_snapshot()::text"))

    def current(self, versions: Mapping[str, str], span: Span) -> dict[str, Completed]:
        """Those of the steps that have nothing new over the partitions of a span, by name.

        versions: of each step the version that its record must have.
        """
        asked = {"steps": list(versions), "versions": list(versions.values())}
        rows = self._connection.execute(_FIND, {**asked, "first": span[0], "last": span[1]})
        return {step: Completed(*rest) for step, *rest in rows}

    def record(
        self,
        step: str,
        span: Span,
        version: str,
        footprint: Footprint,
        failed_checks: Sequence[str],
        results: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Note that a step succeeded; nothing where it is not known all that it depends on."""
        if not self._keeps or not footprint.complete:
            return
        row = {
            "step": step,
            "first": span[0],
            "last": span[1],
            "version": version,
            "snapshot": footprint.snapshot,
            "transactions": sorted(footprint.transactions),
            "relations": sorted(footprint.relations),
            "failed_checks": list(failed_checks),
            "results": json.dumps(results),
        }
        try:
            with self._connection.transaction():
                self._connection.execute(_FORGET, row)
                self._connection.execute(_RECORD, row)
        except psycopg.OperationalError:  # what the run did stands; the next one does it again
            self._keeps = False

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._url, autocommit=True)

    def _ask(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> Any:
        row = self._connection.execute(statement, parameters).fetchone()
        return row and row[0]
