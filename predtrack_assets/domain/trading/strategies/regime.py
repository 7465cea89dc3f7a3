"""Regime: all of the universe, as far as the market is probably calm (Hamilton 1989)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from predtrack_assets.domain.trading.strategies.view import Signals, View, long_only

MIN_SESSIONS = 500


def regime(view: View, parameters: Mapping[str, Any]) -> Signals:
    """Long in every symbol with the filtered probability of the calm state as exposure.

    Two states of the benchmark's daily returns, each normal, fitted on the days up to the end of
    the month before; the probability of the day is filtered, never smoothed: it uses no later day.
    Out of the market with fewer than 500 days to fit on.
    """
    from predtrack_assets.domain.trading.strategies.two_states import filtered, fitted

    score = np.ones(view.symbols.size)
    known = view.market[: view.previous_month_end + 1]
    known = known[np.isfinite(known)]
    if known.size < MIN_SESSIONS:
        return long_only(score, score > 0, 0.0)
    states = fitted(known)
    calm = filtered(states, view.market[np.isfinite(view.market)])[-1]
    return long_only(score, score > 0, float(calm))
