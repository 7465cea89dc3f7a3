"""Merkle trees against published vectors, and against the recursive definition of RFC 6962."""

from __future__ import annotations

import contextlib
import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.audit.ledger.merkle import (
    EMPTY,
    inclusion_path,
    leaf_hash,
    merkle_root,
    node_hash,
    root_of_path,
)

# The eight leaves, the roots and the paths of the Certificate Transparency project's tests.
LEAVES = [
    leaf_hash(bytes.fromhex(data))
    for data in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(size)]


def defined_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1: split at the largest power of two below the size."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(defined_root(leaves[:half]), defined_root(leaves[half:]))


def test_published_roots() -> None:
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle_root(b"") == EMPTY
    assert [merkle_root(b"".join(LEAVES[:n])).hex() for n in range(1, 9)] == ROOTS


@pytest.mark.parametrize(("place", "path"), PATHS.items(), ids=str)
def test_published_paths(place: tuple[int, int], path: list[str]) -> None:
    index, size = place
    assert [node.hex() for node in inclusion_path(LEAVES[:size], index)] == path
    found = root_of_path(LEAVES[index], index, size, [bytes.fromhex(node) for node in path])
    assert found.hex() == ROOTS[size - 1]


@given(st.integers(0, 70))
def test_a_root_is_the_recursive_definitions(size: int) -> None:
    leaves = leaves_of(size)
    assert merkle_root(b"".join(leaves)) == defined_root(leaves)


@given(st.data(), st.integers(1, 70))
def test_every_proof_verifies_and_no_other(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    path, root = inclusion_path(leaves, index), merkle_root(b"".join(leaves))
    assert root_of_path(leaves[index], index, size, path) == root

    hashes = [leaves[index], *path]
    which = data.draw(st.integers(0, len(hashes) - 1))
    bit = data.draw(st.integers(0, 255))
    flipped = (int.from_bytes(hashes[which], "big") ^ 1 << bit).to_bytes(32, "big")
    forged = [*hashes[:which], flipped, *hashes[which + 1 :]]
    assert root_of_path(forged[0], index, size, forged[1:]) != root

    for other in {0, size - 1, data.draw(st.integers(0, size - 1))} - {index}:
        with contextlib.suppress(ValueError):  # a path of that length cannot be
            assert root_of_path(leaves[index], other, size, path) != root


@pytest.mark.parametrize("index", [-1, 8])
def test_there_is_no_path_to_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        inclusion_path(LEAVES, index)
    with pytest.raises(ValueError, match="leaf"):
        root_of_path(LEAVES[0], index, 8, [])


def test_paths_of_a_wrong_length_are_refused() -> None:
    path = inclusion_path(LEAVES, 3)
    with pytest.raises(ValueError, match="too short"):
        root_of_path(LEAVES[3], 3, 8, path[:-1])
    with pytest.raises(ValueError, match="too long"):
        root_of_path(LEAVES[3], 3, 8, [*path, os.urandom(32)])


def test_a_node_is_no_leaf() -> None:
    """The prefixes keep an inner node from being presented as a row (second preimage)."""
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])
