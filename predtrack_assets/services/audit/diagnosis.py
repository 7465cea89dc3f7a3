"""Is this installation in good order? Each check says what was found, and what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

from predtrack_assets.stores import artifacts
from predtrack_assets.stores.artifacts import ArtifactError
from predtrack_assets.warehouse.audit import diagnosis
from predtrack_assets.warehouse.database.made_anew import differences_from_migrations
from predtrack_assets.warehouse.database.migrate import status as migrations
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.forecasts.ledger import UNSEALED
from predtrack_assets.warehouse.models.registry import NEWEST_FILES

Level = Literal["ok", "warning", "fault"]
ROOM_ON_DISK = 2e9  # bytes: a day of 505 symbols and its log need a tenth of it
CLOCKS_APART = timedelta(seconds=5)
RECENT = timedelta(days=30)


@dataclass(frozen=True)
class Finding:
    """One check. what: its subject; found: a figure or fact; remedy: what to do, empty if ok."""

    level: Level
    what: str
    found: str
    remedy: str = ""


def check_home(home: Path) -> Iterator[Finding]:
    """Room on the disk of a home directory, which exists."""
    free = shutil.disk_usage(home).free
    found = f"{free / 1e9:,.1f} GB free at {home}"
    if free < ROOM_ON_DISK:
        yield Finding("fault", "disk", found, "free some, or move the home: predtrack backup")
    else:
        yield Finding("ok", "disk", found)


def check_schema(url: str, sql_dir: Path, *, thorough: bool) -> Iterator[Finding]:
    """Migrations, and if thorough whether anything was changed behind their back (some seconds)."""
    states = migrations(url, sql_dir)
    open_ones = [m.name for m in states if m.state not in ("applied", "skipped")]
    if open_ones:
        yield Finding(
            "fault", "schema", f"not applied: {', '.join(open_ones)}", "predtrack db migrate"
        )
        return
    changed = differences_from_migrations(url, sql_dir) if thorough else []
    if changed:
        found = f"{len(changed)} items are not as the migrations make them"
        yield Finding("fault", "schema", found, "predtrack db status names them")
    else:
        yield Finding("ok", "schema", f"{len(states)} files applied")


def check_server(database: Database, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Version, size, roles, and whether the two clocks agree; moments of the ledger are the server's."""
    before = clock()
    row = database.read(diagnosis.SERVER).row(0, named=True)
    after = clock()
    found = f"PostgreSQL {row['version']}, {row['bytes'] / 1e6:,.0f} MB"
    if row["roles"] < 3:
        yield Finding(
            "fault", "server", f"{found}, {row['roles']} of 3 roles", "predtrack db migrate"
        )
    else:
        yield Finding("ok", "server", found)
    apart = max(before - row["at"], row["at"] - after, timedelta())
    found = f"{apart.total_seconds():.1f} s between this machine's and the server's"
    late = apart > CLOCKS_APART
    remedy = "synchronise both by NTP: a prediction is live by the server's clock" if late else ""
    yield Finding("fault" if late else "ok", "clocks", found, remedy)


def check_market(database: Database, now: datetime, last_day: date) -> Iterator[Finding]:
    """Bars up to `last_day`, the last complete trading day, and what was refused lately."""
    row = database.read(diagnosis.BARS).row(0, named=True)
    if row["last_day"] is None:
        yield Finding("warning", "prices", "none stored", "predtrack demo, or predtrack backfill")
    elif row["last_day"] < last_day:
        found = f"newest bar {row['last_day']}, last complete session {last_day}"
        remedy = (
            f"predtrack backfill --from {row['last_day']} --to {last_day}, unless history is meant"
        )
        yield Finding("warning", "prices", found, remedy)
    else:
        yield Finding("ok", "prices", f"{row['symbols']} symbols on {row['last_day']}")
    refused = database.read(diagnosis.REFUSED_BARS, since=now - RECENT).row(0, named=True)
    if refused["rows"]:
        found = f"{refused['rows']:,} bars refused in 30 days, most: {refused['reason']}"
        yield Finding("warning", "quarantine", found, "each with its reason in market.quarantine")
    else:
        yield Finding("ok", "quarantine", "no bar refused in 30 days")


def check_forecasts(database: Database, today: date, grace: timedelta) -> Iterator[Finding]:
    """Whether every prediction is in the ledger, and every one that fell due has its outcome."""
    span = {"first": today - timedelta(days=366), "last": today + timedelta(days=1)}
    unsealed = database.read(UNSEALED, **span)
    if len(unsealed):
        found = f"{len(unsealed)} groups of a year hold predictions that no batch holds"
        yield Finding("warning", "ledger", found, "predtrack ledger seal")
    else:
        yield Finding("ok", "ledger", "every prediction of a year is in a batch")
    due = {"first": span["first"], "last": today - grace}
    row = database.read(diagnosis.OVERDUE, **due).row(0, named=True)
    if row["rows"]:
        found = f"{row['rows']:,} predictions fell due and have none, the first {row['first_day']}"
        remedy = f"predtrack backfill --from {row['first_day']} --to {today - timedelta(days=1)}"
        yield Finding("warning", "outcomes", found, remedy)
    else:
        yield Finding("ok", "outcomes", "all that fell due in a year have theirs")


def check_models(database: Database, now: datetime) -> Iterator[Finding]:
    """Whether fits in force have their files, and whether any fit failed lately."""
    lost = []
    files = [
        row for pooled in (True, False) for row in database.read(NEWEST_FILES, pooled=pooled).rows()
    ]
    for artifact_id, uri, sha256 in files:
        try:
            artifacts.load(artifact_id, uri, sha256)
        except ArtifactError as error:
            lost.append(str(error))
    if lost:
        yield Finding(
            "fault", "models", f"{len(lost)} of {len(files)} files: {lost[0]}", "see there"
        )
    else:
        yield Finding("ok", "models", f"{len(files)} fits in force, each file as it was stored")
    failed = database.read(diagnosis.FAILED_FITS, since=now - RECENT).row(0, named=True)
    if failed["rows"]:
        found = f"{failed['rows']} failed in 30 days, {failed['model_id']} among them"
        yield Finding("warning", "fits", found, "each with its error in models.training_runs")
