"""The regime that a symbol is in, filtered: from its past only, with a probability."""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.numerics.jit import jit

REGIMES = ("trending_up", "trending_down", "ranging", "volatile")
"""In the order of their codes 0, 1, 2, 3."""

MEAN = np.array([0.15, -0.15, 0.0, 0.0])
DEVIATION = np.array([0.9, 0.9, 0.7, 2.0])
STAY = 0.98  # a regime lasts 50 sessions on average

_LEAVE = (1.0 - STAY) / (len(REGIMES) - 1)
_TINY = 1e-12  # no regime is ever ruled out


@jit
def filtered_regimes(standardised: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Code and probability of the likeliest regime, each of shape (symbols, sessions).

    standardised: daily returns over the symbol's own long-run volatility. Filter of Hamilton (1989)
    with fixed parameters, normal within a regime; all are equally likely at first. A session
    without a return holds the regime; NaN before the first one.
    """
    code = np.full(standardised.shape, np.nan)
    confidence = np.full(standardised.shape, np.nan)
    regimes = len(MEAN)
    for i in range(standardised.shape[0]):
        state, likeliest, seen = np.full(regimes, 1.0 / regimes), 0, False
        for t in range(standardised.shape[1]):
            x = min(max(standardised[i, t], -8.0), 8.0)
            if not np.isnan(standardised[i, t]):
                seen, total = True, 0.0
                for r in range(regimes):
                    weight = np.exp(-0.5 * ((x - MEAN[r]) / DEVIATION[r]) ** 2) / DEVIATION[r]
                    state[r] = (state[r] * (STAY - _LEAVE) + _LEAVE) * (weight + _TINY)
                    total += state[r]
                likeliest = 0
                for r in range(regimes):
                    state[r] /= total
                    likeliest = r if state[r] > state[likeliest] else likeliest
            if seen:
                code[i, t], confidence[i, t] = likeliest, state[likeliest]
    return code, confidence
