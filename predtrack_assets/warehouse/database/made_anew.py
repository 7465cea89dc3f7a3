"""What of a database is not as its migrations make it: found by making them once more."""

from __future__ import annotations

from pathlib import Path

from predtrack_assets.warehouse.database.catalogue import (
    Difference,
    compare_catalogues,
    read_catalogue,
)
from predtrack_assets.warehouse.database.migrate import migrate
from predtrack_assets.warehouse.database.scratch import temporary_database


def differences_from_migrations(url: str, sql_dir: Path) -> list[Difference]:
    """Where the catalogue of a database (second) differs from a fresh migration's (first).

    The migrations run in a temporary database of the same server, some seconds. A superuser who
    changes both what is stored and these files is not found. Raises ServerError where the user may
    not create databases.
    """
    with temporary_database(url, "status") as fresh:
        migrate(fresh, sql_dir)
        made = read_catalogue(fresh)
    return compare_catalogues(made, read_catalogue(url))
