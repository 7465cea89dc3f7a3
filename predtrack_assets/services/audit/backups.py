"""Backups: every row, file and digest of one moment, and back into an empty place."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path

from predtrack_assets.stores import artifacts
from predtrack_assets.stores.artifacts import ArtifactError
from predtrack_assets.stores.backups import BackupError, Manifest, new_backup, open_backup
from predtrack_assets.warehouse.database.dumps import dumping, loaded, snapshot
from predtrack_assets.warehouse.database.embedded_server import ensure_database
from predtrack_assets.warehouse.database.row_digests import (
    different_tables,
    row_digests,
    row_digests_of,
)
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.database.views import drop_views_of
from predtrack_assets.warehouse.models.registry import ALL_FILES

Progress = Callable[[str, int, int], None]  # what, done, of how many
OURS = "predtrack"


def take_backup(
    place: str, urls: Mapping[str, str], now: datetime, progress: Progress = lambda *_: None
) -> Manifest:
    """Write a backup of the databases and of every fitted model to a directory or URL.

    urls: libpq URL by name, ours as `predtrack`. Writers go on; each database is of one moment, ours
    after the others, so that no run is remembered whose rows are missing. A fit whose file cannot
    be read is in `missing`. Raises BackupError, ServerError.
    """
    with new_backup(place, now) as (directory, manifest):
        for name in sorted(urls, key=lambda name: name == OURS):
            with snapshot(urls[name]) as moment, dumping(moment, directory / f"{name}.dump"):
                manifest.servers[name] = moment.server
                manifest.tables[name] = row_digests(moment.connection, partial(progress, name))
        files = Database(url=urls[OURS]).read(ALL_FILES).rows()
        for done, (artifact_id, uri, sha256) in enumerate(files):
            progress("models", done, len(files))
            try:
                artifacts.store(artifacts.load(artifact_id, uri, sha256), _models(directory))
            except ArtifactError as error:
                manifest.missing.append(str(error))
            else:
                manifest.artifacts.append(sha256)
    return manifest


def restore(
    place: str,
    urls: Mapping[str, str],
    artifact_store: str,
    progress: Progress = lambda *_: None,
) -> tuple[str, Manifest]:
    """Put a backup into empty databases and a store of fitted models; its address and manifest.

    urls: as of `take_backup`; a database that the backup does not hold stays as it is. Views are
    left out: `migrate` makes them again, and what a newer version added. All of a database appears at
    once, after the digest of each of its tables is as it was, ours last.
    Raises BackupError where one is not, ServerError where a database is not empty.
    """
    with open_backup(place) as (address, directory, manifest), ExitStack() as stack:
        for number, sha256 in enumerate(manifest.artifacts):
            progress("models", number, len(manifest.artifacts))
            file = Path(_models(directory)) / sha256[:2] / f"{sha256}.json"
            artifacts.store(file.read_bytes(), artifact_store)
        for name in sorted(urls.keys() & manifest.tables.keys(), key=lambda name: name != OURS):
            ensure_database(urls[name])
            dump = directory / f"{name}.dump"
            url = stack.enter_context(loaded(dump, urls[name], manifest.servers[name]))
            _compare(name, url, manifest, progress)
            if name == OURS:  # their text in a catalogue is another once they were dumped
                drop_views_of(url)
    return address, manifest


def _compare(name: str, url: str, manifest: Manifest, progress: Progress) -> None:
    found = row_digests_of(url, partial(progress, name))
    if different := different_tables(manifest.tables[name], found):
        raise BackupError(
            f"rows of {name} are not as they were backed up, so nothing was restored: "
            + ", ".join(different)
        )


def _models(directory: Path) -> str:
    return os.fspath(directory / "artifacts")
