"""Volatility over the horizon, as a factor on EWMA volatility: constant, HAR or trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from predtrack_assets.domain.models.learners.boosting import Boosting
from predtrack_assets.domain.models.learners.fields import field
from predtrack_assets.domain.models.learners.linear import constant, fit_linear, gamma
from predtrack_assets.domain.models.learners.score import Score, score_from_json
from predtrack_assets.domain.models.learners.training_data import Examples

FAMILIES = ("ewma", "har", "lightgbm")
"""Simplest first."""

SCALE_WORDS = ("volatility", "atr", "range", "vix", "log_sigma")
"""Words in the names of features that measure volatility, at whatever horizon."""

LARGEST = 30.0  # training rows: a crash of many sigma would drown all other rows
SMALLEST = 1e-6


@dataclass(frozen=True)
class Volatility:
    """ln of (volatility / sigma)^2 as a score; of x with `width` columns.

    logs: columns taken as ln(feature / sigma), the regressors of HAR.
    """

    score: Score
    width: int
    logs: tuple[int, ...] = ()

    @property
    def used(self) -> tuple[int, ...]:
        """Numbers of the columns that matter; ln(sigma), last but one, is taken from the logs."""
        columns = set(self.score.used)
        if columns & set(self.logs):
            columns.add(self.width - 2)
        return tuple(sorted(columns))

    def log_variance(self, x: np.ndarray) -> np.ndarray:
        """ln of the expected squared volatility over sigma squared, (n,), clipped to +-3."""
        return np.clip(self.score.raw(_with_logs(x, self.logs)), -3.0, 3.0)

    def to_json(self) -> dict[str, Any]:
        """The score and the columns that are taken in logarithms."""
        return {"score": self.score.to_json(), "logs": list(self.logs)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], width: int) -> Volatility:
        """The inverse; raises ValueError."""
        logs = field(data, "logs", list)
        if not all(isinstance(j, int) and 0 <= j < width for j in logs):
            raise ValueError(f"field 'logs' holds {logs}, not numbers of columns")
        return cls(score_from_json(data.get("score"), width), width, tuple(logs))


def fit_volatility(family: str, rows: Examples, boosting: Boosting) -> Volatility:
    """Fit one of FAMILIES to `rows` by QLIKE (= gamma deviance), of whose x `boosting` was made.

    HAR (Corsi 2009): logs of volatilities measured over several horizons, which are recognised by
    SCALE_WORDS; the criterion is that of the score (Patton and Sheppard 2015), not least squares.
    """
    width = rows.x.shape[1]
    target = np.clip(rows.variance, SMALLEST, LARGEST)
    if family == "ewma":
        return Volatility(constant(float(np.log(target.mean())), width), width)
    if family == "har":
        named = [j for j, c in enumerate(rows.columns) if any(w in c.lower() for w in SCALE_WORDS)]
        logs = tuple(j for j in named if j < width - 2 and _positive(rows.x[:, j]))
        score = fit_linear(_with_logs(rows.x, logs), target, gamma, columns=np.array(named))
        return Volatility(score, width, logs)
    return Volatility(boosting.fit("gamma", target), width)


def _positive(column: np.ndarray) -> bool:
    seen = column[np.isfinite(column)]
    return len(seen) > 0 and bool((seen > 0).all())


def _with_logs(x: np.ndarray, logs: tuple[int, ...]) -> np.ndarray:
    if not logs:
        return x
    x = x.copy()
    for j in logs:
        column = np.ascontiguousarray(x[:, j])
        x[:, j] = np.log(np.where(column > 0, column, np.nan)) - x[:, -2]
    return x
