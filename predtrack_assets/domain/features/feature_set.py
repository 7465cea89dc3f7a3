"""The standard features of a symbol on a day: from its bars and the market's known by then.

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

import numpy as np

from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.time.calendar import Calendar

BLOCK = 512
WARM_UP = 512
THREADS = min(os.cpu_count() or 1, 4)
SYMBOLS_AT_ONCE = 8  # of which a block's matrices stay in the processor's cache

MARKET_REGIMES = ("bear", "sideways", "bull", "volatile")
"""In the order of their codes 0, 1, 2, 3."""

BAR_COLUMNS = (
    "return_1", "return_5", "return_10", "return_21", "return_63", "return_126", "return_252",
    "volatility_5", "volatility_10", "volatility_21", "volatility_63", "volatility_126",
    "volatility_252",
    "ewma_volatility", "parkinson_volatility_21", "garman_klass_volatility_21",
    "rsi_14", "atr_14", "ema_20", "ema_50", "sma_50", "sma_200", "bollinger_percent",
    "bollinger_width", "macd_line", "macd_signal", "macd_histogram", "adx_14", "plus_di_14",
    "minus_di_14", "stochastic_k", "stochastic_d", "obv_slope_21", "volume_z_21",
    "dollar_volume_21", "gap", "intraday_range", "high_252", "low_252", "high_21", "low_21",
    "drawdown_252", "skew_63", "kurtosis_63", "autocorrelation_63", "beta_63", "correlation_63",
    "relative_strength_63", "symbol_regime", "symbol_regime_confidence",
)  # fmt: skip

MARKET_COLUMNS = ("market_breadth", "market_regime", "vix_level", "day_of_week", "month_turn")

_DOMAIN = Path(__file__).parents[1]


@dataclass(frozen=True)
class FeatureSet:
    """A version of a list of features.

    columns: names in the order of the vector. lookback: most sessions before a day that its
    features may touch. as_of: what a day's features may know. modules: of this folder, its code.
    """

    name: str
    version: int
    columns: tuple[str, ...]
    lookback: int
    as_of: str
    modules: tuple[str, ...]

    @property
    def id(self) -> str:
        """name-vVersion, as rows of the feature store name it."""
        return f"{self.name}-v{self.version}"

    @cached_property
    def code_hash(self) -> str:
        """SHA-256 of the code that computes it; imports, comments and docstrings are left out."""
        digest = hashlib.sha256()
        for module in self.modules:
            digest.update(_code(_DOMAIN / f"{module}.py").encode())
        return digest.hexdigest()


def _code(path: Path) -> str:
    """The syntax tree of a module without its imports and the texts that stand alone in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [part for part in node.body if not _is_beside_the_code(part)]
    return ast.dump(tree)


def _is_beside_the_code(node: ast.AST) -> bool:
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return text or isinstance(node, ast.Import | ast.ImportFrom)


STANDARD = FeatureSet(
    name="standard",
    version=1,
    columns=(*BAR_COLUMNS, *MARKET_COLUMNS),
    lookback=WARM_UP + BLOCK - 1,
    as_of="Bars, actions and market conditions with knowledge_time <= 24:00 UTC of the trading day.",
    modules=(
        "features/indicators",
        "features/price_features",
        "features/symbol_regimes",
        "features/vectors",
        "numerics/jit",
    ),
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
    from predtrack_assets.domain.features.price_features import bar_features_of, bars_of
    from predtrack_assets.domain.features.vectors import write_vectors

    values = np.empty((len(panel.symbols), len(days), len(STANDARD.columns)))
    column = np.searchsorted(panel.sessions, days)
    inside = np.isin(days, panel.sessions)
    values[:, ~inside] = np.nan
    if not inside.any():
        return values
    offset = _position(market.exchange, panel.sessions[0])
    position = offset + column
    shared = np.stack([_market(market, panel.sessions, name) for name in MARKET_COLUMNS])
    tasks = []
    for block in np.unique(position[inside] // BLOCK):
        asked = np.flatnonzero(inside & (position // BLOCK == block))
        start = _anchor(block * BLOCK) - offset
        if start < 0:
            first = first_session(market.exchange, days[asked[0]])
            raise ValueError(f"the panel of {days[asked[0]]} must begin on {first} or earlier")
        part = slice(start, int(column[asked[-1]]) + 1)
        tasks += [
            (slice(at, at + SYMBOLS_AT_ONCE), part, asked)
            for at in range(0, len(panel.symbols), SYMBOLS_AT_ONCE)
        ]

    def fill(task: tuple[slice, slice, np.ndarray]) -> None:
        rows, part, asked = task
        bars = bars_of(panel, rows, part)
        columns = bar_features_of(bars, market.benchmark_return[part])
        first, last = column[asked[0]], column[asked[-1]] + 1
        span = slice(first - part.start, last - part.start)
        own = np.stack([columns[name][:, span] for name in BAR_COLUMNS], axis=1)
        close = np.ascontiguousarray(bars.close[:, span])
        of_all = np.ascontiguousarray(shared[:, first:last])
        write_vectors(values[rows], asked, own, of_all, close, column[asked] - first)

    with ThreadPoolExecutor(THREADS) as pool:  # the work lets go of the interpreter
        list(pool.map(fill, tasks))
    return values


def _position(exchange: Calendar, day: np.datetime64) -> int:
    return int(np.searchsorted(exchange.sessions, day))


def _anchor(position: int) -> int:
    return max(position // BLOCK * BLOCK - WARM_UP, 0)


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
