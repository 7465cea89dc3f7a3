"""A digest of rows of numbers: equal bits give equal digests, on any machine."""

from __future__ import annotations

import numpy as np


def row_digest(*columns: np.ndarray) -> np.ndarray:
    """One int64 per row over float64 columns, by chained SplitMix64 (Steele, Lea, Flood 2014).

    Finds accidental differences; it is not proof against an adversary (the ledger's hash is).
    """
    state = np.zeros(np.shape(columns[0]), dtype=np.uint64)
    for column in columns:
        numbers = np.asarray(column, dtype=np.float64)
        # One NaN for all: which bits a missing value has depends on how it was computed.
        bits = np.where(np.isnan(numbers), np.nan, numbers).view(np.uint64)
        state = (state ^ bits) + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return state.view(np.int64)
