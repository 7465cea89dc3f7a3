"""Backups in a directory or object store: one folder each, complete once its manifest is there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from predtrack_assets.faults import Fault
from predtrack_assets.stores.artifacts import is_local, path_of

MANIFEST = "manifest.json"
FORMAT = 1
UNFINISHED = ".unfinished-"
BLOCK = 1 << 20


class BackupError(Fault):
    """There is no such backup, or it is not what was written; the message says which."""


@dataclass
class Manifest:
    """What a backup holds. taken_at: ISO 8601, UTC; servers: major version of PostgreSQL by
    database; tables: (rows, digest) by table, by database; artifacts: SHA-256 of fitted models;
    missing: fits whose file could not be read; files: (SHA-256, bytes) by name."""

    taken_at: str
    servers: dict[str, int] = field(default_factory=dict)
    tables: dict[str, dict[str, tuple[int, str]]] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files.values())

    def rows(self, database: str) -> int:
        """Rows of all tables of a database."""
        return sum(rows for rows, _ in self.tables[database].values())


@contextmanager
def new_backup(place: str, now: datetime) -> Iterator[tuple[Path, Manifest]]:
    """A local directory to fill and the manifest to complete; at the end they are put at `place`.

    place: a directory or URL (s3://) that holds backups. What is filled in is put there under the
    moment's name, the manifest last. What killed ones left in a directory is removed.
    """
    manifest = Manifest(now.isoformat(timespec="seconds"))
    name = f"{now:%Y-%m-%dT%H%M%SZ}"
    root = path_of(place)
    local = is_local(root)
    if local:
        root.mkdir(parents=True, exist_ok=True)
        for left_behind in root.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left_behind)
    if (root / name).exists():
        raise BackupError(f"{root / name} exists already: one backup a second is enough.")
    beside = os.fspath(root) if local else None
    staging = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=beside))
    try:
        yield staging, manifest
        files = sorted(p for p in staging.rglob("*") if p.is_file())
        for file in files:
            manifest.files[file.relative_to(staging).as_posix()] = _digest(file)
        (staging / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n")
        if local:
            os.replace(staging, os.fspath(root / name))
        else:
            for file in [*files, staging / MANIFEST]:
                with (
                    file.open("rb") as read,
                    (root / name / file.relative_to(staging).as_posix()).open("wb") as written,
                ):
                    shutil.copyfileobj(read, written, BLOCK)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def open_backup(place: str) -> Iterator[tuple[str, Path, Manifest]]:
    """Address, local directory and manifest of a backup whose files are all as they were written.

    place: the backup itself, or what holds several: the newest complete one is taken then. Raises
    BackupError where none is, or a file is missing or altered.
    """
    root = _complete(place)
    manifest = _read_manifest(root)
    with tempfile.TemporaryDirectory(prefix="predtrack-restore-") as fetched:
        local = Path(os.fspath(root)) if is_local(root) else Path(fetched)
        for name, expected in manifest.files.items():
            if not is_local(root):
                (local / name).parent.mkdir(parents=True, exist_ok=True)
                with _opened(root / name) as read, (local / name).open("wb") as written:
                    shutil.copyfileobj(read, written, BLOCK)
            if not (local / name).is_file():
                raise BackupError(f"{root} is damaged: {name} is missing.")
            if _digest(local / name) != tuple(expected):
                raise BackupError(f"{root} is damaged: {name} is not what was written.")
        yield str(root), local, manifest


def _opened(path: Any) -> Any:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise BackupError(f"{path.parent} is damaged: {path.name} is missing.") from error


def _complete(place: str) -> Any:
    root = path_of(place)
    if (root / MANIFEST).exists():
        return root
    found = sorted(p for p in root.glob("*") if (p / MANIFEST).exists()) if root.exists() else []
    if not found:
        raise BackupError(f"no backup at {place}: `predtrack backup --to {place}` makes one.")
    return found[-1]


def _read_manifest(root: Any) -> Manifest:
    try:
        read = json.loads((root / MANIFEST).read_text())
        if read["format"] != FORMAT:
            raise BackupError(f"{root} is of format {read['format']}; this version reads {FORMAT}.")
        for tables in read["tables"].values():
            tables.update({name: (rows, digest) for name, (rows, digest) in tables.items()})
        return Manifest(**read)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{root / MANIFEST} is damaged: {error}") from error


def _digest(file: Path) -> tuple[str, int]:
    with file.open("rb") as read:
        return hashlib.file_digest(read, "sha256").hexdigest(), file.stat().st_size
