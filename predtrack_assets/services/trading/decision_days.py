"""Signals and target weights of given days: each strategy on the days on which it rebalances."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.days import Window, sessions_of
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.trading.allocation.weights import target_weights
from predtrack_assets.domain.trading.rebalancing import rebalancing_days
from predtrack_assets.domain.trading.strategies.strategy import Strategy
from predtrack_assets.domain.trading.strategies.view import Signals, View
from predtrack_assets.services.trading.market_history import MarketHistory, read_history
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market.epochs import market_epochs
from predtrack_assets.warehouse.trading import book_inputs
from predtrack_assets.warehouse.trading import strategies as store

SIGNALS = pl.Schema(
    {
        "trading_day": pl.Date,
        "strategy_id": pl.String,
        "symbol": pl.String,
        "score": pl.Float64,
        "direction": pl.Int16,
        "probability": pl.Float64,
    }
)
WEIGHTS = pl.Schema(
    {"trading_day": pl.Date, "strategy_id": pl.String, "symbol": pl.String, "weight": pl.Float64}
)


@dataclass(frozen=True)
class Decision:
    """Signals and target weights of a strategy on a day."""

    strategy: Strategy
    view: View
    signals: Signals
    weights: NDArray[np.float64]

    @property
    def signal_rows(self) -> pl.DataFrame:
        """In the columns of trading.signals."""
        rows = {
            "symbol": self.view.symbols.astype(str),
            "score": self.signals.score,
            "direction": self.signals.direction,
            "probability": self.signals.probability,
        }
        frame = pl.DataFrame(rows).with_columns(pl.col("score", "probability").fill_nan(None))
        return self._keyed(frame).select(SIGNALS.names()).cast(SIGNALS)

    @property
    def weight_rows(self) -> pl.DataFrame:
        """In the columns of trading.target_weights, those that are not 0."""
        frame = pl.DataFrame({"symbol": self.view.symbols.astype(str), "weight": self.weights})
        frame = self._keyed(frame.filter(pl.col("weight") != 0))
        return frame.select(WEIGHTS.names()).cast(WEIGHTS)

    def _keyed(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(
            pl.lit(self.view.day).alias("trading_day"),
            pl.lit(self.strategy.strategy_id).alias("strategy_id"),
        )


def decision_days(
    transaction: Transaction, asked: Window, strategies: Sequence[Strategy], settings: Settings
) -> Iterator[Decision]:
    """Decisions of the trading days of `asked`, day by day, from what was known at each day's end.

    A strategy that never decided begins with the first of these days; none decides before its first.
    """
    due = _due(transaction, asked, strategies, settings)
    if not due:
        return
    lookback = max(strategy.lookback for strategy in strategies)
    members = {s.universe: _members(transaction, s.universe) for s in strategies}
    for epoch in market_epochs(transaction, asked.days, asked.opens):
        wanted = {day: due[day] for day in epoch.days.tolist() if day in due}
        if not wanted:
            continue
        history = read_history(transaction, epoch, lookback, settings)
        if history is None:
            continue
        known = _forecasts(transaction, wanted)
        for day, of_day in wanted.items():
            forecasts, champions = known(day)
            for strategy in of_day:
                inside = _inside(history, members[strategy.universe], day)
                view = history.view(day, strategy.lookback, inside, forecasts, champions)
                if view.symbols.size:
                    signals = strategy.signals(view, strategy.parameters)
                    weights = target_weights(signals, view, strategy.allocation)
                    yield Decision(strategy, view, signals, weights)


def _due(
    transaction: Transaction, asked: Window, strategies: Sequence[Strategy], settings: Settings
) -> dict[date, list[Strategy]]:
    """The strategies that rebalance on each day."""
    days = asked.days
    if not len(days):
        return {}
    following = _following(days, settings)
    began = dict(transaction.read(store.FIRST_DECISIONS).iter_rows())
    due: dict[date, list[Strategy]] = {}
    for strategy in strategies:
        first = began.get(strategy.strategy_id, days[0].item())
        at = rebalancing_days(days, following, first, strategy.rebalance)
        for day in days[at & (days >= np.datetime64(first))].tolist():
            due.setdefault(day, []).append(strategy)
    return dict(sorted(due.items()))


def _following(days: Days, settings: Settings) -> Days:
    """The trading day after each."""
    sessions = sessions_of(settings.exchanges)
    return sessions[np.minimum(np.searchsorted(sessions, days) + 1, len(sessions) - 1)]


def _members(transaction: Transaction, universe: str) -> pl.DataFrame | None:
    """Memberships of a universe; None for everything."""
    if not universe:
        return None
    return transaction.read(book_inputs.MEMBERSHIPS, universe=universe)


def _inside(history: MarketHistory, members: pl.DataFrame | None, day: date) -> NDArray[np.bool_]:
    """Which of the symbols belong to a universe on a day."""
    if members is None:
        return np.ones(history.panel.symbols.size, dtype=bool)
    of_day = members.filter((pl.col("first") <= day) & (pl.col("last") >= day))
    return np.isin(history.panel.symbols.astype(str), of_day["symbol"].to_numpy().astype(str))


def _forecasts(
    transaction: Transaction, wanted: dict[date, list[Strategy]]
) -> Callable[[date], tuple[pl.DataFrame, dict[tuple[str, int], str]]]:
    """A function from a day to its predictions and champions, of what its strategies ask for."""
    asks = {
        (str(s.parameters["kind"]), int(s.parameters["horizon"]))
        for of_day in wanted.values()
        for s in of_day
        if {"kind", "horizon"} <= s.parameters.keys()
    }
    days = [d for d, of_day in wanted.items() if any("kind" in s.parameters for s in of_day)]
    kinds, horizons = sorted({k for k, _ in asks}), sorted({h for _, h in asks})
    asked = {"days": days, "kinds": kinds, "horizons": horizons}
    frame = transaction.read(store.FORECASTS_OF, **asked)
    champions = transaction.read(store.CHAMPIONS_OF, **asked).drop_nulls("model_id")

    def of(day: date) -> tuple[pl.DataFrame, dict[tuple[str, int], str]]:
        in_force = champions.filter(pl.col("day") == day).drop("day").iter_rows()
        return (
            frame.filter(pl.col("trading_day") == day),
            {(kind, horizon): model for kind, horizon, model in in_force},
        )

    return of
