"""Files of fitted models: named by their content, written whole or not at all, checked when loaded.

The store is a directory or any place universal-pathlib reaches (s3:// with the extra `s3`, whose
address and keys come from the usual AWS_* variables).
"""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import dataclass
from typing import Any

from predtrack_assets.faults import Fault
from predtrack_assets.settings import get_settings

REMEDY = (
    "Restore it (training its month again does, where data and code are the same), or withdraw the"
    " fit (status in models.model_artifacts) so that the one before it is used"
)


class ArtifactError(Fault):
    """An artifact cannot be stored or must not be used; the message names it."""


@dataclass(frozen=True)
class Artifact:
    """Where content was put. uri: absolute; sha256: hexadecimal; size: bytes."""

    uri: str
    sha256: str
    size: int


def store(content: bytes, root: str) -> Artifact:
    """Put `content` below `root` (a directory or URL) under its SHA-256; again: nothing to do.

    What lies there under that name and is something else is replaced.

    Raises ArtifactError when the place needs an extra that is not installed, OSError when it
    refuses the write.
    """
    digest = hashlib.sha256(content).hexdigest()
    path = _place(root, digest)
    if not path.exists() or path.read_bytes() != content:
        if is_local(path):
            _write_whole(path, content)
        else:  # object stores show an object only once all of it is there
            path.write_bytes(content)
    return Artifact(path.as_uri(), digest, len(content))


def load(artifact_id: str, uri: str, sha256: str) -> bytes:
    """The content stored at `uri`, or if that is gone in the store of the settings: a home may move.

    Raises ArtifactError if it is missing, unreadable or not what was stored.
    """
    path = path_of(uri)
    here = _place(get_settings().artifact_store, sha256)
    try:
        path = path if path.exists() else here
        content = bytes(path.read_bytes())
    except FileNotFoundError as error:
        raise ArtifactError(f"the file of fit {artifact_id} is missing: {uri}. {REMEDY}") from error
    except OSError as error:
        raise ArtifactError(
            f"the file of fit {artifact_id} cannot be read: {uri} ({error.strerror or error})."
            f" {REMEDY}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ArtifactError(
            f"the file of fit {artifact_id} is not the one that was stored: {uri} has SHA-256"
            f" {found}, the registry says {sha256}. It is refused. {REMEDY}"
        )
    return content


def _place(root: str, sha256: str) -> Any:
    return path_of(root) / sha256[:2] / f"{sha256}.json"


def path_of(address: str) -> Any:
    """The universal path of a directory or URL. Raises ArtifactError when an extra is missing."""
    from upath import UPath

    try:
        path = UPath(address)
        path.fs  # noqa: B018 - the file system is imported here, or found missing
    except (ImportError, ValueError) as error:
        extra = " Install the extra: pip install 'predtrack_assets[s3]'" * address.startswith("s3:")
        raise ArtifactError(f"no artifacts at {address}: {error}.{extra}") from error
    return path.absolute() if is_local(path) else path


def is_local(path: Any) -> bool:
    """Whether a path lies on this machine."""
    return path.protocol in ("", "file", "local")


def _write_whole(path: Any, content: bytes) -> None:
    """Under another name first, so that no reader and no crash ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{uuid.uuid4().hex}.part")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(os.fspath(unfinished), os.fspath(path))
