"""What a model may predict: one record per prediction kind.

A kind is added here; what depends on its event, its score or its path follows. Formulas of its
fields are in `forecasts.predict`, of its outcome in `forecasts.outcomes`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One prediction kind.

    name: as stored. label: as people read it. event: what its confidence is the probability of;
    None: it has none. score: its proper score, a loss. training_loss: what fits of it minimise.
    of_path: whether the outcome forms from the first session on, not at the end alone.
    drift_input: the feature of a prediction that drift is measured on.
    """

    name: str
    label: str
    event: str | None
    score: str
    training_loss: str
    of_path: bool
    drift_input: str


PRICE = Kind("price", "price", "within_5pct", "crps", "crps", False, "median_in_sigma")
DIRECTION = Kind("direction", "direction", "up", "brier", "brier", False, "p_up")
TIME_TO_HIT = Kind("time_to_hit", "time to hit", "hit", "brier", "log_hazard", True, "p_hit")
VOLATILITY = Kind("volatility", "volatility", None, "qlike", "qlike", True, "predicted_volatility")

KINDS = {kind.name: kind for kind in (PRICE, DIRECTION, TIME_TO_HIT, VOLATILITY)}

WITH_EVENT = tuple(kind.name for kind in KINDS.values() if kind.event)
OF_THE_PATH = frozenset(kind.name for kind in KINDS.values() if kind.of_path)
PROPER_SCORES = {kind.name: kind.score for kind in KINDS.values()}

SCORE_NAMES = {
    "brier": "Brier",
    "log_score": "log score",
    "crps": "CRPS",
    "qlike": "QLIKE",
    "log_hazard": "log hazard",
}


def titles() -> dict[str, str]:
    """Kind and proper score as a plot's panels name them: `price: CRPS`."""
    return {k.name: f"{k.label}: {SCORE_NAMES[k.score]}" for k in KINDS.values()}
