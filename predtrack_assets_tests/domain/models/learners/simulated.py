"""Training data of simulated markets in which it is known what can be predicted."""

from __future__ import annotations

from typing import Any

import numpy as np

from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.models.as_of_statistics import as_of_statistics
from predtrack_assets.domain.models.labels import LABELS, label
from predtrack_assets.domain.models.learners.pooled import FAMILIES
from predtrack_assets.domain.models.learners.training_data import TrainingData
from predtrack_assets_tests.builders.panels import XNYS

HORIZONS = (1, 5)


def simulated(
    *,
    symbols: int = 4,
    sessions: int = 700,
    features: int = 6,
    signal: float = 0.0,
    persistence: float = 0.0,
    seed: int = 0,
    horizons: tuple[int, ...] = HORIZONS,
) -> TrainingData:
    """Random walks with `features` columns: `signal`, `volatility_now` and noise.

    signal: by how many standard deviations tomorrow's return is moved by the column of that name,
    a slow autoregression. persistence: standard deviation of the daily change of log volatility,
    which `volatility_now` shows. A tenth of the values of the noise columns is missing.
    """
    random = np.random.default_rng(seed)
    shape = (symbols, sessions)
    known = _autoregression(random.normal(size=shape), 0.8)
    deviation = 0.02 * np.exp(_autoregression(random.normal(size=shape), 0.95) * persistence)
    returns = deviation * random.normal(size=shape)
    returns[:, 1:] += signal * deviation[:, 1:] * known[:, :-1]
    close = 50 * np.exp(np.cumsum(returns, axis=1))
    swing = np.exp(np.abs(random.normal(0, 0.005, shape)))
    one, days = np.ones(shape), XNYS.sessions[-sessions:]
    panel = Panel(
        symbols=np.array([f"S{i:02d}" for i in range(symbols)]),
        sessions=days,
        open=close,
        high=close * swing,
        low=close / swing,
        close=close,
        volume=one,
        split=one,
        dividend=0 * one,
        known_day=np.broadcast_to(days, shape),
    )
    statistics = as_of_statistics(panel)
    column, row = np.nonzero(np.isfinite(statistics.sigma).T)
    x = random.normal(size=(len(row), features))
    x[random.random(x.shape) < 0.1] = np.nan
    x[:, 0], x[:, 1] = known[row, column], deviation[row, column]
    found = {(name, h): label(panel, statistics, name, h) for name in LABELS for h in horizons}
    return TrainingData(
        features=x,
        columns=("signal", "volatility_now", *(f"noise_{i}" for i in range(features - 2))),
        day=days[column],
        symbol=panel.symbols[row],
        sigma=statistics.sigma[row, column],
        drift=statistics.drift[row, column],
        labels={
            key: (made.value[row, column], made.end[row, column]) for key, made in found.items()
        },
    )


def all_of(position: int, data: TrainingData, cutoff: np.datetime64) -> dict[str, Any]:
    """Choices of the family at `position` (0 simplest) for every kind."""
    return {
        "cutoff": str(cutoff),
        "columns": list(data.columns),
        "families": {
            kind: {str(h): families[position] for h in HORIZONS}
            for kind, families in FAMILIES.items()
        },
        "calibration": {str(h): [0.1, 0.8] for h in HORIZONS},
        "scores": [],
    }


def _autoregression(shocks: np.ndarray, memory: float) -> np.ndarray:
    """AR(1) of unit variance along the sessions."""
    result = shocks.copy()
    for t in range(1, shocks.shape[1]):
        result[:, t] = memory * result[:, t - 1] + np.sqrt(1 - memory**2) * shocks[:, t]
    return result
