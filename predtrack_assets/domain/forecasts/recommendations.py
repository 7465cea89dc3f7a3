"""BUY, SELL or HOLD from a forecast, and what following all of them would have returned.

A recommendation of day D is a position from the close of D to that of the h-th session after it:
+1, -1 or 0. Every day a new tranche of 1/h of the capital is placed, in equal parts over the
symbols, and pays `COST` once. Nothing is borrowed and nothing is earned on cash.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS, cdf
from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.statistics.first_passage import normal_cdf

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


def p_right(
    position: ArrayLike,
    quantiles: Floats,
    median: ArrayLike,
    sigma: ArrayLike,
    horizon: ArrayLike,
) -> Floats:
    """Probability (N,) that recommendations (+1, -1, 0) will be right, by their own forecasts.

    quantiles: (N, 7) of a price at QUANTILE_LEVELS; NaN of a direction, whose distribution is the
    normal one around `median` of spread sigma sqrt(horizon). Of price alone: dividends are left
    out. NaN where position is.

    >>> nothing = np.full((1, 7), np.nan)
    >>> p_right([1], nothing, [0.02], [0.01], [4]).round(4)  # P(X > 0.011), X normal(0.02, 0.02)
    array([0.6736])
    """
    position = np.asarray(position, np.float64)
    spread = np.broadcast_to(np.asarray(sigma, np.float64) * np.sqrt(horizon), position.shape)
    center = np.asarray(median, np.float64)
    is_normal = np.asarray(np.isnan(quantiles).any(axis=1))
    known = np.where(is_normal[:, None], QUANTILE_LEVELS, quantiles)

    def below(x: Floats) -> Floats:
        return np.where(is_normal, normal_cdf((x - center) / spread), cdf(known, x))

    band = BAND * spread
    sold, held = below(-band - COST), below(band) - below(-band)
    bought = 1 - below(band + COST)
    return np.select([position == 1, position == -1, position == 0], [bought, sold, held], np.nan)


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
