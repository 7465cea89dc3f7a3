"""The regime that a symbol is in, filtered: from its past only, with a probability."""

from __future__ import annotations

import numpy as np

REGIMES = ("trending_up", "trending_down", "ranging", "volatile")
"""In the order of their codes 0, 1, 2, 3."""

MEAN = np.array([0.15, -0.15, 0.0, 0.0])
DEVIATION = np.array([0.9, 0.9, 0.7, 2.0])
STAY = 0.98  # a regime lasts 50 sessions on average

_LEAVE = (1.0 - STAY) / (len(REGIMES) - 1)
_TINY = 1e-12  # no regime is ever ruled out


def filtered_regimes(standardised: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Code and probability of the likeliest regime, each of shape (sessions, symbols).

    standardised: daily returns over the symbol's own long-run volatility. Filter of Hamilton (1989)
    with fixed parameters, normal within a regime; all are equally likely at first. A row without a
    return holds the regime; NaN before the first one.
    """
    missing = np.isnan(standardised)
    x = np.nan_to_num(np.clip(standardised, -8.0, 8.0))
    weight = np.exp(-0.5 * ((x[:, None] - MEAN[:, None]) / DEVIATION[:, None]) ** 2)
    weight /= DEVIATION[:, None]
    weight += _TINY
    np.copyto(weight, 1.0, where=missing[:, None])
    keep = np.where(missing, 1.0, STAY - _LEAVE)
    gain = np.where(missing, 0.0, _LEAVE)  # times a sum of probabilities, which is 1
    state = np.full(weight.shape[1:], 1.0 / len(REGIMES))
    total = np.empty(state.shape[1])
    for t in range(len(weight)):
        state *= keep[t]
        state += gain[t]
        state *= weight[t]
        np.add(state[0], state[1], out=total)
        total += state[2]
        total += state[3]
        state /= total
        weight[t] = state
    unseen = np.logical_and.accumulate(missing, axis=0)
    code = weight.argmax(axis=1).astype(np.float64)
    code[unseen] = np.nan
    confidence = weight.max(axis=1)
    confidence[unseen] = np.nan
    return code, confidence
