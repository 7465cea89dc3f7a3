"""Returns of a panel: daily, over a horizon, and when a price is first touched."""

from __future__ import annotations

import numpy as np

from predtrack_assets.domain.market.panel import Panel

MAX_GAP = 5  # sessions a return may span when bars are missing


def shift(matrix: np.ndarray, k: int) -> np.ndarray:
    """Columns moved k to the right, NaN before them.

    >>> shift(np.array([[1.0, 2.0, 3.0]]), 1).tolist()
    [[nan, 1.0, 2.0]]
    """
    shifted = np.full_like(matrix, np.nan)
    shifted[:, k:] = matrix[:, : max(matrix.shape[1] - k, 0)]
    return shifted


def forward_returns(panel: Panel, horizon: int) -> np.ndarray:
    """ln(S_{t+h} / S_t) with splits in between undone; NaN where either bar is missing.

    >>> close = np.array([[100.0, 102.0, 52.0]])  # a split of two for one before the third session
    >>> days, none = np.arange("2024-01-02", "2024-01-05", dtype="M8[D]"), np.zeros((1, 3))
    >>> split = np.array([[1.0, 1.0, 2.0]])
    >>> panel = Panel(np.array(["A"]), days, *[close] * 4, none, split, none, days[None])
    >>> forward_returns(panel, 1).round(4).tolist()
    [[0.0198, 0.0194, nan]]
    """
    result = np.full_like(panel.close, np.nan)
    for k, shares in panel.shares_after(horizon):
        if k == horizon:
            n = panel.close.shape[1] - k
            result[:, :n] = np.log(panel.close[:, k:] * shares / panel.close[:, :n])
    return result


def daily_returns(panel: Panel) -> np.ndarray:
    """Log price return into each session from the last bar at most MAX_GAP sessions before.

    >>> close = np.array([[100.0, 102.0, 52.0]])  # a split of two for one before the third session
    >>> days, none = np.arange("2024-01-02", "2024-01-05", dtype="M8[D]"), np.zeros((1, 3))
    >>> split = np.array([[1.0, 1.0, 2.0]])
    >>> panel = Panel(np.array(["A"]), days, *[close] * 4, none, split, none, days[None])
    >>> daily_returns(panel).round(4).tolist()
    [[nan, 0.0198, 0.0194]]
    """
    result = np.full_like(panel.close, np.nan)
    for k, shares in panel.shares_after(MAX_GAP):
        n = panel.close.shape[1] - k
        step = np.log(panel.close[:, k:] * shares / panel.close[:, :n])
        result[:, k:] = np.where(np.isnan(result[:, k:]), step, result[:, k:])
    return result


def first_touch(panel: Panel, barrier: np.ndarray, horizon: int, side: str) -> np.ndarray:
    """Sessions until high (side 'above') or low ('below') reaches `barrier`, 0 if not by `horizon`.

    barrier: (symbols, sessions), in the share basis of its own column.

    >>> close = np.array([[100.0, 102.0, 52.0]])  # a split of two for one before the third session
    >>> days, none = np.arange("2024-01-02", "2024-01-05", dtype="M8[D]"), np.zeros((1, 3))
    >>> split = np.array([[1.0, 1.0, 2.0]])
    >>> panel = Panel(np.array(["A"]), days, *[close] * 4, none, split, none, days[None])
    >>> first_touch(panel, 1.03 * close, horizon=2, side="above").tolist()
    [[2, 0, 0]]
    """
    touched = np.zeros(barrier.shape, dtype=np.int64)
    extreme = panel.high if side == "above" else panel.low
    for k, shares in panel.shares_after(horizon):
        n = barrier.shape[1] - k
        reached = extreme[:, k:] * shares
        hit = reached >= barrier[:, :n] if side == "above" else reached <= barrier[:, :n]
        touched[:, :n] = np.where((touched[:, :n] == 0) & hit, k, touched[:, :n])
    return touched
