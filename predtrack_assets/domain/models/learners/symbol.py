"""Models of one symbol: the pooled ones, corrected as far as its own past supports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from predtrack_assets.domain.models.learners.direction import probability
from predtrack_assets.domain.models.learners.fields import field, numbers
from predtrack_assets.domain.models.learners.linear import logistic, newton
from predtrack_assets.domain.models.learners.pooled import (
    Correction,
    HorizonModels,
    PooledFit,
    PooledForecast,
    decode,
    encode,
)
from predtrack_assets.domain.models.learners.training_data import Examples, TrainingData, examples
from predtrack_assets.domain.models.learners.volatility import LARGEST, SMALLEST

FORMAT = "predtrack symbol models 1"

PRIOR = {"up": 1000.0, "above": 200.0, "below": 200.0, "widening": 50.0, "variance": 50.0}
"""Independent outcomes that the pooled model is worth: the variance of one outcome's estimate over
that between symbols, taken as 0.06 (direction) and 0.15 (touches) in logits, 0.1 in log spread."""


@dataclass(frozen=True)
class SymbolFit:
    """A pooled fit and what one symbol adds to it per horizon. cutoff: datetime64[D]."""

    symbol: str
    cutoff: np.datetime64
    pooled: PooledFit
    corrections: Mapping[int, Correction]

    @property
    def family(self) -> Mapping[str, Mapping[int, str]]:
        """Families of the pooled fit."""
        return self.pooled.family

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Scores of the pooled fit's choice."""
        return self.pooled.metrics

    @property
    def columns(self) -> tuple[str, ...]:
        """Features of the pooled fit."""
        return self.pooled.columns

    @property
    def horizons(self) -> tuple[int, ...]:
        """Horizons of the pooled fit."""
        return self.pooled.horizons

    def predict(
        self, features: np.ndarray, sigma: np.ndarray, drift: np.ndarray, horizon: int
    ) -> PooledForecast:
        """As PooledFit.predict, for rows of this symbol."""
        x = self.pooled.inputs(features, sigma, drift)
        return self.pooled.at(horizon).forecast(x, sigma, self.corrections[horizon])

    def to_bytes(self) -> bytes:
        """UTF-8 JSON that holds the pooled fit too."""
        return encode(
            {
                "format": FORMAT,
                "symbol": self.symbol,
                "cutoff": str(self.cutoff),
                "pooled": self.pooled.to_json(),
                "corrections": {str(h): asdict(c) for h, c in self.corrections.items()},
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> SymbolFit:
        """Read `to_bytes` back; raises ValueError where the content is not of that form."""
        data = decode(content, FORMAT)
        pooled = PooledFit.from_json(field(data, "pooled", dict))
        stored = field(data, "corrections", dict)
        corrections = {}
        for horizon in pooled.horizons:
            values = field(stored, str(horizon), dict)
            corrections[horizon] = Correction(
                **{name: float(numbers(values, name, 0)) for name in PRIOR}
            )
        cutoff = np.datetime64(field(data, "cutoff", str), "D")
        return cls(field(data, "symbol", str), cutoff, pooled, corrections)


def fit_symbol(data: TrainingData, pooled: PooledFit, *, cutoff: np.datetime64) -> SymbolFit:
    """Partial pooling: estimate each correction, then shrink it by n / (n + PRIOR).

    data: rows of one symbol; n: its decision days over the horizon, i.e. outcomes that do not
    overlap. Without labelled rows it predicts as the pooled fit does. Raises ValueError where
    data is of several symbols or other columns, a label ends after the cutoff, or the pooled fit
    is of a later one.
    """
    data.refuse_after(cutoff)
    symbols = np.unique(data.symbol.astype(str))
    if len(symbols) != 1:
        raise ValueError(f"rows of {len(symbols)} symbols, not of one")
    if data.columns != pooled.columns:
        raise ValueError("the pooled models were fitted to other columns")
    if pooled.cutoff > cutoff:
        raise ValueError(f"pooled models of {pooled.cutoff}, after the cutoff {cutoff}")
    corrections = {
        horizon: _shrunken(examples(data, horizon), pooled.at(horizon))
        for horizon in pooled.horizons
    }
    return SymbolFit(str(symbols[0]), cutoff.astype("datetime64[D]"), pooled, corrections)


def _shrunken(rows: Examples, models: HorizonModels) -> Correction:
    if not len(rows):
        return Correction()
    n = len(np.unique(rows.day)) / rows.horizon
    own = asdict(_estimated(rows, models))
    return Correction(**{name: value * n / (n + PRIOR[name]) for name, value in own.items()})


def _estimated(rows: Examples, models: HorizonModels) -> Correction:
    """What fits the symbol's own rows best, were they all there is."""
    logits = models.direction.logits(rows.x)
    residual = models.price.residuals(rows.x, rows.z, probability(logits))
    centre = np.median(models.price.shape)
    width = np.abs(residual - centre).mean() / np.abs(models.price.shape - centre).mean()
    ratio = rows.variance / np.exp(models.volatility.log_variance(rows.x))
    return Correction(
        up=_intercept(logits, rows.up),
        above=_hazard_intercept(models.time_to_hit.above.logits(rows.x), rows.above),
        below=_hazard_intercept(models.time_to_hit.below.logits(rows.x), rows.below),
        widening=float(np.log(np.clip(width, 0.1, 10.0))),
        variance=float(np.log(np.clip(ratio, SMALLEST, LARGEST).mean())),
    )


def _intercept(logits: np.ndarray, y: np.ndarray) -> float:
    design, penalty = np.ones((len(y), 1)), np.array([1.0 / len(y)])
    return float(newton(design, y, logits, penalty, logistic)[0])


def _hazard_intercept(logits: np.ndarray, touched: np.ndarray) -> float:
    session = np.arange(1, logits.shape[1] + 1)
    at_risk = (touched[:, None] == 0) | (session <= touched[:, None])
    event = (session == touched[:, None]).astype(np.float64)
    return _intercept(logits[at_risk], event[at_risk])
