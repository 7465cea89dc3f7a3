"""What every command needs: home and database, days and moments as options, tables or JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from predtrack_assets.settings import Settings, get_settings

if TYPE_CHECKING:
    from rich.console import RenderableType

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


def _read(text: str, what: str, example: str, *, time: bool) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is None or len(text.strip()) < 10 or (len(text.strip()) > 10 and not time):
        raise typer.BadParameter(f"{text!r} is no {what}: give one like {example}")
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def day(text: str) -> datetime:
    """Midnight of a day like 2013-01-31. Raises typer.BadParameter that shows one."""
    return _read(text, "day", "2013-01-31", time=False)


def moment(text: str) -> datetime:
    """A moment in UTC, without a zone. Raises typer.BadParameter that shows one."""
    return _read(text, "moment in UTC", "2013-01-31T14:30", time=True)


DAY: dict[str, Any] = {"parser": day, "metavar": "YYYY-MM-DD"}
MOMENT: dict[str, Any] = {"parser": moment, "metavar": "YYYY-MM-DD[Thh:mm]"}

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def show(data: Any, table: Callable[[], RenderableType], as_json: bool) -> None:
    """Print data as one JSON document, or the table that is made of it.

    data: a frame (a list of its rows), or mappings, sequences and dataclasses of plain values. Days
    and moments are ISO 8601; what is no number is null.
    """
    if as_json:
        typer.echo(json.dumps(plain(data), allow_nan=False))
        return
    from predtrack_assets.reporting.tables.text import wide_console

    wide_console().print(table())


def plain(value: Any) -> Any:
    """The value in types that JSON has."""
    if hasattr(value, "to_dicts"):
        return plain(value.to_dicts())
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value) if isinstance(value, Path) else _of_numpy(value)


def _of_numpy(value: Any) -> Any:
    """A NumPy scalar or array as Python's; anything else as text."""
    return plain(value.tolist()) if hasattr(value, "tolist") else str(value)
