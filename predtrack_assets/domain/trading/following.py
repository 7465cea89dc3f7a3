"""Profit and loss of following a signal: positions held for a horizon, costs paid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predtrack_assets.domain.forecasts.recommendations import COST
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.numerics.types import Floats


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
class StrategyPnl:
    """Sums over symbols per session (T,): add those of several panels, then divide.

    profit: of the positions, after cost; market: of holding the same symbols; capital_deployed:
    outstanding signals, HOLD included; gross_exposure: BUY and SELL among them; net_exposure: BUY
    less SELL. All in tranches (1 / h).
    """

    profit: Floats
    market: Floats
    capital_deployed: Floats
    gross_exposure: Floats
    net_exposure: Floats

    def __add__(self, other: StrategyPnl) -> StrategyPnl:
        return StrategyPnl(
            self.profit + other.profit,
            self.market + other.market,
            self.capital_deployed + other.capital_deployed,
            self.gross_exposure + other.gross_exposure,
            self.net_exposure + other.net_exposure,
        )

    def on(self, at: NDArray[np.int64], size: int) -> StrategyPnl:
        """The sums of sessions `at` (T,) on `size` days, where those of several exchanges add up.

        On a day without session nothing is gained, and what is outstanding stays so.
        """
        session = np.searchsorted(at, np.arange(size), side="right") - 1
        open_ = np.isin(np.arange(size), at)
        return StrategyPnl(
            *(np.where(open_, part[session], 0.0) for part in (self.profit, self.market)),
            *(
                np.where(session >= 0, part[session], 0.0)
                for part in (self.capital_deployed, self.gross_exposure, self.net_exposure)
            ),
        )


def follow(position: Floats, returns: Floats, horizon: int, cost: float = COST) -> StrategyPnl:
    """Follow recommendations (symbols, T), NaN where none was given, through daily returns.

    Column t of the result holds what the tranches of the decision sessions t - horizon .. t - 1
    made between the closes of t - 1 and t; it uses nothing later.
    """
    given = ~np.isnan(position)
    side = np.where(given, position, 0.0)
    sums = [np.zeros(position.shape[1]) for _ in range(5)]
    profit, market, capital_deployed, gross_exposure, net_exposure = sums
    for age in range(1, min(horizon, position.shape[1] - 1) + 1):
        then, now = slice(None, -age), slice(age, None)
        profit[now] += (side[:, then] * returns[:, now]).sum(axis=0)
        market[now] += (given[:, then] * returns[:, now]).sum(axis=0)
        capital_deployed[now] += given[:, then].sum(axis=0)
        held = np.abs(side[:, then]).sum(axis=0)
        gross_exposure[now] += held
        net_exposure[now] += side[:, then].sum(axis=0)
        if age == 1:
            profit[now] -= cost * held
    return StrategyPnl(*(total / horizon for total in sums))


def daily_returns(following: StrategyPnl) -> tuple[Floats, Floats]:
    """(strategy, its own symbols held in equal parts), simple returns (T,), NaN without any."""
    capital_deployed = np.where(following.capital_deployed > 0, following.capital_deployed, np.nan)
    return following.profit / capital_deployed, following.market / capital_deployed
