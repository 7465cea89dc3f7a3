"""Models pooled over symbols: fitted to what was known at a cutoff, stored as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from predtrack_assets.domain.models.learners import direction, price, time_to_hit, volatility
from predtrack_assets.domain.models.learners.boosting import NOTHING, Boosting, Overrides
from predtrack_assets.domain.models.learners.direction import UNCALIBRATED, Direction, fit_direction
from predtrack_assets.domain.models.learners.fields import field as json_field
from predtrack_assets.domain.models.learners.price import Price, fit_price
from predtrack_assets.domain.models.learners.time_to_hit import TimeToHit, fit_time_to_hit
from predtrack_assets.domain.models.learners.training_data import (
    OWN_COLUMNS,
    Examples,
    TrainingData,
    examples,
    inputs,
)
from predtrack_assets.domain.models.learners.volatility import Volatility, fit_volatility

FAMILIES = {
    "price": price.FAMILIES,
    "direction": direction.FAMILIES,
    "time_to_hit": time_to_hit.FAMILIES,
    "volatility": volatility.FAMILIES,
}
"""The families of each kind of prediction, simplest first."""

FORMAT = "predtrack pooled models 1"


@dataclass(frozen=True)
class PooledForecast:
    """What the models say of n rows at one horizon.

    quantiles: float64 (n, 7) of ln(S_T / S_0), ascending. The others are float64 (n,).
    p_up: P(S_T > S_0), above 1/2 exactly where the median is above 0. p_hit_above, p_hit_below:
    that the price touches one sigma sqrt(h) above, below by the deadline; hit_days_above,
    hit_days_below: mean sessions to it, given that it does. volatility: daily, over the horizon.
    """

    quantiles: np.ndarray
    p_up: np.ndarray
    p_hit_above: np.ndarray
    p_hit_below: np.ndarray
    hit_days_above: np.ndarray
    hit_days_below: np.ndarray
    volatility: np.ndarray


@dataclass(frozen=True)
class Correction:
    """What a symbol adds to the pooled scores of a horizon; nothing by default.

    up, above, below: on the logits of direction and of the two hazards. widening: on the logarithm
    of the spread of the price. variance: on the logarithm of the variance.
    """

    up: float = 0.0
    above: float = 0.0
    below: float = 0.0
    widening: float = 0.0
    variance: float = 0.0


@dataclass(frozen=True)
class HorizonModels:
    """The models of one horizon, and how many examples they were fitted to."""

    horizon: int
    examples: int
    price: Price
    direction: Direction
    time_to_hit: TimeToHit
    volatility: Volatility

    def p_up(self, x: np.ndarray, correction: Correction) -> np.ndarray:
        """P(S_T > S_0), (n,)."""
        return direction.probability(self.direction.logits(x) + correction.up)

    def survival(
        self, x: np.ndarray, side: str, correction: Correction = Correction()
    ) -> np.ndarray:
        """P(no touch of the side `above` or `below` by session k), (n, h)."""
        hazard = self.time_to_hit.above if side == "above" else self.time_to_hit.below
        shift = correction.above if side == "above" else correction.below
        return time_to_hit.survival(hazard.logits(x) + shift)

    def forecast(self, x: np.ndarray, sigma: np.ndarray, correction: Correction) -> PooledForecast:
        """Forecasts of x (n, f + 2) with daily volatility sigma (n,)."""
        p_up = self.p_up(x, correction)
        scaled = self.price.quantiles(x, p_up, correction.widening)
        above = self.survival(x, "above", correction)
        below = self.survival(x, "below", correction)
        log_variance = self.volatility.log_variance(x) + correction.variance
        return PooledForecast(
            quantiles=scaled * (sigma * np.sqrt(self.horizon))[:, None],
            p_up=p_up,
            p_hit_above=1.0 - above[:, -1],
            p_hit_below=1.0 - below[:, -1],
            hit_days_above=time_to_hit.expected_days(above),
            hit_days_below=time_to_hit.expected_days(below),
            volatility=sigma * np.exp(log_variance / 2),
        )

    def to_json(self) -> dict[str, Any]:
        """Every part under its name."""
        kinds = {kind: getattr(self, kind).to_json() for kind in FAMILIES}
        return {"horizon": self.horizon, "examples": self.examples, **kinds}

    @classmethod
    def from_json(cls, data: Any, width: int) -> HorizonModels:
        """The inverse; raises ValueError. width: columns of x."""
        horizon = json_field(data, "horizon", int)
        part = {kind: json_field(data, kind, dict) for kind in FAMILIES}
        return cls(
            horizon=horizon,
            examples=json_field(data, "examples", int),
            price=Price.from_json(part["price"], width),
            direction=Direction.from_json(part["direction"], width),
            time_to_hit=TimeToHit.from_json(part["time_to_hit"], horizon, width),
            volatility=Volatility.from_json(part["volatility"], width),
        )


@dataclass(frozen=True)
class PooledFit:
    """Models of several horizons; `family` per kind and horizon, `metrics` of their choice.

    cutoff: datetime64[D], no label they saw ended later. columns: features they take, in order.
    """

    cutoff: np.datetime64
    columns: tuple[str, ...]
    models: Mapping[int, HorizonModels]
    family: Mapping[str, Mapping[int, str]]
    metrics: list[dict[str, Any]] = field(default_factory=list)

    @property
    def horizons(self) -> tuple[int, ...]:
        """Horizons in sessions that can be predicted."""
        return tuple(self.models)

    def at(self, horizon: int) -> HorizonModels:
        """The models of a horizon; raises ValueError where it was not fitted."""
        if horizon not in self.models:
            raise ValueError(f"no models for horizon {horizon}, only for {self.horizons}")
        return self.models[horizon]

    def predict(
        self, features: np.ndarray, sigma: np.ndarray, drift: np.ndarray, horizon: int
    ) -> PooledForecast:
        """Forecast rows of features (n, f); a row's forecast does not depend on the others.

        sigma, drift: daily, (n,), sigma positive. Raises ValueError for a wrong number of columns
        or a horizon that was not fitted.
        """
        x = self.inputs(features, sigma, drift)
        return self.at(horizon).forecast(x, sigma, Correction())

    def inputs(self, features: np.ndarray, sigma: np.ndarray, drift: np.ndarray) -> np.ndarray:
        """What the models take, (n, f + 2); raises ValueError for a wrong number of columns."""
        if features.ndim != 2 or features.shape[1] != len(self.columns):
            raise ValueError(f"features {features.shape}, fitted to {len(self.columns)} columns")
        return inputs(features, sigma, drift)

    def to_bytes(self) -> bytes:
        """UTF-8 JSON with sorted keys; equal fits give equal bytes."""
        return encode(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Plain data of `to_bytes`."""
        return {
            "format": FORMAT,
            "cutoff": str(self.cutoff),
            "columns": list(self.columns),
            "family": {k: {str(h): f for h, f in v.items()} for k, v in self.family.items()},
            "metrics": self.metrics,
            "models": [model.to_json() for model in self.models.values()],
        }

    @classmethod
    def from_bytes(cls, content: bytes) -> PooledFit:
        """Read `to_bytes` back; raises ValueError where the content is not of that form."""
        return cls.from_json(decode(content, FORMAT))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PooledFit:
        """The inverse of `to_json`; raises ValueError."""
        columns = tuple(json_field(data, "columns", list))
        width = len(columns) + len(OWN_COLUMNS)
        models = [HorizonModels.from_json(m, width) for m in json_field(data, "models", list)]
        family = json_field(data, "family", dict)
        return cls(
            cutoff=np.datetime64(json_field(data, "cutoff", str), "D"),
            columns=columns,
            models={model.horizon: model for model in models},
            family={
                kind: {
                    m.horizon: json_field(json_field(family, kind, dict), str(m.horizon), str)
                    for m in models
                }
                for kind in FAMILIES
            },
            metrics=json_field(data, "metrics", list),
        )


