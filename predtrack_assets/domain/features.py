"""The standard features of a symbol on a day: what its bars and the market's said by then.

Sessions of the exchange are cut into blocks of BLOCK. All days of a block are computed from the
session `WARM_UP` before it, in the shares of that session. So a day has the same bits alone, in a
range or beside other symbols, and nothing that comes after it can matter.
"""

from __future__ import annotations

import ast
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from types import ModuleType

import numpy as np

from predtrack_assets.domain import bar_features, indicators, rolling, symbol_regimes
from predtrack_assets.domain.bar_features import Bars, bar_features_of
from predtrack_assets.domain.calendar import Calendar
from predtrack_assets.domain.panel import Panel

BLOCK = 512
WARM_UP = 512
THREADS = min(os.cpu_count() or 1, 4)
SYMBOLS_AT_ONCE = 128  # of which a block's matrices stay in the processor's cache

MARKET_REGIMES = ("bear", "sideways", "bull", "volatile")
"""In the order of their codes 0, 1, 2, 3."""

MARKET_COLUMNS = ("market_breadth", "market_regime", "vix_level", "day_of_week", "month_turn")


@dataclass(frozen=True)
class FeatureSet:
    """A version of a list of features.

    columns: names in the order of the vector. lookback: most sessions before a day that its
    features may touch. as_of: what a day's features may know.
    """

    name: str
    version: int
    columns: tuple[str, ...]
    lookback: int
    as_of: str
    modules: tuple[ModuleType, ...]

    @property
    def id(self) -> str:
        """name-vVersion, as rows of the feature store name it."""
        return f"{self.name}-v{self.version}"

    @cached_property
    def code_hash(self) -> str:
        """SHA-256 of the code that computes it, comments and docstrings left out."""
        digest = hashlib.sha256()
        for module in self.modules:
            digest.update(_code(Path(str(module.__file__))).encode())
        return digest.hexdigest()


def _code(path: Path) -> str:
    """The syntax tree of a module without the texts that stand alone in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [part for part in node.body if not _is_text(part)]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


STANDARD = FeatureSet(
    name="standard",
    version=1,
    columns=(*bar_features.COLUMNS, *MARKET_COLUMNS),
    lookback=WARM_UP + BLOCK - 1,
    as_of="Bars, actions and market conditions with knowledge_time <= 24:00 UTC of the trading day.",
    modules=(bar_features, indicators, rolling, symbol_regimes),
)


@dataclass(frozen=True)
class MarketContext:
    """What is the same for all symbols of an exchange; arrays follow the sessions of the panel.

    exchange: whose sessions are cut into blocks. benchmark_return: log return of the benchmark on
    the session, NaN where it has none. market_breadth: 0 to 1. market_regime: index into
    MARKET_REGIMES. vix_level: percent a year.
    """

    exchange: Calendar
    benchmark_return: np.ndarray
    market_breadth: np.ndarray
    market_regime: np.ndarray
    vix_level: np.ndarray


def first_session(exchange: Calendar, day: np.datetime64) -> date:
    """The session at which the panel of `day` must begin, or earlier."""
    return exchange.sessions[_anchor(_position(exchange, day))].item()


def compute_features(panel: Panel, market: MarketContext, days: np.ndarray) -> np.ndarray:
    """Values of STANDARD, float64 (symbols, len(days), features), NaN where unknown.

    panel: from first_session(exchange, days[0]) or earlier on. days: sorted datetime64[D]; a day
    that is no session of the panel, or on which a symbol has no bar, is NaN throughout. Raises
    ValueError when the panel begins too late.
    """
    values = np.full((len(panel.symbols), len(days), len(STANDARD.columns)), np.nan)
    column = np.searchsorted(panel.sessions, days)
    inside = np.isin(days, panel.sessions)
    if not inside.any():
        return values
    offset = _position(market.exchange, panel.sessions[0])
    position = offset + column
    tasks = []
    for block in np.unique(position[inside] // BLOCK):
        asked = np.flatnonzero(inside & (position // BLOCK == block))
        start = _anchor(block * BLOCK) - offset
        if start < 0:
            first = first_session(market.exchange, days[asked[0]])
            raise ValueError(f"the panel of {days[asked[0]]} must begin on {first} or earlier")
        part = slice(start, int(column[asked[-1]]) + 1)
        tasks += [
            (slice(at, at + SYMBOLS_AT_ONCE), part, asked, column[asked] - start)
            for at in range(0, len(panel.symbols), SYMBOLS_AT_ONCE)
        ]

    def fill(task: tuple[slice, slice, np.ndarray, np.ndarray]) -> None:
        rows, part, asked, wanted = task
        values[rows, asked] = _block(panel, market, rows, part, wanted)

    with ThreadPoolExecutor(THREADS) as pool:  # NumPy lets go of the interpreter meanwhile
        list(pool.map(fill, tasks))
    return values


def _position(exchange: Calendar, day: np.datetime64) -> int:
    return int(np.searchsorted(exchange.sessions, day))


def _anchor(position: int) -> int:
    return max(position // BLOCK * BLOCK - WARM_UP, 0)


def _block(
    panel: Panel, market: MarketContext, rows: slice, part: slice, wanted: np.ndarray
) -> np.ndarray:
    """(symbols, wanted, features) of some symbols, computed from the first session of `part`."""
    bars = _bars(panel, rows, part)
    result = np.empty((len(STANDARD.columns), len(wanted), bars.close.shape[1]))
    columns = bar_features_of(bars, market.benchmark_return[part])
    for number, name in enumerate(bar_features.COLUMNS):
        result[number] = columns[name][wanted]
    for number, name in enumerate(MARKET_COLUMNS, len(bar_features.COLUMNS)):
        result[number] = _market(market, panel.sessions, name)[part][wanted][:, None]
    result += 0.0  # no negative zeros: they compare equal and have other bits
    result[~np.isfinite(result)] = np.nan
    result[:, np.isnan(bars.close[wanted])] = np.nan
    return result.transpose(2, 1, 0)


def _bars(panel: Panel, rows: slice, part: slice) -> Bars:
    """Bars as (sessions, symbols) in the shares of the first session."""
    split = panel.split[rows, part].T.copy()
    split[0] = 1.0
    shares = np.cumprod(split, axis=0)

    def price(matrix: np.ndarray) -> np.ndarray:
        return matrix[rows, part].T * shares

    return Bars(
        open=price(panel.open),
        high=price(panel.high),
        low=price(panel.low),
        close=price(panel.close),
        volume=panel.volume[rows, part].T / shares,
    )


def _market(market: MarketContext, sessions: np.ndarray, name: str) -> np.ndarray:
    if name == "day_of_week":
        return (sessions.astype("datetime64[D]").astype(np.int64) + 3) % 7 * 1.0
    if name == "month_turn":
        return _month_turn(market.exchange, sessions)
    return getattr(market, name)


def _month_turn(exchange: Calendar, sessions: np.ndarray) -> np.ndarray:
    """1 on the last session of a month and the first three of the next (Lakonishok, Smidt 1988)."""
    position = np.searchsorted(exchange.sessions, sessions)
    month = exchange.sessions.astype("datetime64[M]")
    last = len(month) - 1
    begins = month[np.maximum(position - 3, 0)] != month[position]
    ends = month[np.minimum(position + 1, last)] != month[position]
    return (begins | ends) * 1.0
