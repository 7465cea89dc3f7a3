"""Rows in the order of their keys, by one whole number per row: sorting that compares no text."""

from __future__ import annotations

import numpy as np
import polars as pl

from predtrack_assets.domain.numerics.types import Ints


def places(rows: pl.DataFrame, columns: list[str], within: Ints | None = None) -> Ints:
    """Whole numbers (N,) that order rows as the columns do, the first one first, nulls last.

    Equal where all columns are equal. columns: text, Enum, Boolean, Date or whole numbers.
    within: what orders rows before the columns do, itself of this function.
    """
    code = np.zeros(len(rows), np.int64) if within is None else within
    size = int(code.max(initial=0)) + 1
    for name in columns:
        rank, ranks = _ranks(rows[name])
        if size * ranks >= 2**63:  # then only those that occur are numbered
            code = np.unique(code, return_inverse=True)[1].astype(np.int64)
            size = int(code.max(initial=0)) + 1
        code, size = code * ranks + rank, size * ranks
    return code


def runs(code: Ints) -> tuple[Ints, Ints]:
    """For sorted codes (N,): 0, 1, ... for each run of equal ones (N,), and where runs begin."""
    begins = np.flatnonzero(np.diff(code, prepend=-1))
    run = np.zeros(code.size, np.int64)
    run[begins[1:]] = 1
    return np.cumsum(run), begins


def _ranks(values: pl.Series) -> tuple[Ints, int]:
    """Numbers >= 0 (N,) in the order of the values, and one more than the largest there can be."""
    if values.dtype == pl.String:
        values = values.cast(pl.Enum(values.unique().drop_nulls().sort()))
    numbers = values.to_physical().cast(pl.Int64)
    known = numbers.drop_nulls().to_numpy()
    if not known.size:
        return np.zeros(len(values), np.int64), 1
    low, null = int(known.min()), int(known.max() - known.min()) + 1
    return (numbers - low).fill_null(null).to_numpy(), null + 1
