"""From rows to batches: which rows share a Merkle tree, and the header that the chain covers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.ledger.chain import GENESIS, Link, chain_hash
from predtrack_assets.domain.ledger.encoding import Encoding, canonical_json
from predtrack_assets.domain.ledger.merkle import DIGEST_BYTES, merkle_root

LEDGER = "predictions"
ID_BYTES = 16
_BATCH = ["trading_day", "model_id", "kind", "origin"]
_PIECES = {"leaf": DIGEST_BYTES, "prediction_id": ID_BYTES}

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
    rows: pl.DataFrame,
    encoding: Encoding,
    committed_at: datetime,
    index: int = 0,
    previous: bytes = GENESIS,
) -> pl.DataFrame:
    """The batches (columns BATCHES) that commit to `rows`, after link `index` with hash `previous`.

    rows: prediction_id (16 bytes), trading_day, model_id, kind, as_of, knowable_at, and `leaf`, the
    hash of the bytes that the encoding gives it. One batch per decision day, model, kind and origin:
    live where committed_at (UTC) is before the row's knowable_at. Leaves keep the order of the rows.
    """
    live = pl.col("knowable_at") > pl.lit(committed_at)
    origin = pl.when(live).then(pl.lit("live")).otherwise(pl.lit("replay")).alias("origin")
    # Each group's row numbers: sorting the rows themselves would take as long as hashing them.
    groups = (
        rows.select("trading_day", "model_id", "kind", "as_of", origin)
        .with_row_index("row")
        .group_by(_BATCH, maintain_order=True)
        .agg(pl.col("as_of").max(), pl.len().cast(pl.Int32).alias("row_count"), "row")
        .sort(_BATCH)
    )
    places = groups["row"].explode().to_numpy()
    leaves, ids = (_joined(rows[n], w, places) for n, w in _PIECES.items())
    constant = {"encoding": encoding.digest, "committed_at": committed_at}
    batches, done = [], 0
    for group in groups.drop("row").iter_rows(named=True):
        index += 1
        start, done = done, done + group["row_count"]
        own = leaves[DIGEST_BYTES * start : DIGEST_BYTES * done]
        root = merkle_root(own)
        batch = {**group, **constant, "batch_index": index, "merkle_root": root}
        link = chain_hash(previous, index, root, batch_header(batch))
        batch |= {
            "previous_hash": previous,
            "hash": link,
            "prediction_ids": ids[ID_BYTES * start : ID_BYTES * done],
            "leaves": own,
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


def _joined(pieces: pl.Series, width: int, places: np.ndarray) -> bytes:
    """Pieces of `width` bytes in the order of `places`, joined."""
    matrix = np.frombuffer(b"".join(pieces.to_list()), np.uint8).reshape(len(pieces), width)
    return matrix[places].tobytes()


def split(data: bytes, width: int) -> list[bytes]:
    """`data` cut into pieces of `width` bytes."""
    return [data[at : at + width] for at in range(0, len(data), width)]


def moment(value: datetime) -> str:
    """A moment as text: UTC, always with microseconds, as in 2026-11-21T05:30:00.000000Z."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
