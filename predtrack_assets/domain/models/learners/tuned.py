"""What was tuned of the pooled procedure: families, parameters of trees, features left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from predtrack_assets.domain.models.learners.boosting import Overrides
from predtrack_assets.domain.models.learners.training_data import TrainingData


@dataclass(frozen=True)
class Tuned:
    """of: kind and horizon (as text) to family, parameters and, for a direction, calibration.

    without: features that are not looked at. Plain JSON throughout. Nothing by default.
    """

    of: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    without: Sequence[str] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Tuned:
        """The inverse of `to_json`."""
        return cls(data.get("of", {}), tuple(data.get("without", ())))

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"of": self.of, "without": list(self.without)}

    def overrides(self) -> dict[str, dict[str, Overrides]]:
        """Parameters of the trees by kind and horizon."""
        return {k: {h: v["parameters"] for h, v in of.items()} for k, of in self.of.items()}

    def at(self, horizon: int) -> dict[str, Overrides]:
        """Parameters of the trees of a horizon, by kind."""
        h = str(horizon)
        return {kind: of[h]["parameters"] for kind, of in self.of.items() if h in of}

    def mask(self, data: TrainingData) -> TrainingData:
        """The same rows with the features left out unknown: no family looks at what never varies."""
        if not self.without:
            return data
        features = data.features.copy()
        features[:, np.isin(data.columns, list(self.without))] = np.nan
        return replace(data, features=features)

    def choices(self, choices: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Choices of families in which those that were tuned take the place of the others."""
        if choices is None or not self.of:
            return choices
        families = {kind: dict(of) for kind, of in choices["families"].items()}
        calibration = dict(choices["calibration"])
        for kind, of in self.of.items():
            for horizon, value in of.items():
                if horizon in families[kind]:
                    families[kind][horizon] = value["family"]
                    if "calibration" in value:
                        calibration[horizon] = value["calibration"]
        return {**choices, "families": families, "calibration": calibration}

    def plus(self, kind: str, horizon: int, value: Mapping[str, Any]) -> Tuned:
        """With another configuration of one kind and horizon."""
        of = {k: dict(v) for k, v in self.of.items()}
        of.setdefault(kind, {})[str(horizon)] = value
        return Tuned(of, self.without)
