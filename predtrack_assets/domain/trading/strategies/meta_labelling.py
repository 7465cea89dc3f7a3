"""Meta-labelling: momentum's side, taken as far as it has been right (Lopez de Prado 2018, chapter 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.trading.strategies.view import Signals, View

YEAR, QUARTER, MONTH = 252, 63, 21
EVERY = 5  # days between two decisions to learn from
MIN_LABELS = 100
PENALTY = 10.0


def meta_momentum(view: View, parameters: Mapping[str, Any]) -> Signals:
    """Long what has risen over a year without its last month, where that is likelier right than not.

    P(right) is a logistic regression on past decisions of the same side, labelled by three barriers
    (one standard deviation of a month up or down, or a month) that ended by the end of the month
    before: nothing that reaches past it is learned from. Features: the momentum and the last
    month, both in standard deviations, and recent over usual volatility.
    """
    from predtrack_assets.domain.trading.strategies.triple_barrier import logistic

    features, labels = _decisions(view, view.previous_month_end)
    size, last = view.symbols.size, view.returns.shape[1] - 1
    nan = np.full(size, np.nan)
    now = np.array([_features(view.returns[row], last) for row in range(size)])
    score = now[:, 1]
    if labels.size < MIN_LABELS or not 0 < labels.mean() < 1:
        return Signals(score, np.zeros(size, np.int8), nan)
    fitted = logistic(features, labels, PENALTY)
    linear = np.zeros(size)
    for column, coefficient in enumerate(fitted.tolist()):
        linear = linear + now[:, column] * coefficient
    probability = np.array([1 / (1 + math.exp(-min(max(x, -700.0), 700.0))) for x in linear])
    held = (score > 0) & (probability > 0.5)
    return Signals(score, held.astype(np.int8), np.where(score > 0, probability, np.nan))


def _decisions(view: View, until: int) -> tuple[Floats, Floats]:
    """Features (N, 4) and labels (N,) of past decisions whose label had ended by column `until`."""
    from predtrack_assets.domain.trading.strategies.triple_barrier import triple_barrier

    rows, labels = [], []
    for symbol in range(view.symbols.size):
        returns, high, low = view.returns[symbol], view.high[symbol], view.low[symbol]
        for start in range(YEAR, until, EVERY):
            features = _features(returns, start)
            if not features[1] > 0:
                continue
            width = float(features[4]) * np.sqrt(MONTH)
            label, end = triple_barrier(returns, high, low, start, MONTH, width)
            if np.isfinite(label) and end <= until:
                rows.append(features[:4])
                labels.append(label)
    return np.array(rows).reshape(-1, 4), np.array(labels)


def _features(returns: Floats, at: int) -> Floats:
    """Constant, momentum, last month, recent over usual volatility, and the quarter's deviation a day."""
    year, quarter = returns[at - YEAR + 1 : at + 1], returns[at - QUARTER + 1 : at + 1]
    if at < YEAR - 1 or np.isnan(year).any():
        return np.full(5, np.nan)
    usual, recent = _deviation(year), _deviation(quarter)
    past, month = _total(year[:-MONTH]), _total(year[-MONTH:])
    return np.array(
        [
            1.0,
            past / (usual * np.sqrt(YEAR)),
            month / (usual * np.sqrt(MONTH)),
            recent / usual,
            recent,
        ]
    )


def _deviation(values: Floats) -> float:
    """Root mean square, in the order of the values, at least a millionth."""
    total = 0.0
    for value in values.tolist():
        total += value * value
    return float(max(np.sqrt(total / values.size), 1e-6))


def _total(values: Floats) -> float:
    wealth = 1.0
    for value in values.tolist():
        wealth *= 1.0 + value
    return wealth - 1.0
