"""From rows to batches: which rows share a Merkle tree, and the header that the chain covers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.audit.ledger.chain import GENESIS, Link, chain_hash
from predtrack_assets.domain.audit.ledger.encoding import Encoding, canonical_json
from predtrack_assets.domain.audit.ledger.merkle import DIGEST_BYTES, merkle_root

LEDGER = "predictions"
ID_BYTES = 16
_BATCH = ["trading_day", "model_id", "kind", "origin"]

BATCHES: dict[str, pl.DataType] = {
    "batch_index": pl.Int64(),
    "model_id": pl.String(),
    "kind": pl.String(),
    "trading_day": pl.Date(),
    "as_of": pl.Datetime("us", "UTC"),
    "row_count": pl.Int32(),
    "origin": pl.String(),
    "encoding": pl.Binary(),
    "committed_at": pl.Datetime("us", "UTC"),
    "merkle_root": pl.Binary(),
    "previous_hash": pl.Binary(),
    "hash": pl.Binary(),
    "prediction_ids": pl.Binary(),
    "leaves": pl.Binary(),
}


def build_batches(
    groups: pl.DataFrame,
    encoding: Encoding,
    committed_at: datetime,
    index: int = 0,
    previous: bytes = GENESIS,
) -> pl.DataFrame:
    """The batches (columns BATCHES) that commit to `groups`, after link `index` with hash `previous`.

    groups: rows of one decision day, model, kind and origin (live where committed_at, UTC, is before
    their earliest_resolution_time), each to become a batch: trading_day, model_id, kind, origin, as_of,
    row_count and `pieces`: of each row its prediction_id (16 bytes) and its leaf, the hash of the bytes that
    the encoding gives it. Leaves keep the order of the pieces.
    """
    constant = {"encoding": encoding.digest, "committed_at": committed_at}
    batches = []
    for group in groups.sort(_BATCH).iter_rows(named=True):
        index += 1
        pieces = np.frombuffer(group.pop("pieces"), np.uint8).reshape(-1, ID_BYTES + DIGEST_BYTES)
        leaves = pieces[:, ID_BYTES:].tobytes()
        root = merkle_root(leaves)
        batch = {**group, **constant, "batch_index": index, "merkle_root": root}
        link = chain_hash(previous, index, root, batch_header(batch))
        batch |= {
            "previous_hash": previous,
            "hash": link,
            "prediction_ids": pieces[:, :ID_BYTES].tobytes(),
            "leaves": leaves,
        }
        batches.append(batch)
        previous = link
    return pl.DataFrame(batches, schema=BATCHES)


def batch_header(batch: Mapping[str, Any]) -> bytes:
    """The canonical header of a batch, from its columns."""
    return canonical_json(header_fields(batch))


def header_fields(batch: Mapping[str, Any]) -> dict[str, str | int]:
    """The header's fields as texts and integers."""
    return {
        "ledger": LEDGER,
        "model_id": batch["model_id"],
        "kind": batch["kind"],
        "trading_day": batch["trading_day"].isoformat(),
        "as_of": moment(batch["as_of"]),
        "row_count": batch["row_count"],
        "origin": batch["origin"],
        "encoding": batch["encoding"].hex(),
        "committed_at": moment(batch["committed_at"]),
    }


def batch_link(batch: Mapping[str, Any]) -> Link:
    """A batch as a link of the chain."""
    return Link(
        batch["batch_index"],
        batch["previous_hash"],
        batch["merkle_root"],
        batch_header(batch),
        batch["hash"],
    )


def fault_of_tree(batch: Mapping[str, Any]) -> str | None:
    """What is wrong with the leaves of a batch, or None."""
    count = batch["row_count"]
    if len(batch["leaves"]) != DIGEST_BYTES * count:
        return "has not as many leaves as rows"
    if len(batch["prediction_ids"]) != ID_BYTES * count:
        return "has not as many identities as rows"
    if merkle_root(batch["leaves"]) != batch["merkle_root"]:
        return "has leaves that do not lead to its root"
    return None


def leaves_of(batch: Mapping[str, Any]) -> list[bytes]:
    """The leaf hashes of a batch, in order."""
    return split(batch["leaves"], DIGEST_BYTES)


def split(data: bytes, width: int) -> list[bytes]:
    """`data` cut into pieces of `width` bytes."""
    return [data[at : at + width] for at in range(0, len(data), width)]


def moment(value: datetime) -> str:
    """A moment as text: UTC, always with microseconds, as in 2026-11-21T05:30:00.000000Z."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
