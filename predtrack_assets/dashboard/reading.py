"""What a page reads with: one read-only transaction, what its address asks for, and what is kept
of the data until they change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

import adbc_driver_manager

from predtrack_assets.dashboard.blocks import Choice
from predtrack_assets.services.audit.api_keys import Caller
from predtrack_assets.warehouse.database.transaction import READER, Database, Transaction
from predtrack_assets.warehouse.overview import DATA_VERSION, LONGER
from predtrack_assets.warehouse.reads import LIMITS

FRESH = 10.0
NOBODY = Caller("", "", frozenset())
LIMIT_SECONDS = 5  # of a statement, as LIMITS sets it
LOG = logging.getLogger("predtrack.dashboard")
T = TypeVar("T")


class Refused(Exception):
    """A page that is answered with an error: status and what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Kept:
    """What was computed of the data, until they change.

    A page waits for what was never computed. After that it is given what there is, and what is
    old is recomputed beside it, once, however many ask. fresh: seconds in which the data's
    version is not asked for again.
    """

    def __init__(self, database: Database, fresh: float = FRESH) -> None:
        self._database, self._fresh = database, fresh
        self._found: dict[Any, tuple[str, Any]] = {}
        self._locks: dict[Any, threading.Lock] = {}
        self._guard = threading.Lock()
        self._version, self._asked = "", float("-inf")

    def version(self, transaction: Transaction) -> str:
        """The data's version."""
        if monotonic() - self._asked > self._fresh:
            self._version = transaction.read(DATA_VERSION).item()
            self._asked = monotonic()
        return self._version

    def get(
        self, name: Any, version: str, transaction: Transaction, compute: Callable[[Transaction], T]
    ) -> T:
        """What `compute` gives of this version, or gave of an earlier one."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        if name not in self._found:
            with lock:
                if name not in self._found:
                    self._found[name] = version, compute(transaction)
        known, value = self._found[name]
        if known != version and lock.acquire(blocking=False):
            work = (name, version, compute, lock)
            threading.Thread(target=self._renew, args=work, daemon=True).start()
        return value

    def peek(self, name: Any) -> Any:
        """What was computed last, of whichever version; None before that."""
        return self._found.get(name, ("", None))[1]

    def _renew(
        self, name: Any, version: str, compute: Callable[[Transaction], Any], lock: threading.Lock
    ) -> None:
        try:
            with read_only(self._database, seconds=60) as transaction:
                self._found[name] = version, compute(transaction)
        except adbc_driver_manager.Error as error:  # asked for again with the next page
            LOG.warning("%s was not recomputed: %s", name, type(error).__name__)
        finally:
            lock.release()


@dataclass
class Reading:
    """One request: parameters of the address, the transaction, what is kept, who asks."""

    transaction: Transaction
    kept: Kept
    given: Mapping[str, str]
    version: str
    who: Caller = NOBODY

    def keep(self, name: Any, compute: Callable[[Transaction], T], also: object = "") -> T:
        """What depends on the data alone, and on `also`: computed when they have changed."""
        return self.kept.get(name, f"{self.version} {also}", self.transaction, compute)

    def only(self, *names: str) -> None:
        """Raises Refused 400 for a parameter that the page does not have."""
        if unknown := sorted(set(self.given) - {*names, "csv"}):
            known = ", ".join(names) or "none"
            raise Refused(400, f"This page has no parameter {unknown[0]!r}; it has: {known}.")

    def choice(
        self, name: str, label: str, options: Mapping[str, str] | Iterable[str], default: str = ""
    ) -> Choice:
        """A choice among options. Raises Refused 400 for a value that is none of them."""
        words = dict(options) if isinstance(options, Mapping) else {o: o for o in options}
        chosen = self.given.get(name, default if default in words else next(iter(words), ""))
        if name in self.given and chosen not in words:
            shown = ", ".join(list(words)[:12]) or "nothing yet"
            raise Refused(400, f"{name} is {self.given[name][:60]!r}; there are: {shown}.")
        return Choice(name, label, words, chosen)


@contextmanager
def read_only(database: Database, seconds: int = LIMIT_SECONDS) -> Iterator[Transaction]:
    """A transaction of the reader role that writes nothing, with a limit on each statement."""
    with database.transaction(READER) as transaction:
        transaction.read(LIMITS)
        if seconds != LIMIT_SECONDS:
            transaction.read(LONGER, milliseconds=str(1_000 * seconds))
        yield transaction


@contextmanager
def reading(
    database: Database,
    kept: Kept,
    given: Mapping[str, str],
    who: Caller = NOBODY,
    seconds: int = LIMIT_SECONDS,
) -> Iterator[Reading]:
    """A reading of the database, read-only and with a time limit."""
    with read_only(database, seconds) as transaction:
        yield Reading(transaction, kept, given, kept.version(transaction), who)
