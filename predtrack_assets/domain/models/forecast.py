"""What a model is given and what it returns: cells, and a distribution per cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from predtrack_assets.domain.models.as_of_statistics import EmpiricalCounts
from predtrack_assets.domain.statistics.first_passage import normal_cdf

QUANTILE_LEVELS = np.array([0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95])
QUANTILE_NAMES = ("q05", "q10", "q25", "q50", "q75", "q90", "q95")


@dataclass(frozen=True)
class Cells:
    """Inputs of one horizon, arrays of shape (cells,): price, sigma, drift as of the day, tallies.

    features: float64 (cells, f), for models that are fitted to them; a row of NaN: none known.
    """

    horizon: int
    price: np.ndarray
    sigma: np.ndarray
    drift: np.ndarray
    unconditional: EmpiricalCounts
    conditional: EmpiricalCounts
    features: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Cells:
        """The cells of a boolean mask or of numbers."""
        features = None if self.features is None else self.features[rows]
        arrays = (self.price[rows], self.sigma[rows], self.drift[rows])
        return Cells(
            self.horizon,
            *arrays,
            self.unconditional.take(rows),
            self.conditional.take(rows),
            features,
        )

    @property
    def spread(self) -> np.ndarray:
        """sigma sqrt(h), the standard deviation of ln(S_T / S0) without drift."""
        return self.sigma * np.sqrt(self.horizon)


@dataclass(frozen=True)
class Forecast:
    """What a model says of each cell.

    quantiles: (cells, 7) of ln(S_T / S0). p_within_5pct, p_within_band: that the price ends
    within 5 % of the median, within sigma sqrt(h) of it. p_up: that S_T > S0. side: +1 when the
    target lies one sigma sqrt(h) above S0, -1 below. p_hit and hit_days: of that target.
    volatility: expected standard deviation of the daily log returns over the horizon, (cells,);
    None where the model does not predict it.
    """

    quantiles: np.ndarray
    p_within_5pct: np.ndarray
    p_within_band: np.ndarray
    p_up: np.ndarray
    side: np.ndarray
    p_hit: np.ndarray
    hit_days: np.ndarray
    volatility: np.ndarray | None = None


def target_price(cells: Cells, side: np.ndarray) -> np.ndarray:
    """The barrier of a time-to-hit prediction: one sigma sqrt(h) above (+1) or below (-1) S0."""
    return cells.price * np.exp(side * cells.spread)


def band_5pct(median: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds on ln(S_T / S0) within which abs(predicted - actual) <= 5 % of actual."""
    return median - np.log(1.05), median - np.log(0.95)


def no_change_within_5pct(median: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Probability that the no-change forecaster gives to a prediction's own within_5pct event.

    median: ln(predicted price / S0). spread: sigma sqrt(h).
    """
    low, high = band_5pct(median)
    return normal_cdf(high / spread) - normal_cdf(low / spread)


def normal_quantiles(mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Quantiles (cells, 7) of a normal distribution of ln(S_T / S0)."""
    from scipy.special import ndtri

    return mean[:, None] + spread[:, None] * ndtri(QUANTILE_LEVELS)


def cdf(quantiles: np.ndarray, x: np.ndarray) -> np.ndarray:
    """P(X <= x), (n,), of distributions given by quantiles (n, 7) at QUANTILE_LEVELS; x: (n,).

    Normal scores are joined by straight lines, the outer ones prolonged: normal tails.
    """
    from scipy.special import ndtri

    scores = ndtri(QUANTILE_LEVELS)
    segment = np.clip((quantiles <= x[:, None]).sum(axis=1) - 1, 0, len(scores) - 2)
    row = np.arange(len(x))
    left, right = quantiles[row, segment], quantiles[row, segment + 1]
    width = np.maximum(right - left, 1e-12)
    score = scores[segment] + (x - left) / width * (scores[segment + 1] - scores[segment])
    return normal_cdf(np.clip(score, -40.0, 40.0))
