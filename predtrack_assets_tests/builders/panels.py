"""Random panels for tests of what is computed from them."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import strategies as st

from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.time.calendar import calendar

XNYS = calendar("XNYS")
FIRST = np.datetime64("2020-01-02")


def random_panel(
    symbols: int = 3,
    sessions: int = 60,
    seed: int = 0,
    *,
    gaps: float = 0.1,
    splits: float = 0.03,
    dividends: float = 0.03,
    volatility: float = 0.03,
    first: np.datetime64 = FIRST,
) -> Panel:
    """A panel of random walks with missing bars, splits and dividends of the given frequency."""
    random = np.random.default_rng(seed)
    shape = (symbols, sessions)
    split = np.where(random.random(shape) < splits, random.choice([2.0, 3.0, 0.5], shape), 1.0)
    dividend = np.where(random.random(shape) < dividends, random.uniform(0.1, 1.0, shape), 0.0)
    walk = 50 * np.exp(np.cumsum(random.normal(0, volatility, shape), axis=1))
    close = walk / np.cumprod(split, axis=1)
    high = close * np.exp(np.abs(random.normal(0, volatility / 2, shape)))
    low = close * np.exp(-np.abs(random.normal(0, volatility / 2, shape)))
    missing = random.random(shape) < gaps
    opened = low + random.random(shape) * (high - low)
    volume = np.exp(random.normal(13, 1, shape)) * np.cumprod(split, axis=1)
    days = XNYS.between(first, np.datetime64("2025-12-31"))[:sessions]
    known = np.where(missing, np.datetime64("NaT", "D"), np.broadcast_to(days, shape))
    return Panel(
        symbols=np.array([f"S{i:02d}" for i in range(symbols)], dtype=object),
        sessions=days,
        open=np.where(missing, np.nan, opened),
        high=np.where(missing, np.nan, high),
        low=np.where(missing, np.nan, low),
        close=np.where(missing, np.nan, close),
        volume=np.where(missing, np.nan, volume),
        split=split,
        dividend=dividend,
        known_day=known,
    )


def constant(panel: Panel, price: float) -> Panel:
    """The same bars, all at one price, without actions."""
    prices = np.where(np.isnan(panel.close), np.nan, price)
    still = np.ones_like(panel.split)
    return dataclasses.replace(
        panel,
        open=prices,
        high=prices,
        low=prices,
        close=prices,
        split=still,
        dividend=still * 0,
    )


def only_first_bar(panel: Panel) -> Panel:
    """Nothing but the bars of the first session."""
    later = np.arange(len(panel.sessions)) > 0
    blank = {
        name: np.where(later, np.nan, getattr(panel, name))
        for name in ("open", "high", "low", "close", "volume")
    }
    return dataclasses.replace(panel, **blank)


@st.composite
def panels(draw: st.DrawFn, sessions: int = 60) -> Panel:
    """Panels with gaps and actions, quiet or wild; some constant, some of a single bar."""
    panel = random_panel(
        symbols=draw(st.integers(1, 4)),
        sessions=draw(st.integers(1, sessions)),
        seed=draw(st.integers(0, 2**32 - 1)),
        gaps=draw(st.sampled_from([0.0, 0.1, 0.6, 1.0])),
        splits=draw(st.sampled_from([0.0, 0.05])),
        volatility=draw(st.sampled_from([1e-7, 0.01, 0.3])),
    )
    change = draw(st.sampled_from([None, constant, only_first_bar]))
    if change is constant:
        return constant(panel, 10.0)
    return only_first_bar(panel) if change is only_first_bar else panel
