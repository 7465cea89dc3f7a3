"""Which errors a database caused, and what is said of them."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy as sa
from dagster_postgres.utils import DagsterPostgresException

from predtrack_assets.cli.database_faults import database_fault


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


SILENT = "The database does not answer: "
REFUSED = psycopg.OperationalError("connection refused\nIs the server running?")
WRAPPED = sa.exc.OperationalError("SELECT 1", {}, REFUSED)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (REFUSED, SILENT + "connection refused"),
        (caused(DagsterPostgresException("too many retries"), REFUSED), SILENT + "connection refused"),
        (caused(KeyError("x"), WRAPPED), SILENT + "(psycopg.OperationalError) connection refused"),
        (
            psycopg.errors.DiskFull("could not extend file: No space left on device\nHINT: more"),
            "The database has no room left: could not extend file: No space left on device",
        ),
        (psycopg.OperationalError(), SILENT + "OperationalError"),
        (psycopg.errors.UniqueViolation("twice"), None),
        (KeyError("x"), None),
    ],
)  # fmt: skip
def test_the_deepest_fault_of_a_database_is_told(error: Exception, sentence: str | None) -> None:
    assert database_fault(error) == sentence
