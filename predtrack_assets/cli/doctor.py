"""The command `predtrack doctor`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from predtrack_assets.cli.command import Home
from predtrack_assets.clock import utc_now
from predtrack_assets.settings import Settings, get_settings, unknown_settings

if TYPE_CHECKING:
    from predtrack_assets.services.audit.diagnosis import Finding

COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}


def doctor(
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Leave out what takes seconds: the schema made once more."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object a check.")] = False,
    home: Home = None,
) -> None:
    """Look at everything that can be out of order, and say what to do about it.

    Settings, disk, server, schema, clocks, prices, ledger, outcomes, models. Changes nothing. Ends 1
    if there is a fault; warnings alone end 0.
    """
    if home is not None:
        os.environ["PREDTRACK_HOME"] = str(home.resolve())
    worst = 0
    found = []
    for finding in _findings(get_settings(), thorough=not quick):
        worst |= finding.level == "fault"
        found.append(vars(finding))
        if not as_json:
            typer.secho(f"{finding.level:8}", fg=COLOURS[finding.level], nl=False)
            typer.echo(f"{finding.what:11} {finding.found}")
            if finding.remedy:
                typer.echo(f"{'':20}-> {finding.remedy}")
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    sys.exit(worst)


def _findings(settings: Settings, *, thorough: bool) -> Iterator[Finding]:
    from predtrack_assets.automation.runs import last_complete_day
    from predtrack_assets.services.audit import diagnosis
    from predtrack_assets.services.audit.diagnosis import Finding
    from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer, database_url
    from predtrack_assets.warehouse.database.transaction import Database

    unknown = unknown_settings()
    for name, meant in unknown.items():
        yield Finding(
            "warning", "settings", f"{name} is none", f"is it {meant}?" if meant else "unset it"
        )
    if not unknown:
        yield Finding("ok", "settings", "all are known")
    if settings.database_url is None:
        if not EmbeddedServer(settings.home).is_running():
            found = f"the embedded server of {settings.home} is not running"
            yield Finding("fault", "server", found, "predtrack db start")
            return
        yield from diagnosis.check_home(settings.home)
    database, now = Database(url=database_url(settings)), utc_now()
    schema = list(diagnosis.check_schema(str(database.url), settings.sql_dir, thorough=thorough))
    yield from schema
    if schema[-1].level == "fault" and "not applied" in schema[-1].found:
        return
    grace = timedelta(days=3 * settings.expire_after)
    yield from diagnosis.check_server(database, utc_now)
    yield from diagnosis.check_market(database, now, last_complete_day(now.date()))
    yield from diagnosis.check_forecasts(database, now.date(), grace)
    yield from diagnosis.check_models(database, now)
