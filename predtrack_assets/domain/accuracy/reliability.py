"""The points and the consistency band of a reliability diagram."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain.numerics.types import Floats

LEVEL = 0.90
RESAMPLES = 999


class Reliability(NamedTuple):
    """Per bucket that has rows: mean confidence, hit rate, and where the rate of a calibrated
    forecaster lies (low, high); rows. All (buckets,)."""

    confidence: Floats
    rate: Floats
    low: Floats
    high: Floats
    rows: NDArray[np.int64]


def reliability(
    rows: ArrayLike, hits: ArrayLike, confidence: ArrayLike, n_eff: float, seed: int = 0
) -> Reliability:
    """Hit rates by confidence bucket with a 90 % consistency band (Broecker and Smith 2007).

    rows, hits, confidence: forecasts, hits and summed probabilities per bucket (buckets,); n_eff:
    how many independent rows they are worth. n_eff forecasts are drawn with replacement and given
    outcomes as if they were calibrated; a bucket's number of draws is multinomial and, given that,
    its hits are binomial in its mean confidence, which is what drawing row by row amounts to.
    Raises ValueError for no rows.
    """
    count = np.asarray(rows, np.int64)
    filled = count > 0
    if not filled.any():
        raise ValueError("no rows in any bucket")
    count = count[filled]
    rate = np.asarray(hits, np.float64)[filled] / count
    mean = np.clip(np.asarray(confidence, np.float64)[filled] / count, 0, 1)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(max(round(n_eff), 1), count / count.sum(), size=RESAMPLES)
    came = rng.binomial(draws, mean)
    with np.errstate(invalid="ignore"):
        rates = came / draws
    low, high = np.full(count.size, np.nan), np.full(count.size, np.nan)
    drawn = (draws > 0).any(axis=0)
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low[drawn], high[drawn] = np.nanquantile(rates[:, drawn], tails, axis=0)
    return Reliability(mean, rate, low, high, count)
