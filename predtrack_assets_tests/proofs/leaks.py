"""Ten ways of looking ahead and two more, each a change to one named function of the pipeline."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.forecasts import predict
from predtrack_assets.domain.market import conditions
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.market.returns import forward_returns
from predtrack_assets.domain.models.as_of_statistics import Statistics
from predtrack_assets.domain.models.learners.training_data import TrainingData
from predtrack_assets.services.features import feature_days
from predtrack_assets.services.forecasts import forecast_days
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.market import epochs

Plant = Callable[[pytest.MonkeyPatch], None]
PRICES = ("high", "low", "close")


def _panels(change: Callable[[Panel], Panel]) -> Plant:
    """Predictions are made from a changed panel."""
    honest = forecast_days.read_panel

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(forecast_days, "read_panel", lambda *read: change(honest(*read)))

    return plant


def _statistics(change: Callable[[Panel, Statistics], Statistics]) -> Plant:
    """Predictions are made from changed as-of statistics."""
    honest = predict.as_of_statistics

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(predict, "as_of_statistics", lambda panel: change(panel, honest(panel)))

    return plant


def _prices(panel: Panel, change: Callable[[np.ndarray], np.ndarray]) -> Panel:
    return dataclasses.replace(panel, **{name: change(getattr(panel, name)) for name in PRICES})


def _features(change: Callable[[Panel, np.ndarray, np.ndarray], np.ndarray]) -> Plant:
    """Stored features are changed: values (symbols, days, features) of the days asked for."""
    honest = feature_days.compute_features

    def changed(panel: Panel, context: Any, days: np.ndarray) -> np.ndarray:
        return change(panel, days, honest(panel, context, days))

    return lambda patch: patch.setattr(feature_days, "compute_features", changed)


def _scaled(panel: Panel, days: np.ndarray, values: np.ndarray) -> np.ndarray:
    return values / (1 + np.nan_to_num(np.abs(values)).max(axis=1, keepdims=True))


def _centred(panel: Panel) -> Panel:
    def mean(prices: np.ndarray) -> np.ndarray:
        smooth = prices.copy()
        smooth[:, 1:-1] = (prices[:, :-2] + prices[:, 1:-1] + prices[:, 2:]) / 3
        return smooth

    return _prices(panel, mean)


def _adjusted(panel: Panel) -> Panel:
    """Prices divided by all splits after them, known or not."""
    later = np.cumprod(panel.split[:, ::-1], axis=1)[:, ::-1] / panel.split
    return dataclasses.replace(
        _prices(panel, lambda prices: prices / later), split=np.ones_like(panel.split)
    )


def _label(panel: Panel, days: np.ndarray, values: np.ndarray) -> np.ndarray:
    values[:, :, 0] = forward_returns(panel, 1)[:, np.searchsorted(panel.sessions, days)]
    return values


def _filled_backward(panel: Panel) -> Panel:
    def fill(prices: np.ndarray) -> np.ndarray:
        filled = prices.copy()
        filled[:, :-1] = np.where(np.isnan(prices[:, :-1]), prices[:, 1:], prices[:, :-1])
        return filled

    return _prices(panel, fill)


def _winners(panel: Panel) -> Panel:
    """Symbols in the order of what they earn over the last ten sessions of the run."""
    earned = panel.close[:, -1] / panel.close[:, -11]
    order = np.argsort(np.where(np.isfinite(earned), earned, -np.inf))
    matrices = {n: getattr(panel, n)[order] for n in (*PRICES, "split", "dividend", "known_day")}
    return dataclasses.replace(panel, **matrices)


def _clipped(panel: Panel, statistics: Statistics) -> Statistics:
    low, high = np.nanquantile(statistics.sigma, [0.4, 0.6])
    return dataclasses.replace(statistics, sigma=np.clip(statistics.sigma, low, high))


def _refitted(panel: Panel, statistics: Statistics) -> Statistics:
    """A parameter fitted once, on all the days of the run."""
    slope = np.nanmean(np.diff(np.log(panel.close), axis=1), axis=1, keepdims=True)
    return dataclasses.replace(statistics, drift=np.broadcast_to(slope, panel.close.shape))


def _whole_training_data(patch: pytest.MonkeyPatch) -> None:
    """Fits learn from rows and labels of after their cutoff."""
    patch.setattr(TrainingData, "known_by", lambda data, cutoff: data)


def _smoothed_regime(patch: pytest.MonkeyPatch) -> None:
    honest = conditions._regime

    def smoothed(*arguments: Any) -> np.ndarray:
        regime = honest(*arguments)
        return np.append(regime[1:], regime[-1:])

    patch.setattr(conditions, "_regime", smoothed)


LATEST_MEMBERS = Query(
    "SELECT symbol FROM market.universe_members WHERE end_date IS NULL AND symbol = ANY(:symbols)"
)


def _latest_membership(patch: pytest.MonkeyPatch) -> None:
    honest = forecast_days.symbol_groups

    def of_today(transaction: Any, *arguments: Any, **options: Any) -> list[Any]:
        return [
            (exchange, transaction.read(LATEST_MEMBERS, symbols=names)["symbol"].sort().to_list())
            for exchange, names in honest(transaction, *arguments, **options)
        ]

    patch.setattr(forecast_days, "symbol_groups", of_today)


def _corrected_prices(patch: pytest.MonkeyPatch) -> None:
    """Every bar in its latest revision."""
    latest = Query(epochs.market_queries.BARS_AS_OF.source.replace(":as_of", "'infinity'"))
    honest = forecast_days.read_panel

    def of_today(
        transaction: Any, symbols: list[str], exchange: Any, first: date, epoch: Any
    ) -> Panel:
        panel = honest(transaction, symbols, exchange, first, epoch)
        bars = transaction.read(latest, symbols=symbols, first=first, last=epoch.last)
        none = pl.DataFrame(
            schema={"symbol": pl.String, "ex_date": pl.Date, "kind": pl.String, "value": pl.Float64}
        )
        return epochs.build_panel(bars, none, panel.sessions)

    patch.setattr(forecast_days, "read_panel", of_today)


LEAKS: dict[str, Plant] = {
    "whole-sample scaling": _features(_scaled),
    "centred window": _panels(_centred),
    "future-adjusted price": _panels(_adjusted),
    "label in the features": _features(_label),
    "smoothed regime": _smoothed_regime,
    "latest membership": _latest_membership,
    "forward fill from the future": _panels(_filled_backward),
    "sort by outcome": _panels(_winners),
    "global quantile": _statistics(_clipped),
    "refit on later data": _whole_training_data,
    "a parameter fitted on the whole run": _statistics(_refitted),
    "corrections before they were seen": _corrected_prices,
}
