"""What every command of the command line needs: the home, and a database that is ready."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from predtrack_assets.settings import Settings, get_settings

if TYPE_CHECKING:
    from predtrack_assets.warehouse.database.transaction import Database

Home = Annotated[
    Path | None, typer.Option(help="Where state lives, instead of PREDTRACK_HOME or .predtrack.")
]


def use_home(home: Path | None) -> Settings:
    """The settings with a home (None: theirs), for this process and all that it starts."""
    if home is not None:
        os.environ["PREDTRACK_HOME"] = str(home.resolve())
    return get_settings()


def running_url(settings: Settings) -> str:
    """The URL of a database that answers; says how to start one otherwise."""
    from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer, database_url

    if settings.database_url is None and not settings.home.is_dir():
        raise ValueError(
            f"there is no home {settings.home}: `predtrack demo` or `predtrack backfill` makes one,"
            " --home or PREDTRACK_HOME names another"
        )
    if settings.database_url is None and not EmbeddedServer(settings.home).is_running():
        raise ValueError("the database is not running: `predtrack db start` starts it")
    return database_url(settings)


def require_schema(settings: Settings) -> None:
    """Raises ValueError where migrations are missing."""
    from predtrack_assets.warehouse.database.migrate import status as migrations

    pending = [
        m.name for m in migrations(running_url(settings), settings.sql_dir) if m.state == "pending"
    ]
    if pending:
        raise ValueError("the schema is not up to date: `predtrack db migrate` brings it there")


def ready_database(home: Path | None) -> Database:
    """The database of a home (None: of the settings), which answers and has the newest schema."""
    from predtrack_assets.warehouse.database.transaction import Database

    settings = use_home(home)
    require_schema(settings)
    return Database(url=running_url(settings))
