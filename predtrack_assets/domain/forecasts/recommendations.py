"""BUY, SELL or HOLD from a forecast, and what following all of them would have returned.

A recommendation of day D is a position from the close of D to that of the h-th session after it:
+1, -1 or 0. Every day a new tranche of 1/h of the capital is placed, in equal parts over the
symbols, and pays `COST` once. Nothing is borrowed and nothing is earned on cash.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain.panel import Panel

Floats = NDArray[np.float64]

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

    kind (N,): a price speaks by its median log return q50, a direction by the one that p_up
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


def total_returns(panel: Panel) -> Floats:
    """Simple return (symbols, sessions) since the last bar before, splits and dividends included.

    0 where there is no bar or none before it; a gap's whole return falls on the bar that ends it.
    """
    shares = np.cumprod(panel.split, axis=1)
    income = np.cumsum(panel.dividend * shares, axis=1)
    known = ~np.isnan(panel.close)
    at = np.where(known, np.arange(panel.close.shape[1]), -1)
    last = np.maximum.accumulate(at, axis=1)
    before = np.concatenate([np.full_like(last[:, :1], -1), last[:, :-1]], axis=1)
    row = np.arange(len(panel.close))[:, None]
    there = known & (before >= 0)
    value = np.where(known, panel.close * shares, 1.0)
    old = value[row, np.maximum(before, 0)]
    gained = value + income - income[row, np.maximum(before, 0)]
    return np.where(there, gained / old - 1, 0.0)


@dataclass(frozen=True)
class Following:
    """Sums over symbols per session (T,): add those of several panels, then divide.

    gain: of the positions, after cost; market: of holding the same symbols; weight: outstanding
    recommendations, HOLD included; placed: BUY and SELL among them; net: BUY less SELL. All in
    tranches (1 / h).
    """

    gain: Floats
    market: Floats
    weight: Floats
    placed: Floats
    net: Floats

    def __add__(self, other: Following) -> Following:
        return Following(
            self.gain + other.gain,
            self.market + other.market,
            self.weight + other.weight,
            self.placed + other.placed,
            self.net + other.net,
        )

    def on(self, at: NDArray[np.int64], size: int) -> Following:
        """The sums of sessions `at` (T,) on `size` days, where those of several exchanges add up.

        On a day without session nothing is gained, and what is outstanding stays so.
        """
        session = np.searchsorted(at, np.arange(size), side="right") - 1
        open_ = np.isin(np.arange(size), at)
        return Following(
            *(np.where(open_, part[session], 0.0) for part in (self.gain, self.market)),
            *(
                np.where(session >= 0, part[session], 0.0)
                for part in (self.weight, self.placed, self.net)
            ),
        )


def follow(position: Floats, returns: Floats, horizon: int, cost: float = COST) -> Following:
    """Follow recommendations (symbols, T), NaN where none was given, through daily returns.

    Column t of the result holds what the tranches of the decision sessions t - horizon .. t - 1
    made between the closes of t - 1 and t; it uses nothing later.
    """
    given = ~np.isnan(position)
    side = np.where(given, position, 0.0)
    sums = [np.zeros(position.shape[1]) for _ in range(5)]
    gain, market, weight, placed, net = sums
    for age in range(1, min(horizon, position.shape[1] - 1) + 1):
        then, now = slice(None, -age), slice(age, None)
        gain[now] += (side[:, then] * returns[:, now]).sum(axis=0)
        market[now] += (given[:, then] * returns[:, now]).sum(axis=0)
        weight[now] += given[:, then].sum(axis=0)
        held = np.abs(side[:, then]).sum(axis=0)
        placed[now] += held
        net[now] += side[:, then].sum(axis=0)
        if age == 1:
            gain[now] -= cost * held
    return Following(*(total / horizon for total in sums))


def daily_returns(following: Following) -> tuple[Floats, Floats]:
    """(strategy, its own symbols held in equal parts), simple returns (T,), NaN without any."""
    weight = np.where(following.weight > 0, following.weight, np.nan)
    return following.gain / weight, following.market / weight
