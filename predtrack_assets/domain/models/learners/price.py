"""Quantiles of ln(S_T / S_0): location from the direction, spread from volatility, shape from history.

Standardised return = spread(x) (residual + location(x)), where the location is that at which the
price rises with exactly p_up: the median and the direction cannot contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS
from predtrack_assets.domain.models.learners.fields import field, numbers
from predtrack_assets.domain.models.learners.volatility import FAMILIES as SPREADS
from predtrack_assets.domain.models.learners.volatility import Volatility

FAMILIES = ("empirical", *SPREADS[1:])
"""Simplest first: one spread for all, then those of the volatility models."""

GRID = np.arange(1, 200) / 200
"""Levels at which the distribution of residuals is kept, linear in between."""


@dataclass(frozen=True)
class Price:
    """Residual quantiles at GRID, float64 (199,), and the volatility that scales them, if any."""

    shape: np.ndarray
    spread: Volatility | None

    @property
    def used(self) -> tuple[int, ...]:
        """Numbers of the columns that matter to the spread."""
        return () if self.spread is None else self.spread.used

    def quantiles(self, x: np.ndarray, p_up: np.ndarray, widening: float = 0.0) -> np.ndarray:
        """Ordered quantiles (n, 7) of ln(S_T / S_0) / (sigma sqrt(h)) at QUANTILE_LEVELS.

        widening: logarithm of a factor on the spread.
        """
        spread = _spread(self.spread, x) * np.exp(widening)
        at_zero = np.interp(1.0 - p_up, GRID, self.shape)
        residual = np.interp(QUANTILE_LEVELS, GRID, self.shape)
        result = np.empty((len(x), len(residual)))
        for level, value in enumerate(residual):
            result[:, level] = spread * (value - at_zero)
        return result

    def residuals(self, x: np.ndarray, z: np.ndarray, p_up: np.ndarray) -> np.ndarray:
        """What z (n,) leaves when spread and location are taken out: `shape` is its distribution."""
        return z / _spread(self.spread, x) + np.interp(1.0 - p_up, GRID, self.shape)

    def to_json(self) -> dict[str, Any]:
        """The shape and the spread."""
        spread = None if self.spread is None else self.spread.to_json()
        return {"shape": self.shape.tolist(), "spread": spread}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], width: int) -> Price:
        """The inverse; raises ValueError."""
        shape = numbers(data, "shape", len(GRID))
        if (np.diff(shape) < 0).any():
            raise ValueError("field 'shape' is not ascending")
        spread = field(data, "spread", object)
        return cls(shape, None if spread is None else Volatility.from_json(spread, width))


def fit_price(spread: Volatility | None, x: np.ndarray, z: np.ndarray, p_up: np.ndarray) -> Price:
    """The distribution of z (n,) given its spread and P(z > 0) = p_up (n,).

    The residuals are found in two passes: location needs their shape, and they the location.
    """
    scaled = z / _spread(spread, x)
    shape = np.quantile(scaled, GRID)
    for _ in range(2):
        shape = np.quantile(scaled + np.interp(1.0 - p_up, GRID, shape), GRID)
    return Price(np.maximum.accumulate(shape), spread)


def _spread(volatility: Volatility | None, x: np.ndarray) -> np.ndarray:
    if volatility is None:
        return np.ones(len(x))
    return np.exp(volatility.log_variance(x) / 2)
