"""A database that ends in the middle of a run, or has no room left, as one sentence.

Five libraries name it five ways, and a command that never asked a database loads none of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

FAULTS = {
    "psycopg.OperationalError",
    "psycopg2.OperationalError",
    "psycopg2.InterfaceError",
    "adbc_driver_manager.OperationalError",
    "sqlalchemy.exc.OperationalError",
    "dagster_postgres.utils.DagsterPostgresException",
}
NO_ROOM = "No space left on device"


def database_fault(error: BaseException) -> str | None:
    """What to say of an error that a database caused, however deep; None where none did."""
    causes = [cause for cause in _chain(error) if _names(cause) & FAULTS]
    if not causes:
        return None
    first = str(causes[-1]).strip().splitlines()
    reason = first[0] if first else type(causes[-1]).__name__
    if NO_ROOM in str(causes[-1]):
        return f"The database has no room left: {reason}"
    return f"The database does not answer: {reason}"


def say_retries_once() -> None:
    """Let Dagster's storage tell that it tries again in one line, not in four for each time."""
    logging.getLogger().addFilter(_RetriesOnce())


class _RetriesOnce(logging.Filter):
    told = False

    def filter(self, record: logging.LogRecord) -> bool:
        if not str(record.msg).startswith("Retrying failed database connection"):
            return True
        record.msg, record.args = "The database does not answer; trying again ...", ()
        told, self.told = self.told, True
        return not told


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, outermost first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _names(error: BaseException) -> set[str]:
    return {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
