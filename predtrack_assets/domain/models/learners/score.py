"""A score of each row, linear or of trees, as every model here is built on."""

from __future__ import annotations

from typing import Any

from predtrack_assets.domain.models.learners.boosting import Boosted
from predtrack_assets.domain.models.learners.fields import field
from predtrack_assets.domain.models.learners.linear import Linear

Score = Linear | Boosted


def score_from_json(data: Any, width: int) -> Score:
    """Read a score of `width` columns back; raises ValueError where it is none."""
    kind = field(data, "type", str)
    if kind == "linear":
        return Linear.from_json(data, width)
    if kind == "lightgbm":
        return Boosted.from_json(data, width)
    raise ValueError(f"unknown type of score {kind!r}")
