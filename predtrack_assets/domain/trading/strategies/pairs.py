"""Statistical arbitrage: both legs of cointegrated pairs that have drifted apart (Gatev et al. 2006)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.trading.strategies.view import Signals, View

FORMATION = 252


def pairs(view: View, parameters: Mapping[str, Any]) -> Signals:
    """Long the cheap and short the dear leg of each chosen pair while its spread is wide.

    Once a month all pairs of symbols with a year of returns are tested on the year up to the end of
    the month before; every one of them is a trial. Chosen are those that e-BH keeps at `fdr` (0.1),
    `most` (10) at most. The spread, in its own standard deviations of that year, opens a position
    beyond `enter` (2) and closes it within `leave` (0.5).
    """
    from predtrack_assets.domain.trading.strategies.cointegration import (
        log_prices,
        p_values,
        screen,
    )

    enter, leave = float(parameters.get("enter", 2.0)), float(parameters.get("leave", 0.5))
    end = view.previous_month_end + 1
    size = view.symbols.size
    nothing = np.zeros(size)
    nan = np.full(size, np.nan)
    rows = np.flatnonzero(np.isfinite(view.returns[:, max(end - FORMATION, 0) :]).all(axis=1))
    if end < FORMATION or rows.size < 2:
        return Signals(nothing, np.zeros(size, np.int8), nan)
    levels = log_prices(np.ascontiguousarray(view.returns[rows, end - FORMATION :]))
    found, tested = screen(levels[:, :FORMATION])
    kept = _kept(p_values(tested[:, 0]), float(parameters.get("fdr", 0.1)))[
        : int(parameters.get("most", 10))
    ]
    weight = np.zeros(size)
    names = []
    for pair in kept.tolist():
        i, j = found[pair]
        _, intercept, slope, _, deviation = tested[pair]
        spread = (
            levels[i, FORMATION - 1 :] - intercept - slope * levels[j, FORMATION - 1 :]
        ) / deviation
        side = _side(spread, enter, leave)
        weight[rows[i]] += side / (1 + abs(slope)) / kept.size
        weight[rows[j]] -= side * slope / (1 + abs(slope)) / kept.size
        names.append(f"{view.symbols[rows[i]]}/{view.symbols[rows[j]]}")
    return Signals(
        weight, np.sign(weight).astype(np.int8), nan, float(min(np.abs(weight).sum(), 1.0)),
        np.where(weight != 0, np.abs(weight), np.nan), len(found), tuple(names),
    )  # fmt: skip


def _kept(p: Floats, fdr: float) -> np.ndarray:
    """Pairs that e-BH keeps (Wang and Ramdas 2022), best first; e = 1 / (2 sqrt p), however dependent."""
    e = 0.5 / np.sqrt(np.maximum(p, 1e-300))
    order = np.argsort(-e, kind="stable")
    enough = np.flatnonzero(e[order] * np.arange(1, p.size + 1) >= p.size / fdr)
    return order[: enough[-1] + 1] if enough.size else order[:0]


def _side(spread: Floats, enter: float, leave: float) -> float:
    """Where a position stands at the end of a path of the spread: 1 long the first leg, -1 short."""
    side = 0.0
    for z in spread.tolist():
        if side and abs(z) <= leave:
            side = 0.0
        if not side and abs(z) >= enter:
            side = -1.0 if z > 0 else 1.0
    return side
