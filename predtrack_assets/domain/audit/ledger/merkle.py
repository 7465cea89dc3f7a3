"""Merkle trees of RFC 6962 (the same as RFC 9162): roots, inclusion paths and their check.

A tree is given by its leaf hashes. Hashes are 32 bytes (SHA-256).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

DIGEST_BYTES = 32
PAIR_BYTES = 2 * DIGEST_BYTES
EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(row: bytes) -> bytes:
    """SHA-256(00 || row)."""
    return hashlib.sha256(b"\x00" + row).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def merkle_root(leaves: bytes) -> bytes:
    """The root over leaf hashes, joined; that of no leaves is SHA-256 of nothing."""
    sha256, level = hashlib.sha256, leaves
    while len(level) > DIGEST_BYTES:
        paired = len(level) - len(level) % PAIR_BYTES
        pairs = range(0, paired, PAIR_BYTES)
        nodes = [sha256(b"\x01" + level[at : at + PAIR_BYTES]).digest() for at in pairs]
        level = b"".join(nodes) + level[paired:]
    return level or EMPTY


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings on the way from leaf `index` (from 0) to the root, lowest first.

    Raises IndexError when there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of a tree of {len(leaves)}")
    path, level = [], list(leaves)
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        level, index = _above(level), index >> 1
    return path


def root_of_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion path leads to; the leaf is included if the tree's root is this.

    Raises ValueError when a path of that length cannot be (RFC 9162, 2.1.3.2).
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} of a tree of {size}")
    last, node, rest = size - 1, leaf, list(path)
    while last > 0:
        if index & 1 or index < last:  # otherwise the node has no sibling and goes up as it is
            if not rest:
                raise ValueError("the path is too short")
            sibling = rest.pop(0)
            node = node_hash(sibling, node) if index & 1 else node_hash(node, sibling)
        index, last = index >> 1, last >> 1
    if rest:
        raise ValueError("the path is too long")
    return node


def _above(level: list[bytes]) -> list[bytes]:
    """The next level: pairs hashed, an odd node at the end promoted."""
    sha256 = hashlib.sha256
    pairs = zip(level[::2], level[1::2], strict=False)
    nodes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return [*nodes, level[-1]] if len(level) % 2 else nodes
