"""Stored rows against the leaves that were committed for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
import pyarrow as pa

from predtrack_assets.domain.ledger.batches import ID_BYTES
from predtrack_assets.domain.ledger.encoding import DIGEST_BYTES, Encoding, leaf_hashes

ALTERED = "is not what was committed"
MISSING = "was committed and is gone"
UNSEALED = "was never committed"
TWICE = "is there more than once"
MISFILED = "was committed for another day, model or kind"
LATE = "claims to be live, but its outcome could be known when it was committed"

FINDINGS: dict[str, pl.DataType] = {
    "batch_index": pl.Int64(),
    "position": pl.Int64(),
    "prediction_id": pl.Binary(),
    "trading_day": pl.Date(),
    "fault": pl.String(),
}
_GROUP = ["trading_day", "model_id", "kind"]


@dataclass(frozen=True)
class Comparison:
    """good: rows that are what was committed; pruned: leaves whose rows retention dropped;
    findings: the rest, columns FINDINGS (position: of the leaf, from 0), sorted."""

    good: int
    pruned: int
    findings: pl.DataFrame


def compare(
    batches: pl.DataFrame,
    rows: pl.DataFrame,
    encodings: Mapping[bytes, Encoding],
    pruned_before: date | None = None,
) -> Comparison:
    """Every leaf of `batches` against its row, and every row of `rows` against its leaf.

    batches: columns batches.BATCHES; rows: the columns of the encodings, prediction_id as 16 bytes.
    pruned_before: batches of earlier decision days may lack all of their rows.
    """
    expected = _expected(batches)
    found = _found(rows, expected, encodings)
    joined = expected.join(found, on="prediction_id", how="full", coalesce=True)
    gone, unknown = pl.col("row_leaf").is_null(), pl.col("batch_index").is_null()
    elsewhere = pl.any_horizontal(pl.col(c) != pl.col(f"{c}_row") for c in _GROUP)
    live = (pl.col("origin") == "live") | (pl.col("origin_row") == "live")
    knowable = pl.col("knowable_at") <= pl.col("committed_at")
    faults = {
        UNSEALED: unknown,
        MISSING: gone & pl.col("trading_day_row").is_null(),
        ALTERED: gone | (pl.col("leaf") != pl.col("row_leaf")),
        MISFILED: elsewhere,
        TWICE: pl.col("repeated") | pl.col("repeated_row"),
        LATE: live & knowable,
    }
    fault = pl.coalesce(pl.when(rule).then(pl.lit(name)) for name, rule in faults.items())
    pruned = pl.lit(False)
    if pruned_before is not None:
        nothing_left = (pl.col("fault") == MISSING).all().over("batch_index")
        pruned = nothing_left & (pl.col("trading_day") < pruned_before)
    judged = joined.with_columns(fault.alias("fault")).with_columns(
        pl.coalesce("trading_day", "trading_day_row").alias("trading_day"), pruned.alias("pruned")
    )
    wrong = judged.filter(pl.col("fault").is_not_null() & ~pl.col("pruned"))
    return Comparison(
        good=int(judged["fault"].is_null().sum()),
        pruned=int(judged["pruned"].sum()),
        findings=wrong.select(pl.col(n).cast(t) for n, t in FINDINGS.items()).sort(
            "batch_index", "position", "prediction_id", nulls_last=True
        ),
    )


def _expected(batches: pl.DataFrame) -> pl.DataFrame:
    """One row per leaf: its batch, place, identity and hash."""
    counts = batches["row_count"].to_numpy()
    batch = np.repeat(np.arange(len(batches)), counts)
    position = np.arange(len(batch)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = ["batch_index", *_GROUP, "origin", "encoding", "committed_at"]
    return batches.select(columns)[batch].with_columns(
        pl.Series("position", position),
        _pieces("prediction_id", batches["prediction_ids"], ID_BYTES, counts),
        _pieces("leaf", batches["leaves"], DIGEST_BYTES, counts),
    ).with_columns(repeated=~pl.col("prediction_id").is_first_distinct())


def _pieces(name: str, joined: pl.Series, width: int, counts: np.ndarray) -> pl.Series:
    """Each batch's bytes cut into its count of pieces; what was cut off is taken as zeros."""
    sizes = (counts * width).tolist()
    whole = [b.ljust(size, b"\x00")[:size] for b, size in zip(joined, sizes, strict=True)]
    data = pa.py_buffer(b"".join(whole))
    pieces = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), int(counts.sum()), [None, data]
    )
    return pl.Series(name, pieces.cast(pa.large_binary()))


def _found(
    rows: pl.DataFrame, expected: pl.DataFrame, encodings: Mapping[bytes, Encoding]
) -> pl.DataFrame:
    """Identity and leaf of each row, hashed in the encoding of its batch."""
    used = expected["encoding"].unique().to_list()
    if len(used) == 1 or rows.is_empty():
        parts = [(used[0] if used else b"", rows)]
    else:
        encoding_of = expected.select("prediction_id", "encoding").unique("prediction_id")
        marked = rows.join(encoding_of, on="prediction_id", how="left")
        parts = [(key[0], part) for key, part in marked.group_by("encoding")]
    frames = [
        part.select(
            "prediction_id",
            *(pl.col(c).alias(f"{c}_row") for c in (*_GROUP, "origin")),
            "knowable_at",
            pl.Series("row_leaf", _leaves(part, encodings.get(encoding)), pl.Binary),
        )
        for encoding, part in parts
    ]
    found = pl.concat(frames)
    return found.with_columns(repeated_row=~pl.col("prediction_id").is_first_distinct())


def _leaves(rows: pl.DataFrame, encoding: Encoding | None) -> list[bytes | None]:
    """Leaf hashes; None where nothing says how the rows are encoded."""
    return [None] * len(rows) if encoding is None else [*leaf_hashes(rows, encoding)]
