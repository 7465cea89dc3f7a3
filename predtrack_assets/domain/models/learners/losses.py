"""The score of each kind of prediction on given examples, lower is better."""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS, normal_quantiles
from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.domain.models.learners import time_to_hit
from predtrack_assets.domain.models.learners.pooled import Correction, HorizonModels
from predtrack_assets.domain.models.learners.training_data import Examples
from predtrack_assets.domain.statistics.first_passage import hit_probability
from predtrack_assets.domain.statistics.scoring_rules import brier, crps_from_quantiles, qlike

METRICS = {kind.name: kind.training_loss for kind in KINDS.values()}
"""CRPS of the standardised return; Brier; minus the log likelihood of the touch times, mean of
both sides; QLIKE."""


def losses(models: HorizonModels, rows: Examples, kind: str) -> np.ndarray:
    """Score (n,) of every example of the models' horizon, by METRICS[kind]."""
    pooled = Correction()
    if kind == "price":
        quantiles = models.price.quantiles(rows.x, models.p_up(rows.x, pooled))
        return crps_from_quantiles(quantiles, QUANTILE_LEVELS, rows.z)
    if kind == "direction":
        return brier(models.p_up(rows.x, pooled), rows.up)
    if kind == "time_to_hit":
        above = models.survival(rows.x, "above", pooled)
        below = models.survival(rows.x, "below", pooled)
        return hit_loss(above, below, rows)
    return volatility_loss(models.volatility.log_variance(rows.x), rows)


def hit_loss(above: np.ndarray, below: np.ndarray, rows: Examples) -> np.ndarray:
    """Minus the log likelihood of the touches (n,), from survival (n, h) of the two sides."""
    return (
        time_to_hit.hazard_loss(above, rows.above) + time_to_hit.hazard_loss(below, rows.below)
    ) / 2


def volatility_loss(log_variance: np.ndarray, rows: Examples) -> np.ndarray:
    """QLIKE (n,) of ln of expected variance over sigma squared."""
    expected = rows.sigma * np.exp(log_variance / 2)
    return qlike(expected, rows.sigma * np.sqrt(rows.variance))


def no_change_loss(kind: str, rows: Examples) -> np.ndarray:
    """Score (n,) of the baseline no_change on every example: of a driftless price of volatility sigma."""
    one = np.ones(len(rows))
    if kind == "price":
        return crps_from_quantiles(normal_quantiles(0 * one, one), QUANTILE_LEVELS, rows.z)
    if kind == "direction":
        return brier(one / 2, rows.up)
    if kind == "volatility":
        return volatility_loss(0 * one, rows)
    sigma, sessions = rows.sigma[:, None], np.arange(1.0, rows.horizon + 1)
    barrier, drift = sigma * np.sqrt(rows.horizon), -np.square(sigma) / 2
    above, below = (
        1.0 - hit_probability(side * barrier, sigma, sessions, drift) for side in (1.0, -1.0)
    )
    return hit_loss(above, below, rows)
