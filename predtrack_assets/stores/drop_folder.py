"""A folder that files are dropped into: a directory, or any place universal-pathlib reaches.

A name is only ever a name: links are not followed, and nothing outside of the folder is read or moved.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from predtrack_assets.stores.artifacts import is_local, path_of

DONE, REJECTED = "done", "rejected"
MARKER = ".done"  # `<name>.done` beside a file says that it is whole


@dataclass(frozen=True)
class Seen:
    """How a file looked: size in bytes, and when it was changed (seconds, or an object's tag)."""

    size: int
    changed: str


class DropFolder:
    """The files of a folder whose names end as `suffixes` say.

    Raises ArtifactError for an address that needs an extra which is not installed.
    """

    def __init__(self, address: str, suffixes: frozenset[str]) -> None:
        self.root = path_of(address)
        self._suffixes = suffixes
        self._local = is_local(self.root)

    def files(self) -> dict[str, Seen]:
        """Regular files by name; none where there is no folder."""
        if not self.root.is_dir():
            return {}
        found = {}
        for path in self.root.iterdir():
            if path.name.startswith(".") or path.suffix.lower() not in self._suffixes:
                continue
            if path.name.endswith(".report.json") or not self._is_regular(path):
                continue
            info = path.stat()
            changed = f"{getattr(info, 'st_mtime_ns', '')}" if self._local else f"{info.st_mtime}"
            found[path.name] = Seen(int(info.st_size), changed)
        return dict(sorted(found.items()))

    def whole(self, now: Mapping[str, Seen], before: Mapping[str, Seen]) -> list[str]:
        """Names of files that look as they did before, or have a marker beside them."""
        return [
            name
            for name, seen in now.items()
            if before.get(name) == seen or (self.root / f"{name}{MARKER}").exists()
        ]

    def read(self, name: str, most: int) -> bytes:
        """The content of a file. Raises OSError where it is gone, and ValueError beyond `most` bytes."""
        path = self.root / name
        if not self._local:
            if path.stat().st_size > most:
                raise ValueError(f"it has more than {most:,} bytes")
            return bytes(path.read_bytes())
        with open(os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise ValueError("it is no regular file")
            content = file.read(most + 1)
        if len(content) > most:
            raise ValueError(f"it has more than {most:,} bytes")
        return content

    def put_away(self, name: str, place: str, report: bytes) -> str:
        """Write a report below `place` (DONE or REJECTED) and move the file beside it; its new name."""
        folder = self.root / place
        folder.mkdir(parents=True, exist_ok=True)
        stem, dot, suffix = name.rpartition(".")
        kept, number = name, 1
        while (folder / kept).exists() or (folder / f"{kept}.report.json").exists():
            number += 1
            kept = f"{stem}-{number}{dot}{suffix}"
        (folder / f"{kept}.report.json").write_bytes(report)
        if self._local:
            os.rename(str(self.root / name), str(folder / kept))
        else:
            self.root.fs.mv((self.root / name).path, (folder / kept).path)
        marker = self.root / f"{name}{MARKER}"
        if marker.exists():
            marker.unlink()
        return kept

    def _is_regular(self, path: Any) -> bool:
        if self._local:
            return stat.S_ISREG(os.lstat(str(path)).st_mode)
        return bool(path.is_file())
