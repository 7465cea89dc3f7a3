"""Daily total returns in a fixed order of operations: equal bits however much history was read.

Compiled: import it inside functions only.
"""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.numerics.jit import jit
from predtrack_assets.domain.numerics.types import Floats

MAX_GAP = 10  # trading days without a bar after which a return is none


@jit
def session_returns(close: Floats, split: Floats, dividend: Floats, max_gap: int) -> Floats:
    """Simple returns (S, T) since the bar before, splits and dividends of the days between included.

    close, split (1 without), dividend (0 without): (S, T), as traded. NaN without a bar, and where
    the bar before is more than max_gap columns away.
    """
    found = np.full(close.shape, np.nan)
    for row in range(close.shape[0]):
        last, before = np.nan, -1
        shares, income = 1.0, 0.0
        for day in range(close.shape[1]):
            shares *= split[row, day]
            income += shares * dividend[row, day]
            if np.isnan(close[row, day]):
                continue
            if before >= 0 and day - before <= max_gap:
                found[row, day] = (close[row, day] * shares + income) / last - 1.0
            last, before = close[row, day], day
            shares, income = 1.0, 0.0
    return found


@jit
def compounded(returns: Floats, first: int, last: int) -> Floats:
    """Product of 1 + r over columns [first, last), less 1; a missing return counts as none (S,)."""
    found = np.empty(returns.shape[0])
    for row in range(returns.shape[0]):
        wealth = 1.0
        for day in range(first, last):
            if not np.isnan(returns[row, day]):
                wealth *= 1.0 + returns[row, day]
        found[row] = wealth - 1.0
    return found
