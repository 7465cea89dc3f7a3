"""P(S_T > S_0), from a base rate, a logistic regression or trees, calibrated on unseen rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from predtrack_assets.domain.models.learners.boosting import Boosting
from predtrack_assets.domain.models.learners.fields import numbers
from predtrack_assets.domain.models.learners.linear import (
    constant,
    fit_linear,
    logistic,
    logit,
    newton,
    sigmoid,
)
from predtrack_assets.domain.models.learners.score import Score, score_from_json
from predtrack_assets.domain.models.learners.training_data import Examples

FAMILIES = ("climatology", "logistic", "lightgbm")
"""Simplest first."""

UNCALIBRATED = (0.0, 1.0)
PRIOR_ROWS = 50.0  # weight of the uncalibrated score in a calibration


@dataclass(frozen=True)
class Direction:
    """P(up) = sigmoid(a + b score): Platt's calibration (1999), b not negative."""

    score: Score
    calibration: tuple[float, float] = UNCALIBRATED

    @property
    def used(self) -> tuple[int, ...]:
        """Numbers of the columns that matter."""
        return self.score.used if self.calibration[1] > 0 else ()

    def logits(self, x: np.ndarray) -> np.ndarray:
        """ln(p / (1 - p)) of x (n, f)."""
        intercept, slope = self.calibration
        return intercept + slope * self.score.raw(x)

    def to_json(self) -> dict[str, Any]:
        """The score and its calibration."""
        return {"score": self.score.to_json(), "calibration": list(self.calibration)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], width: int) -> Direction:
        """The inverse; raises ValueError."""
        intercept, slope = numbers(data, "calibration", 2).tolist()
        return cls(score_from_json(data.get("score"), width), (intercept, slope))


def fit_direction(
    family: str,
    rows: Examples,
    boosting: Boosting,
    calibration: tuple[float, float] = UNCALIBRATED,
) -> Direction:
    """Fit one of FAMILIES to `rows`, of whose x `boosting` was made."""
    if family == "climatology":
        rate = (rows.up.sum() + 1.0) / (len(rows) + 2.0)
        return Direction(constant(float(logit(rate)), rows.x.shape[1]))
    if family == "logistic":
        return Direction(fit_linear(rows.x, rows.up, logistic), calibration)
    return Direction(boosting.fit("binary", rows.up), calibration)


def calibrate(score: np.ndarray, up: np.ndarray) -> tuple[float, float]:
    """Intercept and slope for scores (n,) of rows that their models had not seen; up 0/1 (n,)."""
    if not len(score):
        return UNCALIBRATED
    design = np.stack([np.ones_like(score), score], axis=1)
    penalty = np.full(2, PRIOR_ROWS / len(score) / 4)
    intercept, change = newton(design, up, score, penalty, logistic)
    slope = min(max(1.0 + float(change), 0.0), 2.0)
    return float(intercept), slope


def probability(logits: np.ndarray) -> np.ndarray:
    """P(up), within [0.001, 0.999]: no count of past days says more."""
    return np.clip(sigmoid(logits), 0.001, 0.999)
