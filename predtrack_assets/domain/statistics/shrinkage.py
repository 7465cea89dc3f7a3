"""Rates and means of many groups, drawn toward what all of them show (empirical Bayes)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.statistics.effective_size import normal_quantile


def beta_prior(
    rates: ArrayLike, n_eff: ArrayLike, pool: ArrayLike, pool_n_eff: ArrayLike
) -> tuple[Floats, Floats]:
    """Beta prior (a, b), each (G,), of the symbol rates in each of G pools, by method of moments.

    rates, n_eff (R,): per symbol; pool (R,): its pool 0 .. G-1; pool_n_eff (G,): effective rows of
    the whole pool. The intraclass correlation comes from the spread of the rates (Kleinman 1973);
    a + b = 1/correlation - 1, at least 1 and never more than pool_n_eff: the pooled rate is itself
    an estimate. That also bounds it where the rates spread no more than chance would spread them.
    A single symbol has nothing to borrow from: uniform, (1, 1).

    >>> a, b = beta_prior([0.4, 0.5, 0.6], [50.0] * 3, pool=[0, 0, 0], pool_n_eff=[100.0])
    >>> round(float((a / (a + b))[0]), 2)  # the pooled rate
    0.5
    """
    r, n = np.asarray(rates, np.float64), np.asarray(n_eff, np.float64)
    pool, limit = np.asarray(pool, np.int64), np.asarray(pool_n_eff, np.float64)

    def total(values: Floats) -> Floats:
        return np.asarray(np.bincount(pool, values, limit.size), np.float64)

    symbols, rows = total(np.ones_like(n)), total(n)
    mean = (total(n * r) + 0.5) / (rows + 1)  # half a hit and a miss: never exactly 0 or 1
    own = 1 - n / rows[pool]
    spread = total(n * np.square(r - mean[pool])) / (mean * (1 - mean))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = (spread - total(own)) / total(own * (n - 1))
        weight = np.where(correlation > 0, 1 / correlation - 1, np.inf)
    weight = np.minimum(np.maximum(weight, 1.0), np.maximum(limit, 1.0))
    alone = symbols < 2
    return np.where(alone, 1.0, mean * weight), np.where(alone, 1.0, (1 - mean) * weight)


class Shrunken(NamedTuple):
    """Posterior means and 95 % intervals (G,), and the standard deviation of the groups' true means."""

    mean: Floats
    low: Floats
    high: Floats
    spread: float


def shrink_means(
    means: ArrayLike, errors: ArrayLike, pooled: float, pooled_error: float
) -> Shrunken:
    """Means of groups drawn toward the pooled mean (empirical Bayes, normal).

    means, errors (G,): estimate and standard error of each group; pooled, pooled_error: of all rows
    together, which knows that groups move together. The spread of the true means comes from that
    of the estimates beyond their errors (DerSimonian and Laird 1986); where there is none, every
    group is the pooled mean.

    >>> found = shrink_means([0.10, 0.00, 0.05], [0.02, 0.02, 0.02], pooled=0.05, pooled_error=0.01)
    >>> found.mean.round(3).tolist(), round(found.spread, 3)
    ([0.092, 0.008, 0.05], 0.046)
    """
    y, s = np.asarray(means, np.float64), np.maximum(np.asarray(errors, np.float64), 1e-12)
    weight = 1 / np.square(s)
    excess = float(weight @ np.square(y - pooled)) - (y.size - 1)
    scale = float(weight.sum() - np.square(weight).sum() / weight.sum())
    variance = max(excess / scale, 0.0) if y.size > 1 else 0.0
    own = variance / (variance + np.square(s))
    mean = pooled + own * (y - pooled)
    error = np.sqrt(own * np.square(s) + np.square((1 - own) * pooled_error))
    half = normal_quantile(0.975) * error
    return Shrunken(mean, mean - half, mean + half, float(np.sqrt(variance)))
