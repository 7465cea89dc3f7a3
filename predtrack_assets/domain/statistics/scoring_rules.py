"""Scores of single forecasts: one value per row, lower is better, and skill against a baseline."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from predtrack_assets.domain.numerics.types import Floats

MIN_VOLATILITY = 1e-4  # of daily log returns


def brier(p: ArrayLike, y: ArrayLike) -> Floats:
    """Brier score (p - y)^2 per row; p probabilities in [0, 1], y outcomes 0/1 (Brier 1950).

    >>> brier([0.5, 1.0], [1, 0]).tolist()
    [0.25, 1.0]
    """
    return np.square(_floats(p) - _floats(y))


def log_score(p: ArrayLike, y: ArrayLike) -> Floats:
    """Logarithmic score -ln P(outcome) per row, in nats (Good 1952).

    p is kept one machine epsilon away from 0 and 1, so a certain and wrong forecast costs 36.04
    rather than infinity.

    >>> log_score([0.5, 0.0], [1, 1]).round(2).tolist()
    [0.69, 36.04]
    """
    eps = float(np.finfo(np.float64).eps)
    p, y = np.clip(_floats(p), eps, 1 - eps), _floats(y)
    return -(y * np.log(p) + (1 - y) * np.log1p(-p))


def log_score_of_brier(score: ArrayLike) -> Floats:
    """The logarithmic score of forecasts whose Brier scores are given: the probability of what came
    true is 1 - sqrt(Brier score). Kept finite as `log_score` is.

    >>> log_score_of_brier([0.25]).round(4).tolist()  # half was given to what happened
    [0.6931]
    """
    missed = np.sqrt(_floats(score))
    return log_score(1 - missed, np.ones_like(missed))


def log_error(predicted: ArrayLike, actual: ArrayLike) -> Floats:
    """ln(predicted / actual) per row; positive = overestimated.

    >>> log_error([110.0], [100.0]).round(4).tolist()
    [0.0953]
    """
    return np.log(_floats(predicted) / _floats(actual))


def relative_error(predicted: ArrayLike, actual: ArrayLike) -> Floats:
    """(predicted - actual) / actual per row, signed; positive = overestimated.

    >>> relative_error([110.0], [100.0]).tolist()
    [0.1]
    """
    predicted, actual = _floats(predicted), _floats(actual)
    return (predicted - actual) / actual


def pinball(quantiles: ArrayLike, levels: ArrayLike, y: ArrayLike) -> Floats:
    """Pinball (quantile) loss (Koenker & Bassett 1978), shape and unit of the broadcast inputs.

    levels lie in (0, 1). Call it with quantiles (n, k), levels (k,), y (n, 1) for a whole set.

    >>> pinball([100.0], [0.25], [104.0]).tolist(), pinball([100.0], [0.25], [96.0]).tolist()
    ([1.0], [3.0])
    """
    levels, gap = _floats(levels), _floats(y) - _floats(quantiles)
    return np.maximum(levels * gap, (levels - 1) * gap)


def crps_from_quantiles(quantiles: ArrayLike, levels: ArrayLike, y: ArrayLike) -> Floats:
    """CRPS per row approximated from quantiles: 2 * mean over levels of the pinball loss.

    quantiles (n, k), levels (k,) in (0, 1), y (n,); returns (n,) in the unit of y (Laio & Tamea
    2007). Raises ValueError where the shapes disagree.

    >>> crps_from_quantiles([[-1.0, 0.0, 1.0]], [0.25, 0.5, 0.75], [0.5]).round(3).tolist()
    [0.5]
    """
    quantiles, levels, y = _floats(quantiles), _floats(levels), _floats(y)
    if quantiles.shape != (y.size, levels.size) or levels.size == 0:
        raise ValueError(f"quantiles {quantiles.shape}, levels {levels.shape}, y {y.shape}")
    total = np.zeros(y.size)
    for column, level in enumerate(levels):  # level by level: same bits for any number of rows
        total += pinball(quantiles[:, column], level, y)
    return 2 * total / levels.size


def crps_normal(mu: ArrayLike, sd: ArrayLike, y: ArrayLike) -> Floats:
    """CRPS of a normal forecast per row, sd > 0, in the unit of y (Gneiting & Raftery 2007).

    >>> round(float(crps_normal(0.0, 1.0, 0.0)), 3)
    0.234
    """
    from scipy.special import ndtr

    mu, sd, y = _floats(mu), _floats(sd), _floats(y)
    z = (y - mu) / sd
    density = np.exp(-0.5 * np.square(z)) / math.sqrt(2 * math.pi)
    return sd * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))


def qlike(predicted: ArrayLike, realised: ArrayLike) -> Floats:
    """QLIKE loss of a volatility per row: x - ln x - 1, x = (realised / predicted)^2 (Patton 2011).

    Both in the same unit, predicted > 0. A realised volatility below one basis point counts as one:
    an unchanged price has no logarithm. Differences between forecasts do not depend on that floor.

    >>> qlike([0.02, 0.01], [0.02, 0.02]).round(3).tolist()
    [0.0, 1.614]
    """
    with np.errstate(over="ignore", invalid="ignore"):  # NaN where next to nothing is predicted
        x = np.square(np.maximum(_floats(realised), MIN_VOLATILITY) / _floats(predicted))
        return x - np.log(x) - 1


def skill(score: ArrayLike, baseline: ArrayLike) -> Floats:
    """1 - score / baseline: 1 perfect, 0 no better than the baseline, negative worse.

    Both are mean scores over the same rows. Exactly 0 where they are equal, also when both are 0;
    NaN where only the baseline is 0, because no ratio describes that, and where the ratio is no
    finite number.

    >>> skill([0.2, 0.3], [0.25, 0.25]).round(2).tolist()
    [0.2, -0.2]
    """
    score, baseline = np.broadcast_arrays(_floats(score), _floats(baseline))
    ratio = np.full(score.shape, np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        np.divide(score, baseline, out=ratio, where=baseline != 0)
    ratio[~np.isfinite(ratio)] = np.nan
    return np.where(score == baseline, 0.0, 1 - ratio)


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)
