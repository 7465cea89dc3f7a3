"""What a step depends on beside the database: code, settings, and files."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import date
from functools import cache
from pathlib import Path

from predtrack_assets.settings import Settings
from predtrack_assets.stores.artifacts import ArtifactError, load
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.models import registry

PACKAGE = Path(__file__).resolve().parents[2]
IRRELEVANT = {
    "home", "sql_dir", "database_url", "dagster_url", "webhook_url", "schedules", "catch_up_days",
    "requests_per_second", "fetch_workers", "fetch_attempts", "fetch_timeout",
}  # fmt: skip
"""Settings that say where and when to compute, not what."""


def code_and_settings(settings: Settings) -> str:
    """SHA-256 of the package's files and SQL, what is installed, and all settings that say what to
    compute: equal where the same input must give the same output."""
    values = settings.model_dump(mode="json", exclude=IRRELEVANT)
    parts = [_code(settings.sql_dir), json.dumps(values, sort_keys=True)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _code(sql: Path) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for folder in sys.path:  # names of installed packages hold their version
        digest.update("\n".join(sorted(p.name for p in Path(folder).glob("*.dist-info"))).encode())
    for root in (PACKAGE, sql):
        files = (p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        for file in sorted(files):
            digest.update(str(file.relative_to(root)).encode() + b"\0")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def prices_version(settings: Settings) -> str | None:
    """What the configured source would answer with, as a digest; None where only asking it tells."""
    if settings.source in ("sample", "simulated"):  # of what is installed, of settings
        return ""
    if settings.source == "file" and settings.file is not None and settings.file.is_file():
        with settings.file.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def files_as_stored(warehouse: Database, first: date, last: date) -> bool:
    """Whether the file of each pooled fit through a day of [first, last] is what was stored."""
    for fit in warehouse.read(registry.FILES, first=first, last=last).iter_rows():
        try:
            load(*fit)
        except ArtifactError:
            return False
    return True
