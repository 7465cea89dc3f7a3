"""Columns of features laid out as one vector per symbol and day."""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.numerics.jit import jit

DAYS_AT_ONCE = 8  # of a column lie side by side in a line of the cache


@jit
def write_vectors(
    values: np.ndarray,
    days: np.ndarray,
    own: np.ndarray,
    shared: np.ndarray,
    close: np.ndarray,
    sessions: np.ndarray,
) -> None:
    """Fill values[:, days] (symbols, days, features): the features `own`, then those `shared`.

    own: (symbols, features, sessions); shared: (features, sessions); both are read at `sessions`.
    What is not finite becomes NaN, -0 becomes 0; a session without a close is NaN throughout.
    """
    first = own.shape[1]
    for i in range(len(values)):
        for begin in range(0, len(days), DAYS_AT_ONCE):
            end = min(begin + DAYS_AT_ONCE, len(days))
            for f in range(first):
                column = own[i, f]
                for k in range(begin, end):
                    values[i, days[k], f] = column[sessions[k]]
            for k in range(begin, end):
                vector, t = values[i, days[k]], sessions[k]
                for f in range(len(shared)):
                    vector[first + f] = shared[f, t]
                unknown = np.isnan(close[i, t])
                for f in range(len(vector)):
                    known = np.isfinite(vector[f]) and not unknown
                    vector[f] = vector[f] + 0.0 if known else np.nan