def encode(data: Mapping[str, Any]) -> bytes:
    """Canonical JSON: sorted keys, floats in their shortest exact form, no NaN."""
    return json.dumps(data, sort_keys=True, allow_nan=False, separators=(",", ":")).encode()


def decode(content: bytes, expected: str) -> dict[str, Any]:
    """JSON object whose field `format` is `expected`; raises ValueError otherwise."""
    data = json.loads(content)
    if json_field(data, "format", str) != expected:
        raise ValueError(f"format {data['format']!r}, not {expected!r}")
    return data


def fit_pooled(
    data: TrainingData,
    horizons: tuple[int, ...],
    *,
    cutoff: np.datetime64,
    choices: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Mapping[str, Overrides]] = MappingProxyType({}),
) -> PooledFit:
    """Fit every kind and horizon to what was known at `cutoff` (datetime64[D]).

    choices: of `choose_families` at this or an earlier cutoff; without them every kind is of its
    simplest family. overrides: parameters of the trees by kind and horizon. Raises ValueError where
    a label ends, or a row or the choices are made, after the cutoff; where the choices are for other
    columns or horizons; where nothing is labelled.
    """
    data.refuse_after(cutoff)
    if choices is not None:
        _refuse_choices(choices, data, cutoff)
    models = {}
    family: dict[str, dict[int, str]] = {kind: {} for kind in FAMILIES}
    for horizon in horizons:
        rows = examples(data, horizon, thin=True)
        if not len(rows):
            raise ValueError(f"no labelled rows for horizon {horizon} by {cutoff}")
        chosen, calibration = chosen_families(choices, horizon)
        tuned = {kind: of.get(str(horizon), NOTHING) for kind, of in overrides.items()}
        models[horizon] = fit_horizon(rows, chosen, calibration, tuned)
        for kind, name in chosen.items():
            family[kind][horizon] = name
    metrics = [] if choices is None else list(choices["scores"])
    return PooledFit(cutoff.astype("datetime64[D]"), data.columns, models, family, metrics)


