"""What is about to be sent, with its idempotency key, on disk before the first try."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec


class Letter(msgspec.Struct):
    """A body, where it goes, and the key that every try of it carries."""

    url: str
    key: str
    body: str


@dataclass(frozen=True)
class Entry:
    """A letter in its file."""

    path: Path
    letter: Letter

    def done(self) -> None:
        """Forget the letter: it was answered."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


class Outbox:
    """A directory of letters that no answer has come for yet, readable by its owner only."""

    def __init__(self, directory: Path | None = None) -> None:
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        self.directory = directory or state / "predtrack" / "outbox"

    def put(self, url: str, body: str, *, dated: bool) -> Entry:
        """The entry of a body, written and synchronized.

        dated: the body says which days it is about, so that one that is there already is the same
        letter and keeps its key. Without that the same words on another day are another letter.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        digest = hashlib.sha256(f"{url}\n{body}".encode()).hexdigest()[:32]
        name = digest if dated else f"{digest}-{secrets.token_hex(4)}"
        path = self.directory / f"{name}.json"
        if dated and (known := _read(path)):
            return Entry(path, known)
        letter = Letter(url, secrets.token_hex(16), body)
        unfinished = path.with_suffix(f".{secrets.token_hex(4)}.tmp")
        with open(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(msgspec.json.encode(letter))
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        return Entry(path, letter)

    def waiting(self, url: str) -> Iterator[Entry]:
        """Letters to a server that were not answered, oldest first."""
        if not self.directory.is_dir():
            return
        for path in sorted(self.directory.glob("*.json"), key=lambda path: path.stat().st_mtime):
            letter = _read(path)
            if letter is not None and letter.url == url:
                yield Entry(path, letter)


def _read(path: Path) -> Letter | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Letter)
    except (OSError, msgspec.DecodeError):
        return None
