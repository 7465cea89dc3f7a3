"""What every optimization does: name its trials, evaluate them, propose or not.

The best of several looks better than it is, so none is judged on the days that it was chosen on: a
search ends before the days on which its winner is compared with what is in force.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

HYPERPARAMETER, FEATURE_SELECTION, STRATEGY_WEIGHTS = (
    "hyperparameter",
    "feature_selection",
    "strategy_weights",
)
TASK_TYPES = (HYPERPARAMETER, FEATURE_SELECTION, STRATEGY_WEIGHTS)


@dataclass(frozen=True)
class Trial:
    """A configuration of a kind and horizon, to be evaluated; plain JSON."""

    kind: str
    horizon: int
    configuration: Mapping[str, Any]

    @property
    def label(self) -> str:
        """Its family and eight digits of the SHA-256 of the configuration."""
        text = json.dumps(self.configuration, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{self.configuration['family']}/{digest}"


@dataclass(frozen=True)
class Proposal:
    """The result of a search. accepted: better (a simpler one: no worse) on days that it had not seen.

    old, new: values in force and found; before, after: their performance on those days. results: of
    each trial, in order; chosen: numbers of those in `new`. All plain JSON.
    """

    accepted: bool
    old: Mapping[str, Any]
    new: Mapping[str, Any] | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    conclusion: str
    results: Sequence[Mapping[str, Any]] = ()
    chosen: Sequence[int] = ()


class Search(Protocol):
    """A search that is ready to run: `trials` go on record first."""

    @property
    def trials(self) -> Sequence[Trial]:
        """What will be evaluated."""

    def run(self) -> Proposal:
        """Evaluate all trials; the same inputs give the same proposal."""


Item = TypeVar("Item")


def draw(items: Sequence[Item], count: int, seed: str) -> list[Item]:
    """`count` of `items` without repetition, in an order that the text `seed` alone decides."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")
    order = np.random.default_rng(number).permutation(len(items))
    return [items[i] for i in order[:count]]
