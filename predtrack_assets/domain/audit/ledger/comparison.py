"""Stored rows against the leaves that were committed for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
import pyarrow as pa

from predtrack_assets.domain.audit.ledger.batches import ID_BYTES
from predtrack_assets.domain.audit.ledger.encoding import leaf_hashes
from predtrack_assets.domain.audit.ledger.merkle import DIGEST_BYTES

ALTERED = "is not what was committed"
MISSING = "was committed and is gone"
UNSEALED = "was never committed"
TWICE = "is there more than once"
LATE = "claims to be live, but its outcome could be known when it was committed"

FINDINGS: dict[str, pl.DataType] = {
    "batch_index": pl.Int64(),
    "position": pl.Int64(),
    "prediction_id": pl.Binary(),
    "trading_day": pl.Date(),
    "fault": pl.String(),
}


@dataclass(frozen=True)
class Comparison:
    """good: rows that are what was committed; pruned: leaves whose rows retention dropped;
    findings: the rest, columns FINDINGS (position: of the leaf, from 0), sorted."""

    good: int
    pruned: int
    findings: pl.DataFrame


def compare(
    batches: pl.DataFrame, rows: pl.DataFrame, pruned_before: date | None = None
) -> Comparison:
    """Every leaf of `batches` against its row, and every row of `rows` against its leaf.

    batches: columns batches.BATCHES. rows: prediction_id (16 bytes), trading_day, live (whether the
    row claims to be), earliest_resolution_time, and the row's bytes in each encoding that batches use, in a
    column called `row_column(digest)`; without that column nothing verifies.
    pruned_before: batches of earlier decision days may lack all of their rows.
    """
    joined = _side_by_side(batches, rows)
    gone, unknown = pl.col("trading_day_row").is_null(), pl.col("batch_index").is_null()
    live = (pl.col("origin") == "live") | pl.col("live")
    faults = {
        UNSEALED: unknown,
        MISSING: gone,
        ALTERED: pl.col("leaf").ne_missing(pl.col("row_leaf")),
        TWICE: pl.col("repeated") | pl.col("repeated_row"),
        LATE: live & (pl.col("earliest_resolution_time") <= pl.col("committed_at")),
    }
    fault = pl.coalesce(pl.when(rule).then(pl.lit(name)) for name, rule in faults.items())
    pruned = pl.lit(False)
    if pruned_before is not None:
        nothing_left = (pl.col("fault") == MISSING).fill_null(False).all().over("batch_index")
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


def row_column(encoding: bytes) -> str:
    """Name of the column with the rows' bytes in the encoding of that digest."""
    return f"row_{encoding.hex()[:16]}"  # PostgreSQL cuts names at 63 bytes


def _side_by_side(batches: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Leaves and rows joined by identity, with the hash of each row in the encoding of its batch."""
    rows = rows.rename({"trading_day": "trading_day_row"}).with_columns(
        repeated_row=~pl.col("prediction_id").is_first_distinct()
    )
    joined = _leaves(batches).join(rows, on="prediction_id", how="full", coalesce=True)
    names = {encoding: row_column(encoding) for encoding in batches["encoding"].unique()}
    chosen = [
        pl.when(pl.col("encoding") == pl.lit(encoding)).then(pl.col(name))
        for encoding, name in names.items()
        if name in rows.columns
    ]
    joined = joined.with_columns(pl.coalesce(*chosen, pl.lit(None, pl.Binary)).alias("row"))
    hashed = leaf_hashes(joined["row"].fill_null(b"").to_list())
    row_leaf = pl.when(pl.col("row").is_not_null()).then(pl.Series(hashed, dtype=pl.Binary))
    return joined.with_columns(row_leaf.alias("row_leaf"))


def _leaves(batches: pl.DataFrame) -> pl.DataFrame:
    """One row per leaf: its batch, place, identity and hash."""
    counts = batches["row_count"].to_numpy()
    batch = np.repeat(np.arange(len(batches)), counts)
    position = np.arange(len(batch)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = ["batch_index", "trading_day", "origin", "encoding", "committed_at"]
    leaves = batches.select(columns)[batch].with_columns(
        pl.Series("position", position),
        _pieces("prediction_id", batches["prediction_ids"], ID_BYTES, counts),
        _pieces("leaf", batches["leaves"], DIGEST_BYTES, counts),
    )
    return leaves.with_columns(repeated=~pl.col("prediction_id").is_first_distinct())


def _pieces(name: str, joined: pl.Series, width: int, counts: np.ndarray) -> pl.Series:
    """Each batch's bytes cut into its count of pieces; what was cut off is taken as zeros."""
    sizes = (counts * width).tolist()
    whole = [b.ljust(size, b"\x00")[:size] for b, size in zip(joined, sizes, strict=True)]
    data = pa.py_buffer(b"".join(whole))
    pieces = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), int(counts.sum()), [None, data])
    return pl.Series(name, pieces.cast(pa.large_binary()))
