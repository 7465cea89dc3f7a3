"""Small gradient-boosted trees (LightGBM), equal bit for bit wherever they are fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from predtrack_assets.domain.models.learners.fields import field

ROUNDS = 50
PARAMETERS: dict[str, Any] = {
    "num_leaves": 8,
    "learning_rate": 0.06,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.6,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "max_bin": 63,
    "bin_construct_sample_cnt": 5000,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 1,
    "verbosity": -1,
}

Overrides = Mapping[str, Any]
"""Some of PARAMETERS, and `rounds`, with other values."""
NOTHING: Overrides = MappingProxyType({})


@dataclass(frozen=True)
class Boosted:
    """Trees in LightGBM's own text format."""

    text: str

    @cached_property
    def _booster(self) -> Any:
        import lightgbm

        try:
            return lightgbm.Booster(model_str=self.text)
        except lightgbm.basic.LightGBMError as error:
            raise ValueError(f"not a LightGBM model: {error}") from error

    @property
    def used(self) -> tuple[int, ...]:
        """Numbers of the columns that some tree splits on."""
        return tuple(int(j) for j in np.flatnonzero(self._booster.feature_importance("split")))

    def raw(self, x: np.ndarray) -> np.ndarray:
        """Scores (n,) of x (n, f), without the link and without the offset of the fit."""
        if not len(x):
            return np.zeros(0)
        return np.asarray(self._booster.predict(x, raw_score=True, num_threads=1), np.float64)

    def to_json(self) -> dict[str, Any]:
        """The text under a type."""
        return {"type": "lightgbm", "text": self.text}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], width: int) -> Boosted:
        """The inverse; raises ValueError where it is not a model of `width` columns."""
        model = cls(field(data, "text", str))
        if not model.text.startswith("tree\n"):
            raise ValueError("not a LightGBM model: the text does not begin with 'tree'")
        if model._booster.num_feature() != width:
            raise ValueError(f"the trees take {model._booster.num_feature()} columns, not {width}")
        return model


class Boosting:
    """Features binned once, to which several targets can be fitted."""

    def __init__(
        self, x: np.ndarray, offset: np.ndarray | None = None, overrides: Overrides = NOTHING
    ) -> None:
        """x: float64 (n, f), NaN allowed. offset: scores (n,) that the trees are added to."""
        self._x, self._offset = x, offset
        leaf = {"min_data_in_leaf": max(20, min(len(x) // 50, 500))}
        self._parameters = PARAMETERS | leaf | dict(overrides)
        self._rounds = self._parameters.pop("rounds", ROUNDS)

    @cached_property
    def _binned(self) -> Any:
        import lightgbm

        return lightgbm.Dataset(
            self._x,
            np.zeros(len(self._x)),
            init_score=self._offset,
            params=self._parameters,
            free_raw_data=False,
        ).construct()

    def fit(self, objective: str, y: np.ndarray) -> Boosted:
        """Trees for y (n,): objective `binary` (score = logit) or `gamma` (score = ln mean, y > 0)."""
        import lightgbm

        self._binned.set_label(y)
        trained = lightgbm.train(
            self._parameters | {"objective": objective}, self._binned, num_boost_round=self._rounds
        )
        return Boosted(trained.model_to_string())
