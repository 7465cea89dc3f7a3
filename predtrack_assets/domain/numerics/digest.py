"""Digests of rows and frames: equal bits give equal digests, on any machine."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

_ABSENT = np.uint64(0x7FF4_DEAD_0000_0000)  # a null that is no number: no text, day or count


def row_digest(*columns: np.ndarray) -> np.ndarray:
    """One int64 per row over float64 columns, by chained SplitMix64 (Steele, Lea, Flood 2014).

    Finds accidental differences; it is not proof against an adversary (the ledger's hash is).
    """
    return _chain([_float_bits(column) for column in columns])


def frame_digest(frame: pl.DataFrame) -> np.ndarray:
    """One int64 per row over all columns of a frame, in their order, each by its bits.

    Numbers, texts, days, moments, booleans, lists of numbers, and vectors as the feature store has
    them (bytes of little-endian float64). A missing value is equal to NaN.
    """
    if not frame.width:
        return np.zeros(len(frame), dtype=np.int64)
    return _chain([column_bits(column) for column in frame])


def total_digest(frame: pl.DataFrame) -> str:
    """SHA-256 over the rows of a frame in whatever order they come, as 64 hex digits."""
    return hashlib.sha256(np.sort(frame_digest(frame)).astype("<i8").tobytes()).hexdigest()


def column_bits(column: pl.Series) -> np.ndarray:
    """uint64 per row: equal exactly for values of equal bits (of texts: of equal SHA-256)."""
    if column.dtype.is_float():
        return _float_bits(column.fill_null(np.nan).to_numpy())
    if isinstance(column.dtype, pl.List | pl.Array):
        return _list_bits(column)
    if column.dtype == pl.String:
        return _text_bits(column)
    if column.dtype == pl.Binary:
        return _vector_bits(column)
    whole = column.to_physical().cast(pl.Int64)
    bits = whole.fill_null(0).to_numpy().astype(np.int64).view(np.uint64)
    return np.where(column.is_null().to_numpy(), _ABSENT, bits)


def _chain(columns: list[np.ndarray]) -> np.ndarray:
    state = np.zeros(np.shape(columns[0]), dtype=np.uint64)
    for bits in columns:
        state = (state ^ bits) + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return state.view(np.int64)


def _float_bits(column: np.ndarray) -> np.ndarray:
    numbers = np.asarray(column, dtype=np.float64)
    # One NaN for all: which bits a missing value has depends on how it was computed.
    return np.where(np.isnan(numbers), np.nan, numbers).view(np.uint64)


def _text_bits(column: pl.Series) -> np.ndarray:
    """The first eight bytes of the SHA-256 of each different text."""
    texts = column.unique().drop_nulls().to_list()
    digests = [hashlib.sha256(text.encode()).digest()[:8] for text in texts]
    bits = pl.Series([int.from_bytes(digest, "little") for digest in digests], dtype=pl.UInt64)
    found = column.replace_strict(pl.Series(texts, dtype=pl.String), bits, default=int(_ABSENT))
    return found.cast(pl.UInt64).fill_null(int(_ABSENT)).to_numpy()


def _vector_bits(column: pl.Series) -> np.ndarray:
    """Chained over the numbers of each vector, whatever the bits of its NaN."""
    result = np.full(len(column), _ABSENT)
    size = column.bin.size().fill_null(0).to_numpy()
    for width in np.unique(size[size > 0]):
        rows = np.flatnonzero(size == width)
        numbers = np.frombuffer(b"".join(column.gather(rows).to_list()), "<f8")
        vectors = numbers.reshape(len(rows), width // 8)
        result[rows] = _chain([_float_bits(place) for place in vectors.T]).view(np.uint64)
    return result


def _list_bits(column: pl.Series) -> np.ndarray:
    """Chained over positions; shorter lists end in missing values."""
    lists = column.cast(pl.List(pl.Float64))
    width = int(lists.list.len().fill_null(0).to_numpy().max(initial=0))
    positions = [lists.list.get(i, null_on_oob=True) for i in range(width)]
    bits = [_float_bits(position.fill_null(np.nan).to_numpy()) for position in positions]
    return _chain(bits).view(np.uint64) if bits else np.full(len(column), _ABSENT)
