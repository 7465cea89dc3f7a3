"""Keys of the API: made, found, revoked. A secret is shown once; its SHA-256 is stored.

`pt_` + 8 characters that name the key + `_` + 256 random bits: a random secret needs no slow hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from predtrack_assets.warehouse.audit import api_keys as queries
from predtrack_assets.warehouse.database.transaction import Transaction

SCOPES = ("read", "write", "approve", "admin")
_KEY = re.compile(r"pt_([0-9a-z]{8})_([A-Za-z0-9_-]{43})")
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Caller:
    """Who asks: the key's name is the owner of models registered with it."""

    key_id: str
    name: str
    scopes: frozenset[str]


def create_key(
    transaction: Transaction,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
) -> str:
    """A new key, whole; only now can it be seen. Raises ValueError for an unknown scope or no name."""
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise ValueError(f"there is no scope {unknown[0]!r}: scopes are {', '.join(SCOPES)}")
    if not scopes:
        raise ValueError(f"a key needs a scope: some of {', '.join(SCOPES)}")
    if not 1 <= len(name) <= 64 or any(ord(c) < 32 or c == "|" for c in name):
        raise ValueError("a key's name has 1 to 64 characters, no bar and no control character")
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    secret = secrets.token_urlsafe(32)
    transaction.read(
        queries.CREATE,
        key_id=key_id,
        secret=hashlib.sha256(secret.encode()).digest(),
        name=name,
        scopes=sorted(set(scopes)),
        expires_at=expires_at.isoformat() if expires_at else None,
    )
    return f"pt_{key_id}_{secret}"


def caller_of(transaction: Transaction, key: str) -> Caller | None:
    """Whom a key belongs to; None for one that is malformed, unknown, expired or revoked."""
    parts = _KEY.fullmatch(key)
    if parts is None:
        return None
    found = transaction.read(queries.FIND, key_id=parts[1])
    if found.is_empty():
        return None
    row = found.row(0, named=True)
    same = hmac.compare_digest(hashlib.sha256(parts[2].encode()).digest(), row["secret"])
    if not (same and row["valid"]):
        return None
    return Caller(row["key_id"], row["name"], frozenset(row["scopes"]))


def caller_of_id(transaction: Transaction, key_id: str) -> Caller | None:
    """Whom a key's id belongs to, for a session that was opened with the key; None if it is not valid."""
    found = transaction.read(queries.FIND, key_id=key_id)
    if found.is_empty() or not found["valid"][0]:
        return None
    row = found.row(0, named=True)
    return Caller(row["key_id"], row["name"], frozenset(row["scopes"]))


def revoke_key(transaction: Transaction, key_id: str) -> bool:
    """Revoke a key at once; whether there was one to revoke."""
    return not transaction.read(queries.REVOKE, key_id=key_id).is_empty()
