"""Has a column changed? Distances between a reference and a current window of days, and what they
come to when nothing has changed.

Rows of one day move together and days resemble the days before them, so the critical values for
independent rows cry wolf. Here the null comes from the data: the same distance, with blocks of
other days in the place of the current ones. Blocks as long as the current window make it every
other window of that length on the circle of days, and the p-value the rank of the last one.

Sources: PSI, Yurdakul & Naranjo 2020; Jensen-Shannon, Lin 1991; permutation of blocks, Politis &
Romano 1992, Kirch 2007.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from predtrack_assets.domain.accuracy.drift.distances import (
    BINS,
    critical_values_iid,
    jensen_shannon,
    psi,
    quantile_edges,
)
from predtrack_assets.domain.numerics.types import Floats

Ints = NDArray[np.integer]

PER_BIN = 2  # cells in a bin: KS is read at twice as many quantiles as PSI
CELLS = PER_BIN * BINS
STATISTICS = ("psi", "ks", "js", "missing")
_AT_ONCE = 8  # columns whose distances stay in the processor's cache
_COARSE = 8
_TIE = 1 - 1e-12  # equal distances may differ in the last bit


@dataclass(frozen=True)
class Column:
    """Values (n,), NaN where missing, and the place (n,) of each row's day among the T days."""

    values: Floats
    day: Ints


@dataclass(frozen=True)
class Drift:
    """Of each of F columns: distances, each a row of STATISTICS, and what they are held against.

    value, p_value, critical, critical_iid: (4, F), NaN where a window has no value. missing: share
    without a value in the reference (F,). rows, valid: (2, F) of the reference and the current window.
    """

    value: Floats
    p_value: Floats
    critical: Floats
    critical_iid: Floats
    missing: Floats
    rows: Ints
    valid: Ints


@dataclass(frozen=True)
class BlockPermutations:
    """Sets of days that could have been the current ones: B of k blocks on the circle of T days.

    starts (B, k): first day of each block; lengths (k,). The first set is the current window.
    """

    days: int
    starts: Ints
    lengths: Ints

    def thinned(self, step: int) -> BlockPermutations:
        """The current window and every so-manieth of its alternatives."""
        starts = np.concatenate([self.starts[:1], self.starts[1::step]])
        return BlockPermutations(self.days, starts, self.lengths)

    def totals(self, per_day: Ints) -> Ints:
        """Sums (B, ...) over each set of what is given per day, (T, ...)."""
        reach = int(self.lengths.max())
        circle = np.concatenate([per_day, per_day[:reach]])
        running = np.zeros((len(circle) + 1, *per_day.shape[1:]), per_day.dtype)
        np.cumsum(circle, axis=0, out=running[1:])
        first, *rest = zip(self.starts.T, self.lengths, strict=True)
        total = running[first[0] + first[1]] - running[first[0]]
        for start, length in rest:
            total += running[start + length] - running[start]
        return total


