"""Distances between two samples of a column: population stability index, KS, Jensen-Shannon."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain.numerics.types import Floats

Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]

BINS = 10
MIN_SHARE = 1e-4  # stands for an empty bin, whose logarithm is infinite
_TINY = 1e-300  # keeps 0 log 0 at 0


def quantile_edges(reference: ArrayLike, cells: int) -> Floats:
    """The cells - 1 inner quantiles of a sample, as values of it; NaN is left out.

    A cell holds what is above its lower edge, up to and with its upper one. A sample without a
    value has edges NaN.
    """
    values = np.sort(np.asarray(reference, np.float64))
    n = int(np.searchsorted(values, np.nan))
    if not n:
        return np.full(cells - 1, np.nan)
    rank = -(-np.arange(1, cells) * n // cells)  # ceil(q n): the inverse of the distribution
    return values[rank - 1]


def shares(values: ArrayLike, edges: Floats) -> Floats:
    """Share of a sample in each cell, (len(edges) + 1,); NaN is left out, edges may repeat."""
    values = np.asarray(values, np.float64)
    cell = np.searchsorted(edges, values[~np.isnan(values)])
    counts = np.bincount(cell, minlength=len(edges) + 1)
    return counts / max(cell.size, 1)


def psi(p: Floats, q: Floats, axis: int = -1) -> Floats:
    """Population stability index sum (p - q) ln(p / q) of shares that have their bins on `axis`.

    An empty bin counts as LEAST_SHARE, as is customary.
    """
    a, b = np.maximum(p, MIN_SHARE), np.maximum(q, MIN_SHARE)
    return ((a - b) * np.log(a / b)).sum(axis=axis)


def jensen_shannon(p: Floats, q: Floats, axis: int = -1) -> Floats:
    """Jensen-Shannon distance of shares: the root of the divergence in nats, 0 to 0.833."""
    middle = np.maximum((p + q) / 2, _TINY)
    total = p * np.log(np.maximum(p / middle, _TINY)) + q * np.log(np.maximum(q / middle, _TINY))
    return np.sqrt(np.maximum(total.sum(axis=axis) / 2, 0.0))


def kolmogorov_smirnov(reference: ArrayLike, current: ArrayLike) -> float:
    """Largest difference of two samples' distribution functions; NaN is left out.

    Raises ValueError where a sample has no value.
    """
    a, b = (
        np.sort(x[~np.isnan(x)]) for x in (np.asarray(s, np.float64) for s in (reference, current))
    )
    if not a.size or not b.size:
        raise ValueError("a sample without a value has no distribution")
    # The difference is largest at a value of the smaller sample, or just before one.
    small, large = (a, b) if a.size <= b.size else (b, a)
    own = np.arange(small.size)
    last = np.append(small[1:] != small[:-1], True)
    first = np.append(True, small[1:] != small[:-1])
    upper = (own[last] + 1) / small.size - np.searchsorted(large, small[last], "right") / large.size
    lower = np.searchsorted(large, small[first], "left") / large.size - own[first] / small.size
    return float(max(upper.max(), lower.max(), 0.0))


def psi_critical_iid(level: float, bins: ArrayLike, n: ArrayLike, m: ArrayLike) -> Floats:
    """What the PSI of n and m independent rows exceeds with probability `level`.

    PSI / (1/n + 1/m) is chi-square with bins - 1 degrees of freedom (Yurdakul & Naranjo 2020).
    """
    from scipy.special import chdtri

    degrees = np.asarray(bins, np.float64) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / np.asarray(n, np.float64) + 1 / np.asarray(m, np.float64)
        return np.where(degrees > 0, chdtri(np.maximum(degrees, 1), level), 0.0) * scale


def critical_values_iid(
    cells: Bools, valid: Ints, rows: Ints, missing: Floats, level: float
) -> Floats:
    """Critical values (4, F) of PSI, KS, JS and the share missing, were all rows independent.

    cells (cells, F), equally many to a bin: which occur; valid, rows (2, F) in the two windows; missing
    (F,): the share in the reference. KS: Smirnov's limit; JS: PSI is eight times its square to
    second order; the share: normal, two-sided.
    """
    from scipy.special import ndtri

    bins = cells.reshape(BINS, -1, cells.shape[-1]).any(axis=1).sum(axis=0)
    index = psi_critical_iid(level, bins, *valid)
    with np.errstate(divide="ignore", invalid="ignore"):
        ks = math.sqrt(-math.log(level / 2) / 2) * np.sqrt(1 / valid[0] + 1 / valid[1])
        share = np.sqrt(missing * (1 - missing) * (1 / rows[0] + 1 / rows[1]))
    share = -float(ndtri(level / 2)) * share
    result = np.stack([index, np.where(bins > 1, ks, 0.0), np.sqrt(index / 8), share])
    return np.where(np.isfinite(result), result, np.nan)