def _refuse_choices(choices: Mapping[str, Any], data: TrainingData, cutoff: np.datetime64) -> None:
    if np.datetime64(choices["cutoff"], "D") > cutoff:
        raise ValueError(f"families chosen at {choices['cutoff']}, after the cutoff {cutoff}")
    if list(choices["columns"]) != list(data.columns):
        raise ValueError("families were chosen for other columns")


def chosen_families(
    choices: Mapping[str, Any] | None, horizon: int
) -> tuple[dict[str, str], tuple[float, float]]:
    """Family of every kind, and the calibration of the direction; the simplest without choices."""
    if choices is None:
        return {kind: families[0] for kind, families in FAMILIES.items()}, UNCALIBRATED
    chosen = {kind: json_field(choices["families"][kind], str(horizon), str) for kind in FAMILIES}
    for kind, name in chosen.items():
        if name not in FAMILIES[kind]:
            raise ValueError(f"{kind} has no family {name!r}")
    intercept, slope = choices["calibration"][str(horizon)]
    return chosen, (float(intercept), float(slope))


def fit_horizon(
    rows: Examples,
    families: Mapping[str, str],
    calibration: tuple[float, float],
    overrides: Mapping[str, Overrides] = NOTHING,
) -> HorizonModels:
    """Fit one family of each kind to the same rows; overrides: parameters of its trees by kind."""
    given = {kind: dict(overrides.get(kind, NOTHING)) for kind in FAMILIES}
    shared = Boosting(rows.x)  # binned once for all that go by the usual parameters
    trees = {k: Boosting(rows.x, overrides=own) if own else shared for k, own in given.items()}
    rising = fit_direction(families["direction"], rows, trees["direction"], calibration)
    variance = fit_volatility(families["volatility"], rows, trees["volatility"])
    same = given["price"] == given["volatility"]
    if families["price"] == price.FAMILIES[0]:
        spread = None
    elif families["price"] == families["volatility"] and same:
        spread = variance
    else:
        spread = fit_volatility(families["price"], rows, trees["price"])
    p_up = direction.probability(rising.logits(rows.x))
    return HorizonModels(
        horizon=rows.horizon,
        examples=len(rows),
        price=fit_price(spread, rows.x, rows.z, p_up),
        direction=rising,
        time_to_hit=fit_time_to_hit(families["time_to_hit"], rows, given["time_to_hit"]),
        volatility=variance,
    )
