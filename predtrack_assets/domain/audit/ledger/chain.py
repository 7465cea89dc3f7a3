"""The chain: each link's hash covers the one before, so nothing can be changed in the middle.

h_i = SHA-256(02 || h_(i-1) || u64(i) || root_i || header_i), i from 1 without gaps, h_0 = 32 zero
bytes, u64 big-endian, the header canonical JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

GENESIS = bytes(32)


@dataclass(frozen=True)
class Link:
    """One link as it is stored: `header` in canonical bytes, hashes of 32 bytes."""

    index: int
    previous_hash: bytes
    root: bytes
    header: bytes
    hash: bytes


def chain_hash(previous: bytes, index: int, root: bytes, header: bytes) -> bytes:
    """h_index after `previous`."""
    return hashlib.sha256(b"\x02" + previous + index.to_bytes(8, "big") + root + header).digest()


def fault_of_link(link: Link, before: Link | None) -> tuple[int, str] | None:
    """Index and description of what is wrong with a link that follows `before` (None: the first).

    Where links are missing, the index is that of the first one.
    """
    expected = before.index + 1 if before else 1
    if link.index > expected:
        return expected, f"is missing: the next one is {link.index}"
    if link.index < expected:
        return link.index, "is there more than once"
    if link.previous_hash != (before.hash if before else GENESIS):
        return link.index, "does not continue the one before"
    if link.hash != chain_hash(link.previous_hash, link.index, link.root, link.header):
        return link.index, "has not the hash of its contents"
    return None


def faults_of_chain(links: Iterable[Link]) -> Iterator[tuple[int, str]]:
    """Every fault of a chain, in its order."""
    before = None
    for link in links:
        if fault := fault_of_link(link, before):
            yield fault
        before = link