def arrangements(
    days: int, current: int, block: int, draws: int, seed: int = 0
) -> BlockPermutations:
    """The current window, the last of T days, and its alternatives.

    Blocks of `block` days, at least; from `current` on, all other windows of that length. Shorter
    ones are drawn, `draws` times, from a circle cut at a random place. Raises ValueError unless
    0 < current <= days / 2 and block > 0.
    """
    if not 0 < current <= days / 2 or block < 1:
        raise ValueError(f"{current} of {days} days in blocks of {block}")
    own = days - current
    if block >= current:
        starts = np.concatenate([[own], np.delete(np.arange(days), own)])[:, None]
        return BlockPermutations(days, starts, np.array([current]))
    pieces, slots = -(-current // block), days // block
    random = np.random.default_rng(seed)
    slot = np.argsort(random.random((draws, slots)), axis=1, kind="stable")[:, :pieces]
    starts = (random.integers(0, days, (draws, 1)) + slot * block) % days
    lengths = np.full(pieces, block)
    lengths[-1] = current - block * (pieces - 1)
    observed = own + block * np.arange(pieces)
    return BlockPermutations(days, np.concatenate([observed[None], starts]), lengths)


def drift(columns: Sequence[Column], sets: BlockPermutations, level: float) -> Drift:
    """Distances of the current window from the other days, for F columns over the same T days.

    level: of the critical values, each for one column and statistic alone. Raises ValueError
    without columns.
    """
    parts = [
        _drift(columns[at : at + _AT_ONCE], sets, level) for at in range(0, len(columns), _AT_ONCE)
    ]
    joined = {
        part.name: np.concatenate([getattr(p, part.name) for p in parts], axis=-1)
        for part in fields(Drift)
    }
    return Drift(**joined)


def _drift(columns: Sequence[Column], sets: BlockPermutations, level: float) -> Drift:
    """Every set is looked at only for columns whose p-value may turn out small.

    Neighbouring windows share nearly all their days, so a part of them tells those columns. What is
    small in the end comes from all sets: so none of it is smaller than it should be.
    """
    reference = sets.days - int(sets.lengths.sum())  # days
    per_day = np.zeros((sets.days, CELLS + 1, len(columns)), np.int32)
    for i, column in enumerate(columns):
        per_day[..., i] = _cells_per_day(column, reference, sets.days)
    found = _measured(per_day, sets.thinned(_COARSE), level)
    close = (np.nan_to_num(found.p_value, nan=1.0) <= 2.5 * level).any(axis=0)
    if close.any():
        exact = _measured(per_day[..., close], sets, level)
        for part in fields(Drift):
            getattr(found, part.name)[..., close] = getattr(exact, part.name)
    return found


def _measured(per_day: Ints, sets: BlockPermutations, level: float) -> Drift:
    """Distances and their null from counts per day and cell (T, CELLS + 1, F)."""
    reference = sets.days - int(sets.lengths.sum())
    # Cells first: sums over the first axis are many times as fast.
    inside = np.ascontiguousarray(sets.totals(per_day).swapaxes(0, 1))
    total = inside[:, 0] + per_day[:reference].sum(axis=0)
    outside = total[:, None] - inside
    distances = _distances(outside, inside)
    found, null = distances[:, 0], distances[:, 1:]
    size = 1 + (~np.isnan(null)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        beyond = (null >= found[:, None] * _TIE).sum(axis=1)
        rows = np.stack([side[:, 0].sum(axis=0) for side in (outside, inside)])
        valid = np.stack([side[:-1, 0].sum(axis=0) for side in (outside, inside)])
        missing = 1 - valid[0] / rows[0]
    return Drift(
        value=found,
        p_value=np.where(np.isnan(found), np.nan, (1 + beyond) / size),
        critical=_critical(null, size, level),
        critical_iid=critical_values_iid(total[:-1] > 0, valid, rows, missing, level),
        missing=missing,
        rows=rows,
        valid=valid,
    )


def _cells_per_day(column: Column, current: int, days: int) -> Ints:
    """Rows (T, CELLS + 1) per day in each cell of the reference's quantiles; the last: missing."""
    edges = quantile_edges(column.values[column.day < current], CELLS)
    cell = np.searchsorted(edges, column.values)  # NaN sorts behind all numbers
    cell = np.where(np.isnan(column.values), CELLS, np.minimum(cell, CELLS - 1))
    counts = np.bincount(column.day * (CELLS + 1) + cell, minlength=days * (CELLS + 1))
    return counts.reshape(days, CELLS + 1)


def _distances(reference: Ints, current: Ints) -> Floats:
    """STATISTICS (4, B, F) of counts (CELLS + 1, B, F), NaN where a side has no value."""
    with np.errstate(invalid="ignore", divide="ignore"):
        valid = [counts[:-1].sum(axis=0) for counts in (reference, current)]
        shares = [c[:-1] / v for c, v in zip((reference, current), valid, strict=True)]
        known = [v / (v + c[-1]) for c, v in zip((reference, current), valid, strict=True)]
    ks = np.abs(np.cumsum(shares[0] - shares[1], axis=0)).max(axis=0)
    p, q = (share[::PER_BIN] + share[1::PER_BIN] for share in shares)
    return np.stack(
        [psi(p, q, axis=0), ks, jensen_shannon(p, q, axis=0), np.abs(known[0] - known[1])]
    )


def _critical(null: Floats, size: Ints, level: float) -> Floats:
    """The k-th largest of the null (4, B, F), k = floor(level (1 + B)): above it p <= level."""
    rank = np.floor(level * size + 1e-9).astype(np.int64)
    ordered = np.sort(-null, axis=1)  # NaN last
    at = np.clip(rank - 1, 0, max(null.shape[1] - 1, 0))[:, None]
    return np.where(rank > 0, -np.take_along_axis(ordered, at, axis=1)[:, 0], np.nan)


def seed_of(*key: object) -> int:
    """A seed that belongs to a key, the same on every machine."""
    from hashlib import sha256

    return int.from_bytes(sha256(repr(key).encode()).digest()[:8], "little")
