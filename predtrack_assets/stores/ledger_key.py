"""The key that signs checkpoints of the ledger."""

from __future__ import annotations

import os
from pathlib import Path

KEY_FILE = "ledger_key"  # in the home


def private_key(path: Path) -> bytes:
    """The Ed25519 key in a file that only its owner may read; made where there is none."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return bytes.fromhex(path.read_text(encoding="ascii"))
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        key = os.urandom(32)
        file.write(key.hex())
    return key
