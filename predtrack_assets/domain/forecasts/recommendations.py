"""BUY, SELL or HOLD from a forecast, and what following all of them would have returned.

A recommendation of day D is a position from the close of D to that of the h-th session after it:
+1, -1 or 0. Every day a new tranche of 1/h of the capital is placed, in equal parts over the
symbols, and pays `COST` once. Nothing is borrowed and nothing is earned on cash.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain.numerics.types import Floats

BAND = 0.5  # in sigma sqrt(h)
COST = 0.001  # 10 basis points of the position, once


def implied_median(p_up: ArrayLike, sigma: ArrayLike, horizon: ArrayLike) -> Floats:
    """The median log return of a normal distribution that ends above S0 with probability p_up.

    sigma: daily volatility; its spread is sigma sqrt(horizon). Infinite for p_up 0 or 1.
    """
    from scipy.special import ndtri

    return ndtri(np.asarray(p_up, np.float64)) * np.asarray(sigma) * np.sqrt(horizon)


def recommend(
    median: ArrayLike, sigma: ArrayLike, horizon: ArrayLike, band: float = BAND, cost: float = COST
) -> NDArray[np.int8]:
    """+1 BUY, -1 SELL, 0 HOLD, of the broadcast shape.

    BUY where the median log return of the forecast exceeds cost and band sigma sqrt(h), SELL
    where it is as far below zero: the rule by which the recommendation is later held right.
    """
    median = np.asarray(median, np.float64)
    threshold = band * np.asarray(sigma, np.float64) * np.sqrt(horizon) + cost
    return ((median > threshold).astype(np.int8) - (median < -threshold)).astype(np.int8)


def advised(
    kind: ArrayLike, q50: ArrayLike, p_up: ArrayLike, sigma: ArrayLike, horizon: ArrayLike
) -> Floats:
    """+1 BUY, -1 SELL, 0 HOLD (N,) of predictions as stored, NaN of kinds that recommend nothing.

    kind (N,): a price is judged by its median log return q50, a direction by the one that p_up
    implies. sigma: daily volatility; horizon: sessions.
    """
    kind = np.asarray(kind)
    median = np.where(kind == "price", q50, implied_median(p_up, sigma, horizon))
    position = recommend(median, sigma, horizon).astype(np.float64)
    return np.where(np.isin(kind, ("price", "direction")), position, np.nan)


def was_right(
    position: ArrayLike, total_return: ArrayLike, sigma: ArrayLike, horizon: ArrayLike
) -> NDArray[np.bool_]:
    """Whether recommendations (+1, -1, 0) were right, of the broadcast shape; False where NaN.

    BUY where the total log return after cost is above the band 0.5 sigma sqrt(h), SELL where it is
    as far below zero, HOLD where it is within the band, at no cost.
    """
    position = np.asarray(position, np.float64)
    gone = np.asarray(total_return, np.float64)
    band = BAND * np.asarray(sigma, np.float64) * np.sqrt(horizon)
    earned = position * gone - COST > band
    return np.where(position == 0, np.abs(gone) <= band, (np.abs(position) == 1) & earned)
