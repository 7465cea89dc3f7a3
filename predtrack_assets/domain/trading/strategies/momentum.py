"""Momentum: yesterday's winners, the last month left out (Jegadeesh and Titman 1993)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from predtrack_assets.domain.trading.strategies.view import Signals, View, best, long_only

YEAR, MONTH = 252, 21


def momentum(view: View, parameters: Mapping[str, Any]) -> Signals:
    """Long in the best `top` (share, 0.4) by total return over `months` (12) without the last one.

    A symbol needs a return on three quarters of those days.
    """
    from predtrack_assets.domain.trading.strategies.total_returns import compounded

    length = int(parameters.get("months", 12)) * MONTH
    window = view.returns[:, -length:]
    score = compounded(window, 0, window.shape[1] - MONTH)
    known = np.isfinite(window).sum(axis=1) >= 0.75 * length
    score = np.where(known, score, np.nan)
    return long_only(score, best(score, float(parameters.get("top", 0.4))))
