"""The baselines that every strategy has to beat: all of the universe, once or again and again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from predtrack_assets.domain.trading.strategies.view import Signals, View, long_only


def everything(view: View, parameters: Mapping[str, Any]) -> Signals:
    """Long in every symbol. Rebalanced once it is buy and hold, monthly it is equal weight."""
    score = np.ones(view.symbols.size)
    return long_only(score, score > 0)
