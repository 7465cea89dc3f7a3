"""Target weights of a day, by the method that a strategy names."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.trading.strategies.view import Signals, View

WINDOW = 252  # days of the covariance
MICRO = 1e6


class Chosen(NamedTuple):
    """The symbols that a strategy is long or short in: daily returns (n, T) and probability (n,)."""

    returns: Floats
    probability: Floats


def target_weights(signals: Signals, view: View, method: str) -> Floats:
    """Signed shares of equity (S,), in millionths, whose sizes sum to at most the exposure.

    method: one of METHODS, over the symbols with a direction. Where the signals hedge, the weights
    follow the hedge instead. Raises KeyError for an unknown method.
    """
    held = np.flatnonzero(signals.direction)
    weights = np.zeros(view.symbols.size)
    if held.size and signals.exposure > 0:
        if signals.hedge is None:
            chosen = Chosen(view.returns[held, -WINDOW:], signals.probability[held])
            shares = METHODS[method](chosen)
        else:
            shares = np.abs(signals.hedge[held])
            shares = shares / max(shares.sum(), 1e-12)
        weights[held] = shares * signals.direction[held] * signals.exposure
    return np.trunc(weights * MICRO) / MICRO


def equal_weight(chosen: Chosen) -> Floats:
    """1 / n each."""
    return np.full(len(chosen.returns), 1.0 / len(chosen.returns))


def inverse_volatility(chosen: Chosen) -> Floats:
    """In proportion to 1 / standard deviation of the daily returns."""
    from predtrack_assets.domain.trading.allocation.covariance import shrunk_covariance

    inverse = 1.0 / np.sqrt(np.diag(_positive(shrunk_covariance(chosen.returns))))
    return inverse / _sum(inverse)


def hrp(chosen: Chosen) -> Floats:
    """Hierarchical risk parity over the shrunk covariance."""
    from predtrack_assets.domain.trading.allocation.covariance import shrunk_covariance
    from predtrack_assets.domain.trading.allocation.hierarchical_risk_parity import (
        hierarchical_risk_parity,
    )

    return hierarchical_risk_parity(_positive(shrunk_covariance(chosen.returns)))


def minimum_variance(chosen: Chosen) -> Floats:
    """The least variance with at most 40 % in one symbol, where there are enough of them."""
    from predtrack_assets.domain.trading.allocation import mean_variance
    from predtrack_assets.domain.trading.allocation.covariance import shrunk_covariance

    return mean_variance.minimum_variance(_positive(shrunk_covariance(chosen.returns)), 0.4)


def by_probability(chosen: Chosen) -> Floats:
    """In proportion to 2p - 1, what a fair bet at even odds would stake; nothing at p <= 1/2.

    The rest stays in cash: all of it is deployed where every p is 1.
    """
    edge = np.maximum(2.0 * np.nan_to_num(chosen.probability, nan=0.5) - 1.0, 0.0)
    return edge / max(len(edge), 1)


METHODS: dict[str, Callable[[Chosen], Floats]] = {
    "equal_weight": equal_weight,
    "inverse_volatility": inverse_volatility,
    "hrp": hrp,
    "minimum_variance": minimum_variance,
    "by_probability": by_probability,
}


def _positive(covariance: Floats) -> Floats:
    """With a variance of at least a millionth of a percent, of what never moved."""
    covariance[np.diag_indices_from(covariance)] += 1e-12
    return covariance


def _sum(values: Floats) -> float:
    """In the order of the values."""
    total = 0.0
    for value in values.tolist():
        total += value
    return total
