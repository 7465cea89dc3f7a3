"""Sessions until a price touches a barrier: discrete-time hazards of the two sides.

One row per example and session at risk (Allison 1982); the logit of the hazard is that of the
pooled past at the session plus a score of the features and the session.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from predtrack_assets.domain.models.learners.boosting import NOTHING, Boosting, Overrides
from predtrack_assets.domain.models.learners.fields import field, numbers
from predtrack_assets.domain.models.learners.linear import (
    constant,
    fit_linear,
    logistic,
    logit,
    sigmoid,
)
from predtrack_assets.domain.models.learners.score import Score, score_from_json
from predtrack_assets.domain.models.learners.training_data import Examples

FAMILIES = ("climatology", "logistic", "lightgbm")
"""Simplest first."""

CONTROLS = 4.0  # sessions without a touch per touch: more would cost much and tell little


@dataclass(frozen=True)
class Hazard:
    """Of one side: logit of the pooled hazard at sessions 1..h, float64 (h,), and a score."""

    base: np.ndarray
    score: Score

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Logit of the hazard at sessions 1..h of x (n, f), float64 (n, h)."""
        result = np.empty((len(x), len(self.base)))
        period = _at(x, 0)
        for k, base in enumerate(self.base):
            period[:, -1] = k + 1
            result[:, k] = base + self.score.raw(period)
        return result

    def to_json(self) -> dict[str, Any]:
        """The base and the score."""
        return {"base": self.base.tolist(), "score": self.score.to_json()}

    @classmethod
    def from_json(cls, data: Any, horizon: int, width: int) -> Hazard:
        """The inverse; raises ValueError."""
        base = numbers(data, "base", horizon)
        return cls(base, score_from_json(data.get("score"), width + 1))


@dataclass(frozen=True)
class TimeToHit:
    """Hazards of the touch of one sigma sqrt(h) above and below."""

    above: Hazard
    below: Hazard

    @property
    def used(self) -> tuple[int, ...]:
        """Numbers of the columns that matter to either side; the session comes after them."""
        return tuple(sorted({*self.above.score.used, *self.below.score.used}))

    def to_json(self) -> dict[str, Any]:
        """The two sides."""
        return {"above": self.above.to_json(), "below": self.below.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], horizon: int, width: int) -> TimeToHit:
        """The inverse; raises ValueError."""
        sides = (field(data, side, dict) for side in ("above", "below"))
        return cls(*(Hazard.from_json(side, horizon, width) for side in sides))


def fit_time_to_hit(family: str, rows: Examples, overrides: Overrides = NOTHING) -> TimeToHit:
    """Fit one of FAMILIES to both sides; overrides: parameters of the trees."""
    return TimeToHit(
        fit_hazard(family, rows.x, rows.above, rows.horizon, overrides),
        fit_hazard(family, rows.x, rows.below, rows.horizon, overrides),
    )


def fit_hazard(
    family: str, x: np.ndarray, touched: np.ndarray, horizon: int, overrides: Overrides = NOTHING
) -> Hazard:
    """Fit one of FAMILIES to x (n, f) and sessions to touch, or 0, int64 (n,)."""
    sessions = np.arange(1, horizon + 1)
    at_risk = np.where(touched > 0, touched, horizon)
    ended = np.bincount(touched, minlength=horizon + 1)[1:]
    exposed = len(x) - np.concatenate([[0], np.cumsum(ended)[:-1]])
    base = logit((ended + 0.5) / (exposed + 1.0))
    if family == "climatology":
        return Hazard(base, constant(0.0, x.shape[1] + 1))
    row = np.repeat(np.arange(len(x)), at_risk)
    session = sessions[np.arange(len(row)) - np.repeat(np.cumsum(at_risk) - at_risk, at_risk)]
    event = (session == touched[row]).astype(np.float64)
    kept, offset = _case_control(event)
    row, session, event = row[kept], session[kept], event[kept]
    period, offset = _at(x[row], session), offset + base[session - 1]
    if family == "logistic":
        return Hazard(base, fit_linear(period, event, logistic, offset=offset))
    return Hazard(base, Boosting(period, offset, overrides).fit("binary", event))


def _case_control(event: np.ndarray) -> tuple[np.ndarray, float]:
    """Numbers of the rows to keep, and what leaving out the others adds to every logit.

    Every event and about CONTROLS other rows for each, drawn at random with a fixed seed; that
    shifts the intercept by a known amount and nothing else (Prentice and Pyke 1979).
    """
    others = len(event) - event.sum()
    rate = min(1.0, CONTROLS * max(float(event.sum()), 1.0) / max(float(others), 1.0))
    drawn = np.random.default_rng(1).random(len(event)) < rate
    return np.flatnonzero(drawn | (event > 0)), -float(np.log(rate))


def _at(x: np.ndarray, session: int | np.ndarray) -> np.ndarray:
    """x with the session as its last column."""
    period = np.empty((len(x), x.shape[1] + 1))
    period[:, :-1] = x
    period[:, -1] = session
    return period


def survival(logits: np.ndarray) -> np.ndarray:
    """P(no touch by session k), k = 1..h, from logits of hazards (n, h): never rising in k."""
    alive = np.ones(len(logits))
    result = np.empty(logits.shape)
    for k in range(logits.shape[1]):
        alive = alive * (1.0 - sigmoid(logits[:, k]))
        result[:, k] = alive
    return result


def expected_days(alive: np.ndarray) -> np.ndarray:
    """Mean sessions to the touch given that it comes by the deadline, in [1, h]; alive (n, h)."""
    before = np.ones(len(alive))
    total, hit = np.zeros(len(alive)), np.zeros(len(alive))
    for k in range(alive.shape[1]):
        touch = before - alive[:, k]
        total += (k + 1) * touch
        hit += touch
        before = alive[:, k]
    return np.clip(total / np.maximum(hit, 1e-300), 1.0, float(alive.shape[1]))


def hazard_loss(alive: np.ndarray, touched: np.ndarray) -> np.ndarray:
    """-ln of the probability given to what came, (n,): alive (n, h), touched sessions or 0."""
    row, horizon = np.arange(len(touched)), alive.shape[1]
    last = np.where(touched > 0, touched, horizon) - 1
    before = np.where(last > 0, alive[row, np.maximum(last - 1, 0)], 1.0)
    likelihood = np.where(touched > 0, before - alive[row, last], alive[row, last])
    return -np.log(np.maximum(likelihood, 1e-12))
