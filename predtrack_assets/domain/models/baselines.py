"""The built-in models: three baselines and one simple forecaster, each a function of as-of statistics.

A model turns the cells of one horizon (a symbol on a decision day) into the fields of its
predictions. Nothing is fitted ahead of time: every parameter is a statistic of the symbol's own
past as known on the day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from predtrack_assets.domain.models.as_of_statistics import BINS, EDGES, EmpiricalCounts
from predtrack_assets.domain.models.forecast import (
    QUANTILE_LEVELS,
    Cells,
    Forecast,
    band_5pct,
    normal_quantiles,
    target_price,
)
from predtrack_assets.domain.models.kinds import KINDS, WITH_EVENT
from predtrack_assets.domain.statistics.first_passage import (
    expected_hit_time,
    hit_probability,
    normal_cdf,
)

PRIOR_DECISIONS = 50.0  # weight of the normal prior in an empirical distribution
POOLING = 100.0  # weight of all states beside the present one


@dataclass(frozen=True)
class Model:
    """A registered model version. kinds: the predictions that it makes."""

    name: str
    role: str
    description: str
    forecast: Callable[[Cells], Forecast]
    version: int = 1
    kinds: tuple[str, ...] = WITH_EVENT

    @property
    def model_id(self) -> str:
        """Identity of the version; baselines are known by their bare name."""
        return self.name if self.role == "baseline" else f"{self.name}-v{self.version}"


def _normal_forecast(cells: Cells, mean: np.ndarray, passage_drift: np.ndarray) -> Forecast:
    spread = cells.spread
    low, high = band_5pct(mean)
    p_up = normal_cdf(mean / spread)
    side = np.where(p_up >= 0.5, 1.0, -1.0)
    distance = np.log(target_price(cells, side) / cells.price)
    return Forecast(
        quantiles=normal_quantiles(mean, spread),
        p_within_5pct=normal_cdf((high - mean) / spread) - normal_cdf((low - mean) / spread),
        p_within_band=np.full_like(spread, normal_cdf(np.array(1.0)) - normal_cdf(np.array(-1.0))),
        p_up=p_up,
        side=side,
        p_hit=hit_probability(distance, cells.sigma, cells.horizon, passage_drift),
        hit_days=expected_hit_time(distance, cells.sigma, cells.horizon, passage_drift),
    )


def no_change(cells: Cells) -> Forecast:
    """The price stays: normal around S0, a coin for the direction, a driftless price for the touch.

    Volatility stays as well: it is sigma.
    """
    still = _normal_forecast(cells, np.zeros_like(cells.price), -(cells.sigma**2) / 2)
    return replace(still, volatility=cells.sigma)


def drift(cells: Cells) -> Forecast:
    """The price goes on as it did on average over the last year."""
    return _normal_forecast(cells, cells.drift * cells.horizon, cells.drift)


def climatology(cells: Cells) -> Forecast:
    """The past distribution of the symbol's own standardised returns, whatever its state."""
    return _empirical_forecast(
        cells, cells.unconditional, _prior() * PRIOR_DECISIONS, PRIOR_DECISIONS
    )


def filtered_history(cells: Cells) -> Forecast:
    """Past returns scaled by volatility, from days in the same state, pooled with all days.

    Filtered historical simulation (Barone-Adesi, Giannopoulos, Vosper 1999) conditioned on the
    signs of the last month's and the last week's return.
    """
    unconditional = cells.unconditional
    base = unconditional.bins + PRIOR_DECISIONS * _prior()
    base = base / base.sum(axis=1, keepdims=True)
    return _empirical_forecast(cells, cells.conditional, base * POOLING, POOLING)


def _prior() -> np.ndarray:
    mass = np.diff(normal_cdf(EDGES))
    return mass / mass.sum()


def base_rates(tally: EmpiricalCounts, side: np.ndarray) -> dict[str, np.ndarray]:
    """As-of base rates of the three events, with Laplace's rule of succession."""
    hits = np.where(side > 0, tally.above, tally.below)
    return {
        "within_5pct": (tally.within + 1) / (tally.decisions + 2),
        "up": (tally.up + 1) / (tally.decisions + 2),
        "hit": (hits + 1) / (tally.decisions + 2),
    }


def _empirical_forecast(
    cells: Cells, tally: EmpiricalCounts, prior_bins: np.ndarray, prior_weight: float
) -> Forecast:
    """A forecast from binned standardised returns plus prior mass of `prior_weight` decisions."""
    mass = tally.bins + prior_bins
    cdf = np.cumsum(mass, axis=1)
    cdf /= cdf[:, -1:]
    spread = cells.spread
    scaled = np.stack([_quantile(cdf, level) for level in QUANTILE_LEVELS], axis=1)
    quantiles = scaled * spread[:, None]
    median = scaled[:, 3]
    low, high = band_5pct(quantiles[:, 3])
    p_up = 1.0 - _cdf_at(cdf, np.zeros_like(spread))
    side = np.where(p_up >= 0.5, 1.0, -1.0)

    unconditional = cells.unconditional
    touch = np.where(side > 0, unconditional.above, unconditional.below)
    base_hit = (touch + 1) / (unconditional.decisions + 2)
    hits = np.where(side > 0, tally.above, tally.below)
    days = np.where(side > 0, tally.above_days, tally.below_days)
    prior_days = 0.6 * cells.horizon + 0.4
    return Forecast(
        quantiles=quantiles,
        p_within_5pct=_cdf_at(cdf, high / spread) - _cdf_at(cdf, low / spread),
        p_within_band=_cdf_at(cdf, median + 1) - _cdf_at(cdf, median - 1),
        p_up=p_up,
        side=side,
        p_hit=(hits + prior_weight * base_hit) / (tally.decisions + prior_weight),
        hit_days=np.clip((days + 10 * prior_days) / (hits + 10), 1, cells.horizon),
    )


def _quantile(cdf: np.ndarray, level: float) -> np.ndarray:
    """The level's quantile of each row of a binned distribution, linear within its bin."""
    index = (cdf >= level).argmax(axis=1)
    row = np.arange(len(cdf))
    below = np.where(index > 0, cdf[row, np.maximum(index - 1, 0)], 0.0)
    share = (level - below) / (cdf[row, index] - below)
    return EDGES[index] + share * (EDGES[index + 1] - EDGES[index])


def _cdf_at(cdf: np.ndarray, x: np.ndarray) -> np.ndarray:
    """P(X <= x) of each row of a binned distribution, linear within its bin."""
    index = np.clip(np.searchsorted(EDGES, x, side="left") - 1, 0, BINS - 1)
    row = np.arange(len(cdf))
    below = np.where(index > 0, cdf[row, np.maximum(index - 1, 0)], 0.0)
    share = np.clip((x - EDGES[index]) / (EDGES[index + 1] - EDGES[index]), 0.0, 1.0)
    return below + share * (cdf[row, index] - below)


MODELS: tuple[Model, ...] = (
    Model(
        "no_change",
        "baseline",
        "The price stays where it is; spread from EWMA volatility.",
        no_change,
        kinds=tuple(KINDS),
    ),
    Model(
        "drift", "baseline", "The price goes on at its mean pace of the last 250 sessions.", drift
    ),
    Model("climatology", "baseline", "The symbol's own past, unconditionally.", climatology),
    Model(
        "filtered_history",
        "candidate",
        "Volatility-scaled past returns from days in the same momentum state, pooled with all days.",
        filtered_history,
    ),
)

BASELINES = frozenset(model.model_id for model in MODELS if model.role == "baseline")
