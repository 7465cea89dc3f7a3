"""Linear scores of standardised features, fitted by Newton's method in one order of operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from predtrack_assets.domain.models.learners.fields import numbers

RIDGE = 0.02  # penalty per example and squared weight: about 50 features, few of them useful
LIMIT = 5.0  # standard deviations beyond which a feature counts no more
STEPS = 30


def sigmoid(score: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-score)), score clipped to +-30."""
    return 1.0 / (1.0 + np.exp(-np.clip(score, -30.0, 30.0)))


def logit(p: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p)) of p in (0, 1)."""
    return np.log(p) - np.log1p(-p)


@cache
def _blas() -> Any:
    """The thread pools of the BLAS that NumPy has loaded; to look for them takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


Derivatives = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Gradient and curvature per row of a loss, from score (n,) and target (n,)."""


def logistic(score: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log loss of P(y = 1) = sigmoid(score)."""
    p = sigmoid(score)
    return p - y, p * (1.0 - p)


def gamma(score: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """QLIKE: y exp(-score) + score, for a positive y of mean exp(score); expected curvature."""
    return 1.0 - y * np.exp(-np.clip(score, -30.0, 30.0)), np.ones_like(score)


def newton(
    design: np.ndarray, y: np.ndarray, offset: np.ndarray, penalty: np.ndarray, loss: Derivatives
) -> np.ndarray:
    """Weights (k,) that minimise mean loss(offset + design @ weights) + penalty . weights^2 / 2.

    design: float64 (n, k). One BLAS thread, so that sums have one order whatever the machine is
    told; steps are halved at most to length 2, which keeps the first ones from overshooting.
    """
    weights = np.zeros(design.shape[1])
    with _blas().limit(limits=1, user_api="blas"):
        for _ in range(STEPS):
            gradient, curvature = loss(offset + design @ weights, y)
            slope = design.T @ gradient / len(y) + penalty * weights
            hessian = (design * curvature[:, None]).T @ design / len(y)
            hessian[np.diag_indices_from(hessian)] += penalty + 1e-9
            step = np.linalg.solve(hessian, slope)
            weights = weights - step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
            if np.abs(step).max() < 1e-8:
                break
    return weights


@dataclass(frozen=True)
class Linear:
    """intercept + weights . standardised features; arrays float64 (f,).

    A missing feature counts as its median; centre and scale are of the training rows; scale is
    1 / standard deviation, 0 for a constant.
    """

    intercept: float
    weights: np.ndarray
    median: np.ndarray
    centre: np.ndarray
    scale: np.ndarray

    @property
    def used(self) -> tuple[int, ...]:
        """Numbers of the columns that matter."""
        return tuple(int(j) for j in np.flatnonzero(self.weights * self.scale))

    def raw(self, x: np.ndarray) -> np.ndarray:
        """Scores (n,) of x (n, f); a row's score does not depend on the rows beside it."""
        total = np.full(len(x), self.intercept)
        for j in self.used:
            total += self.weights[j] * _standardise(
                x[:, j], self.median[j], self.centre[j], self.scale[j]
            )
        return total

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, under the names of the fields."""
        arrays = {k: getattr(self, k).tolist() for k in ("weights", "median", "centre", "scale")}
        return {"type": "linear", "intercept": self.intercept, **arrays}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], width: int) -> Linear:
        """The inverse; raises ValueError where a field is absent or not of `width` numbers."""
        arrays = {k: numbers(data, k, width) for k in ("weights", "median", "centre", "scale")}
        return cls(float(numbers(data, "intercept", 0)), **arrays)


def constant(intercept: float, width: int) -> Linear:
    """The same score for every row."""
    zero = np.zeros(width)
    return Linear(intercept, zero, zero, zero, zero)


def fit_linear(
    x: np.ndarray,
    y: np.ndarray,
    loss: Derivatives,
    *,
    offset: np.ndarray | None = None,
    columns: np.ndarray | None = None,
) -> Linear:
    """Ridge regression of the score on the columns of x (n, f); on `columns` (ascending) only."""
    chosen = np.arange(x.shape[1]) if columns is None else columns
    median, centre, scale, weights = np.zeros((4, x.shape[1]))
    design = np.ones((len(x), 1 + len(chosen)))
    for position, j in enumerate(chosen):
        seen = x[np.isfinite(x[:, j]), j]
        if len(seen):
            median[j] = np.median(seen)
        filled = np.where(np.isfinite(x[:, j]), x[:, j], median[j])
        centre[j], spread = filled.mean(), filled.std()
        scale[j] = 1.0 / spread if spread > 1e-12 * max(abs(centre[j]), 1e-300) else 0.0
        design[:, 1 + position] = _standardise(x[:, j], median[j], centre[j], scale[j])
    penalty = np.full(design.shape[1], RIDGE)
    penalty[0] = 0.0
    start = np.zeros(len(x)) if offset is None else offset
    fitted = newton(design, y, start, penalty, loss)
    weights[chosen] = fitted[1:]
    return Linear(float(fitted[0]), weights, median, centre, scale)


def _standardise(column: np.ndarray, median: float, centre: float, scale: float) -> np.ndarray:
    filled = np.where(np.isfinite(column), column, median)
    return np.clip((filled - centre) * scale, -LIMIT, LIMIT)
