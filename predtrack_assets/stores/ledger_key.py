"""The key that signs checkpoints of the ledger."""

from __future__ import annotations

import os
from pathlib import Path

KEY_FILE = "ledger_key"  # in the home


def private_key(path: Path) -> bytes:
    """The Ed25519 key in a file that only its owner may read; made whole, or not at all.

    Raises ValueError that names the file where it holds no key.
    """
    if not path.exists():
        key = os.urandom(32)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.hex())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # unlike a rename, it never takes the place of a key
            return key
        except FileExistsError:
            pass
        finally:
            part.unlink()
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if len(text) != 64 or not set(text) <= set("0123456789abcdefABCDEF"):
        raise ValueError(
            f"{path} holds no key: an Ed25519 private key is 64 hexadecimal digits. Restore it from a"
            " backup, or move it away and a new one is made"
        )
    return bytes.fromhex(text)
