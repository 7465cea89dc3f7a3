"""Prior of a rate from the rates of many groups (empirical Bayes)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from predtrack_assets.domain.numerics.types import Floats


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
