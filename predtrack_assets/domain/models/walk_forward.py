"""Splits of labelled rows in time such that no training label reaches into a test block.

Purging and embargo after Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Fold:
    """Row numbers (int64, ascending) to train on and to test on."""

    train: np.ndarray
    test: np.ndarray


def training_rows(
    day: np.ndarray, end: np.ndarray, test: np.ndarray, embargo: int = 0
) -> np.ndarray:
    """Boolean (n,): rows that may train a model tested on the rows `test` (boolean, (n,)).

    day, end: datetime64[D], decision day and last day of the label. A row before the test block
    must have ended before the first test day, a row after it be decided after the last test label
    ended; `embargo` decision days more lie between the two on either side.
    """
    if np.isnat(end).any() or (end < day).any():
        raise ValueError("every row needs a label that ends on its day or later")
    days = np.unique(day)
    first = int(np.searchsorted(days, day[test].min()))
    last = int(np.searchsorted(days, end[test].max(), side="right"))
    before = (end < days[first - embargo]) & (first >= embargo)
    return before | (np.searchsorted(days, day) >= last + embargo)


def walk_forward(
    day: np.ndarray,
    end: np.ndarray,
    *,
    folds: int,
    first: float = 0.4,
    window: int | None = None,
    embargo: int = 0,
    both_sides: bool = False,
) -> list[Fold]:
    """Consecutive test blocks over the decision days, each with what may train for it.

    day, end: datetime64[D] of shape (n,). The first `first` (0..1) of the decision days is only
    trained on. Training is expanding, or rolling over the last `window` decision days before the
    block, and takes the rows after the block too with `both_sides` (purged k-fold). `embargo` is
    in decision days. Folds without a training row are left out. Raises ValueError when there are
    fewer decision days than folds.
    """
    days = np.unique(day)
    position = np.searchsorted(days, day)
    edges = np.linspace(round(first * len(days)), len(days), folds + 1).round().astype(np.int64)
    if (np.diff(edges) < 1).any():
        raise ValueError(f"{len(days)} decision days are too few for {folds} folds")
    result = []
    for start, stop in pairwise(edges):
        test = (position >= start) & (position < stop)
        train = training_rows(day, end, test, embargo)
        if not both_sides:
            train &= position < start
        if window is not None:
            train &= (position >= start - window) & (position < stop + window)
        if train.any():
            result.append(Fold(np.flatnonzero(train), np.flatnonzero(test)))
    return result
