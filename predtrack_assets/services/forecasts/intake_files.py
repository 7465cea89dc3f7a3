"""Files of predictions from a drop folder: taken by their content, answered by a report.

There is no cursor: what was taken is known by its SHA-256, so that no file is skipped whatever its
name or date, and none is taken twice.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from predtrack_assets.domain.forecasts.intake.rows import KINDS, MAX_ROWS, Unreadable
from predtrack_assets.services.forecasts.external_models import ModelRefused, register_model
from predtrack_assets.services.forecasts.intake import Sender, take_predictions
from predtrack_assets.services.forecasts.intake_formats import READERS, read_rows
from predtrack_assets.stores.drop_folder import DONE, REJECTED, DropFolder, Seen
from predtrack_assets.warehouse.database.transaction import Database, Transaction
from predtrack_assets.warehouse.forecasts import intake as queries

MAX_FILE = 64 * 1024 * 1024  # bytes
MAX_REPORTED = 1_000  # refused rows of a report
SUFFIXES = frozenset(f".{form}" for form in READERS)


def sweep(
    database: Database, address: str, before: Mapping[str, Seen], owner: str = "local"
) -> tuple[list[dict[str, Any]], dict[str, Seen]]:
    """Take the files of a folder that stood still since `before`, one transaction each.

    Returns their reports, and how the files that are left look now, for the next call. A file goes
    to done/ or rejected/ with `<name>.report.json`; one whose content was taken before is moved
    with the report of then.
    """
    folder = DropFolder(address, SUFFIXES)
    now = folder.files()
    reports = []
    for name in folder.whole(now, before):
        try:
            content = folder.read(name, MAX_FILE)
        except FileNotFoundError:
            continue
        except ValueError as error:
            content, report = b"", _rejected(name, "file_too_large", str(error))
        else:
            report = _take_once(database, name, content, owner)
        place = REJECTED if report["status"] == "rejected" else DONE
        folder.put_away(name, place, json.dumps(report, indent=2).encode())
        reports.append(report)
        del now[name]
    return reports, now


def _take_once(database: Database, name: str, content: bytes, owner: str) -> dict[str, Any]:
    """The report of a file's content: of now, or of when it was taken first."""
    digest = hashlib.sha256(content).digest()
    with database.transaction() as transaction:
        transaction.read(queries.KEY_LOCK, name=f"file:{digest.hex()}")
        known = transaction.read(queries.FILE, digest=digest)
        if len(known):
            first: dict[str, Any] = json.loads(known["report"][0])
            return {**first, "file": name, "status": "duplicate", "first": first["file"]}
    try:
        with database.transaction() as transaction:
            report = _take(transaction, name, content, owner)
            _remember(transaction, digest, len(content), report)
    except (Unreadable, ModelRefused) as error:
        code = error.code if isinstance(error, ModelRefused) else "unreadable"
        report = {**_rejected(name, code, str(error)), "sha256": digest.hex()}
        with database.transaction() as transaction:
            _remember(transaction, digest, len(content), report)
    return report


def _take(transaction: Transaction, name: str, content: bytes, owner: str) -> dict[str, Any]:
    handed = read_rows(content, name.rpartition(".")[2].lower(), most=None)
    if not isinstance(handed.model, str) or not isinstance(handed.version, int):
        raise Unreadable("it names no `model` and `version`: columns, or fields beside predictions")
    if not handed.rows:
        raise Unreadable("it holds no row")
    kinds = sorted(
        {kind for row in handed.rows if isinstance(row, dict) for kind in {*KINDS} & {*row}}
    )
    model_id = register_model(
        transaction, name=handed.model, version=handed.version, kinds=kinds, owner=owner
    )
    batches, refused, counts = [], [], Counter[str]()
    for start in range(0, len(handed.rows), MAX_ROWS):
        part = handed.rows[start : start + MAX_ROWS]
        answer = take_predictions(
            transaction,
            model=handed.model,
            version=handed.version,
            rows=part,
            sender=Sender(owner, f"file:{name}"[:64]),
            body=content,
        )
        batches.append(answer["batch"])
        counts.update(answer["counts"])
        refused += [
            {**row, "index": row["index"] + start}
            for row in answer["rows"]
            if row["status"] in ("rejected", "conflict")
        ]
    taken = counts["accepted"] + counts["duplicate"]
    return {
        "file": name,
        "status": "done" if taken else "rejected",
        "sha256": hashlib.sha256(content).hexdigest(),
        "model_id": model_id,
        "counts": dict(counts),
        "batches": batches,
        "refused": refused[:MAX_REPORTED],
        "refused_rows": len(refused),
    }


def _remember(
    transaction: Transaction, digest: bytes, size: int, report: Mapping[str, Any]
) -> None:
    transaction.read(
        queries.REMEMBER_FILE,
        digest=digest,
        name=str(report["file"])[:255],
        size=size,
        status=report["status"],
        report=json.dumps(report),
    )


def _rejected(name: str, code: str, message: str) -> dict[str, Any]:
    return {"file": name, "status": "rejected", "code": code, "message": message}
