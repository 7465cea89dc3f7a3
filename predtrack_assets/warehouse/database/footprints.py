"""What the transactions of a step touch, taken from the locks that they hold at their end.

PostgreSQL locks every table that a statement names, be it in a view or in a function, and keeps the
lock until the transaction ends: so what was read is known without anybody having declared it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import WRITER, Database, Transaction

# Everybody appends to the trail and continues its chain; nothing is computed from it.
TOUCHED = Query("""
    SELECT pg_current_xact_id_if_assigned()::text AS xid,
           coalesce(array_agg(c.oid::bigint) FILTER (WHERE t.oid IS NOT NULL), '{}') AS relations,
           coalesce(array_agg(c.oid::regclass::text) FILTER (WHERE t.oid IS NULL), '{}') AS unwatched
    FROM pg_locks l
    JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm', 'f')
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = 'notes_change' AND t.tgenabled <> 'D'
    WHERE l.locktype = 'relation' AND l.pid = pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND c.oid::regclass::text <> ALL (ARRAY['audit.audit_trail', 'audit.chain_locks',
          'audit.row_encodings', 'audit.table_changes', 'audit.completed_steps'])
      AND n.nspname NOT LIKE 'pg\\_temp%' AND n.nspname NOT LIKE '\\_timescaledb%'
""")


@dataclass
class Footprint:
    """What a step touched.

    snapshot: pg_snapshot of before it read anything. relations: oids of tables. transactions: xid8
    of those that wrote. unwatched: tables read whose changes nobody notes. whole: whether all of
    its transactions ended well.
    """

    snapshot: str
    relations: set[int] = field(default_factory=set)
    transactions: set[str] = field(default_factory=set)
    unwatched: set[str] = field(default_factory=set)
    whole: bool = True

    @property
    def complete(self) -> bool:
        """Whether everything that the step depends on in the database is known and watched."""
        return self.whole and not self.unwatched

    def add(self, transaction: Transaction) -> None:
        """Add what a transaction has touched; call it at its end."""
        found = transaction.read(TOUCHED).row(0, named=True)
        self.relations.update(found["relations"])
        self.unwatched.update(found["unwatched"])
        if found["xid"] is not None:
            self.transactions.add(found["xid"])


class WatchedDatabase(Database):
    """A database that knows what each step touches. step: name of the one at work, None outside of
    any; snapshot: the database's present pg_snapshot, as text."""

    def __init__(
        self, url: str, step: Callable[[], str | None], snapshot: Callable[[], str]
    ) -> None:
        super().__init__(url)
        self._step = step
        self._snapshot = snapshot
        self.footprints: dict[str | None, Footprint] = {}

    @contextmanager
    def transaction(self, role: str = WRITER) -> Iterator[Transaction]:
        """As `Database.transaction`; what it touched is added to the footprint of the step."""
        step = self._step()
        footprint = self.footprints.get(step) or Footprint(self._snapshot())
        self.footprints[step] = footprint
        try:
            with super().transaction(role) as transaction:
                yield transaction
                footprint.add(transaction)
        except BaseException:
            footprint.whole = False
            raise
