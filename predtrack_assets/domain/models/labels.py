"""What came after each day, as targets to learn from, and the day on which each became known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.market.returns import first_touch, forward_returns
from predtrack_assets.domain.models.as_of_statistics import Statistics

LABELS = ("return", "up", "hit_above", "hit_below", "volatility")


@dataclass(frozen=True)
class Labels:
    """One label of every symbol on every session, arrays of shape (symbols, sessions).

    value: float64, NaN where it is not known within the panel. end: datetime64[D], the session by
    which it was known: the touch where there is one, else the h-th session; NaT where unknown.
    """

    value: np.ndarray
    end: np.ndarray


def label(panel: Panel, statistics: Statistics, name: str, horizon: int) -> Labels:
    """The label `name` (one of LABELS) of the `horizon` sessions after each session.

    return: ln(S_T / S_0), splits undone. up: 1 where that is positive, else 0. hit_above,
    hit_below: sessions until the high (low) is one sigma sqrt(h) away from S_0, 0 where the
    deadline passes without a touch. volatility: sqrt(sum of squared daily log returns / h) over
    (D, T]; a return over missing bars stands for all of them. Prices are in the shares of D.
    Raises ValueError for another name or a horizon below 1.
    """
    if horizon < 1:
        raise ValueError(f"horizon {horizon} is not a positive count of sessions")
    if name == "return":
        value = forward_returns(panel, horizon)
    elif name == "up":
        returns = forward_returns(panel, horizon)
        value = np.where(np.isnan(returns), np.nan, returns > 0)
    elif name in ("hit_above", "hit_below"):
        return _hit(panel, statistics, name.removeprefix("hit_"), horizon)
    elif name == "volatility":
        value = _realised_volatility(panel, horizon)
    else:
        raise ValueError(f"unknown label {name!r}; there are {', '.join(LABELS)}")
    ahead = np.full(value.shape, horizon)
    return Labels(value, np.where(np.isnan(value), np.datetime64("NaT"), _session(panel, ahead)))


def _session(panel: Panel, ahead: np.ndarray) -> np.ndarray:
    """The session `ahead` (symbols, sessions) after each column, the last one at most."""
    column = np.arange(len(panel.sessions)) + ahead
    return panel.sessions[np.minimum(column, len(panel.sessions) - 1)]


def _hit(panel: Panel, statistics: Statistics, side: str, horizon: int) -> Labels:
    """A touch is known on its day, a miss once the bar of the deadline is there."""
    spread = statistics.sigma * np.sqrt(horizon)
    barrier = panel.close * np.exp(spread if side == "above" else -spread)
    touched = first_touch(panel, barrier, horizon, side)
    missed = np.isfinite(forward_returns(panel, horizon)) & (touched == 0)
    known = np.isfinite(barrier) & ((touched > 0) | missed)
    end = _session(panel, np.where(touched > 0, touched, horizon))
    return Labels(np.where(known, touched, np.nan), np.where(known, end, np.datetime64("NaT")))


def _realised_volatility(panel: Panel, horizon: int) -> np.ndarray:
    squares = np.zeros_like(panel.close)
    before = panel.close.copy()  # last close so far, in the shares of the decision day
    for k, shares in panel.shares_after(horizon):
        n = panel.close.shape[1] - k
        close = panel.close[:, k:] * shares
        step = np.log(close / before[:, :n])
        squares[:, :n] += np.where(np.isnan(step), 0.0, step * step)
        before[:, :n] = np.where(np.isnan(close), before[:, :n], close)
    whole = np.isfinite(forward_returns(panel, horizon))
    return np.where(whole, np.sqrt(squares / horizon), np.nan)
