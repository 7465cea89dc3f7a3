"""The commands `predtrack backup` and `predtrack restore`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from predtrack_assets.cli.command import Home, require_schema, running_url
from predtrack_assets.clock import utc_now
from predtrack_assets.settings import Settings, get_settings

INCOMPLETE = 3


def backup(
    to: Annotated[
        str, typer.Option("--to", help="Directory or s3:// address that holds the backups.")
    ],
    runs: Annotated[
        bool, typer.Option(help="Also Dagster's own records: runs, logs, which days are done.")
    ] = True,
    home: Home = None,
) -> None:
    """Back up everything of this moment: rows, fitted models, records of runs. Work goes on meanwhile.

    Each backup is a folder below --to, named by its moment, with a digest of every table. It can go
    back into any home or PostgreSQL server of the same version or a newer one: `predtrack restore`.
    The key that signs checkpoints (ledger_key) is a secret and is left out: keep a copy elsewhere.

    Ends 0, or 3 if the file of a fitted model could not be read.

    Example: predtrack backup --to /backups
    """
    from predtrack_assets.services.audit.backups import OURS, take_backup
    from predtrack_assets.warehouse.database.embedded_server import dagster_url

    settings = _settings(home)
    require_schema(settings)
    urls = {OURS: running_url(settings)}
    if runs and _exists(dagster_url(settings)):
        urls["dagster"] = dagster_url(settings)
    began = time.monotonic()
    with _bars() as progress:
        manifest = take_backup(to, urls, utc_now(), progress)
    for fault in manifest.missing:
        typer.echo(fault, err=True)
    typer.echo(
        f"backed up {manifest.rows(OURS):,} rows of {len(manifest.tables[OURS])} tables and"
        f" {len(manifest.artifacts):,} fitted models to {to}:"
        f" {manifest.size / 1e6:,.0f} MB in {time.monotonic() - began:.0f} s"
    )
    if manifest.missing:
        sys.exit(INCOMPLETE)


def restore(
    from_: Annotated[
        str, typer.Option("--from", help="A backup, or what holds several: the newest is taken.")
    ],
    home: Home = None,
) -> None:
    """Restore a backup into a new home or an empty database, and prove that it is all there.

    Files are held to their SHA-256, tables to the digests that the backup took, the ledger is
    verified. Nothing is written over: the database appears whole, or not at all. This is also how
    to move off the embedded server: set PREDTRACK_DATABASE_URL and restore into it.

    Example: predtrack restore --from /backups --home /srv/predtrack
    """
    from predtrack_assets.services.audit.backups import OURS
    from predtrack_assets.services.audit.backups import restore as put_back
    from predtrack_assets.services.audit.verification import verify
    from predtrack_assets.warehouse.database.embedded_server import dagster_url, database_url
    from predtrack_assets.warehouse.database.transaction import READER, Database

    settings = _settings(home)
    urls = {OURS: database_url(settings), "dagster": dagster_url(settings)}
    with _bars() as progress:
        address, manifest = put_back(from_, urls, settings.artifact_store, progress)
        from predtrack_assets.automation.runs import prepare

        applied = prepare(settings)
        with Database(url=urls[OURS]).transaction(READER) as transaction:
            verdict = verify(transaction, progress)
    typer.echo(
        f"restored {address}: {len(manifest.tables[OURS])} of {len(manifest.tables[OURS])} tables"
        f" equal, {manifest.rows(OURS):,} rows, {len(manifest.artifacts):,} fitted models"
    )
    if applied:
        typer.echo(f"brought up to this version: {', '.join(applied)}")
    typer.echo(
        f"ledger: {verdict.batches_good:,} of {verdict.batches:,} batches,"
        f" {verdict.rows_good + verdict.pruned:,} of {verdict.rows:,} rows verified"
    )
    sys.exit(0 if verdict.good else 1)


def _settings(home: object) -> Settings:
    if home is not None:
        os.environ["PREDTRACK_HOME"] = os.path.abspath(str(home))
    return get_settings()


def _exists(url: str) -> bool:
    import psycopg

    from predtrack_assets.warehouse.database.urls import normalise

    try:
        psycopg.connect(normalise(url)).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars on standard error, one for each thing that is told of."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    with Progress(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield told
