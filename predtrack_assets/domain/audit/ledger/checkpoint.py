"""Signed tree heads: what the ledger was at a moment, to be published elsewhere.

A checkpoint names the chain's length and last hash, the root of the RFC 6962 tree whose leaves are
the hashes of all batches (so that one batch can be shown to be in it), and the same of the audit
trail. The signature is Ed25519 (RFC 8032) over the canonical JSON of everything but itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from predtrack_assets.domain.audit.ledger.encoding import canonical_json
from predtrack_assets.domain.audit.ledger.merkle import (
    inclusion_path,
    leaf_hash,
    merkle_root,
    root_of_path,
)

FORMAT = "predtrack-checkpoint-1"
FIELDS = {
    "format", "batches", "hash", "root", "events", "event_hash", "signed_at", "public_key",
}  # fmt: skip


class CheckpointError(ValueError):
    """A checkpoint is not what it should be; the message says what is wrong."""


def tree_of_batches(hashes: Sequence[bytes]) -> bytes:
    """The root over the hashes of all batches, in the order of the chain."""
    return merkle_root(b"".join(map(leaf_hash, hashes)))


def path_of_batch(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Inclusion path of batch `index` (from 1) among all batches up to a checkpoint."""
    return inclusion_path([leaf_hash(link) for link in hashes], index - 1)


def public_key_of(private_key: bytes) -> bytes:
    """The public key (32 bytes) of a private one (32 bytes)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def sign(head: Mapping[str, str | int], private_key: bytes) -> dict[str, str | int]:
    """The head as a checkpoint: its format, the public key and the signature added."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(private_key)
    public = key.public_key().public_bytes_raw().hex()
    signed = {**head, "format": FORMAT, "public_key": public}
    return {**signed, "signature": key.sign(canonical_json(signed)).hex()}


def check_signature(checkpoint: Mapping[str, Any], public_key: bytes | None = None) -> None:
    """Raises CheckpointError unless signed by `public_key` (None: by the key that it names)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if checkpoint.keys() != FIELDS | {"signature"} or checkpoint["format"] != FORMAT:
        raise CheckpointError("this is not a checkpoint of a known format")
    signed = {name: checkpoint[name] for name in FIELDS}
    named = bytes.fromhex(signed["public_key"])
    if public_key is not None and named != public_key:
        raise CheckpointError(f"the checkpoint is signed by another key: {named.hex()}")
    try:
        key = Ed25519PublicKey.from_public_bytes(named)
        key.verify(bytes.fromhex(checkpoint["signature"]), canonical_json(signed))
    except InvalidSignature as error:
        raise CheckpointError("the signature is not that of its contents") from error


def check_inclusion(
    checkpoint: Mapping[str, Any], index: int, link: bytes, path: Sequence[bytes]
) -> None:
    """Raises CheckpointError unless batch `index` (from 1) with that hash is in the checkpoint."""
    try:
        root = root_of_path(leaf_hash(link), index - 1, checkpoint["batches"], path)
    except ValueError as error:
        raise CheckpointError(f"batch {index} is not in the checkpoint: {error}") from error
    if root.hex() != checkpoint["root"]:
        raise CheckpointError(f"batch {index} is not in the checkpoint")
