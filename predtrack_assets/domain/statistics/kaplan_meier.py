"""Survival curves by Kaplan and Meier (1958), with Greenwood intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from predtrack_assets.domain.numerics.types import Floats, Ints
from predtrack_assets.domain.statistics.effective_size import normal_quantile


class Curves(NamedTuple):
    """Survival functions of R groups at times 1 .. H with pointwise intervals, each (R, H)."""

    survival: Floats
    low: Floats
    high: Floats


def kaplan_meier(
    hits: Ints, at_risk: Ints, inverse_design_effect: Floats | float = 1.0, level: float = 0.95
) -> Curves:
    """Product-limit estimate (Kaplan and Meier 1958) from counts (R, H) at times 1 .. H.

    Intervals are Greenwood's on the scale of log(-log S) (Kalbfleisch and Prentice 2002, 1.4.3).
    deflation (R,): n_eff / n, by which the variance is divided. NaN: the curve where nobody is
    left at risk above 0, the interval where S is 0 or 1 and its variance says nothing.

    >>> curves = kaplan_meier(hits=np.array([[2, 1]]), at_risk=np.array([[10, 5]]))
    >>> curves.survival.round(2).tolist()
    [[0.8, 0.64]]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(at_risk > 0, 1 - hits / at_risk, np.nan)
        ended = np.cumsum(steps == 0, axis=1) > 0
        survival = np.where(ended, 0.0, np.cumprod(steps, axis=1))
        greenwood = np.cumsum(hits / (at_risk * (at_risk - hits)), axis=1)
        variance = greenwood / np.reshape(inverse_design_effect, (-1, 1))
        spread = normal_quantile((1 + level) / 2) * np.sqrt(variance) / np.log(survival)
        low, high = survival ** np.exp(-spread), survival ** np.exp(spread)
    known = (survival > 0) & (survival < 1)
    return Curves(survival, np.where(known, low, np.nan), np.where(known, high, np.nan))
