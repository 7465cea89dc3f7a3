"""Measured steps of the feature store, each in a process of its own; see steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.features.feature_set import (
    STANDARD,
    SYMBOLS_AT_ONCE,
    MarketContext,
    compute_features,
    first_session,
)
from predtrack_assets.domain.market.panel import Panel, build_panel
from predtrack_assets.domain.time.calendar import as_of, calendar
from predtrack_assets.warehouse.database.transaction import READER, Database, Transaction
from predtrack_assets.warehouse.features import store
from predtrack_assets.warehouse.market import queries as market_queries

XNYS = calendar("XNYS")
GROUP = 128  # symbols whose features are held at once
SEED = 7
TRAINED_SYMBOLS = 220
READS = 200  # latest vectors, and histories

Found = dict[str, Any]


def features_talib(symbols: int, sessions: int) -> Found:
    """Nine indicators of random bars on one thread: TA-Lib by symbol, the product by its groups."""
    import talib

    from predtrack_assets.domain.features.indicators import (
        atr,
        bollinger,
        directional,
        ema,
        macd,
        obv,
        rsi,
        stochastic,
    )

    random = np.random.default_rng(SEED)
    close = 40 * np.exp(np.cumsum(random.normal(0, 0.01, (symbols, sessions)), axis=1))
    high, low, volume = close * 1.01, close * 0.99, random.uniform(1e3, 1e4, close.shape)
    rows = [np.ascontiguousarray(x) for x in (high, low, close, volume)]

    def reference() -> None:
        for h, lo, c, v in zip(*rows, strict=True):
            talib.RSI(c, 14), talib.ATR(h, lo, c, 14), talib.EMA(c, 20), talib.EMA(c, 50)
            talib.BBANDS(c, 20, 2, 2), talib.MACD(c), talib.ADX(h, lo, c, 14)
            talib.STOCH(h, lo, c, 14, 3, 0, 3, 0), talib.OBV(c, v)

    def product() -> None:
        for at in range(0, symbols, SYMBOLS_AT_ONCE):
            h, lo, c, v = (x[at : at + SYMBOLS_AT_ONCE] for x in rows)
            rsi(c), atr(h, lo, c), ema(c, 20), ema(c, 50)
            bollinger(c), macd(c), directional(h, lo, c)
            stochastic(h, lo, c), obv(c, v)

    taken = [(_seconds(reference), _seconds(product)) for _ in range(5)]  # in turn: loads change
    return {
        "reference_s": min(seconds for seconds, _ in taken),
        "product_s": min(seconds for _, seconds in taken),
        "rows": symbols * sessions,
    }


def features_whole(symbols: int, sessions: int) -> Found:
    """Every feature of random bars, in groups of symbols, thrown away."""
    days = XNYS.sessions[-sessions:]
    history = XNYS.between(first_session(XNYS, days[0]), days[-1])
    market = _market(history)
    taken, used, done = 0.0, 0.0, 0
    for start in range(0, symbols, GROUP):
        panel = _random_panel(min(GROUP, symbols - start), history, start)
        cpu = time.process_time()
        taken += _seconds(lambda panel=panel: compute_features(panel, market, days))
        used += time.process_time() - cpu
        done += len(panel.symbols) * sessions
    return {"product_s": taken, "cpu_s": round(used, 2), "rows": done}


def features_file(path: str) -> Found:
    """Every feature of a file of adjusted daily bars: reading it, panels and computation."""
    start, cpu = time.perf_counter(), time.process_time()
    named = {"date": "trading_day"}
    wanted = ["symbol", "date", "open", "high", "low", "close", "volume"]
    frame = pl.read_parquet(Path(path), columns=wanted).rename(named)
    frame = frame.with_columns(
        pl.col("trading_day").cast(pl.Date),
        pl.col("open", "high", "low", "close", "volume").cast(float),
    ).with_columns(known_day=pl.col("trading_day"))
    first, last = frame["trading_day"].min(), frame["trading_day"].max()
    days = XNYS.between(first, last)
    history = XNYS.between(first_session(XNYS, days[0]), last)
    market = _market(history)
    actions = pl.DataFrame(
        schema={"symbol": pl.String, "ex_date": pl.Date, "kind": pl.String, "value": pl.Float64}
    )
    names = frame["symbol"].unique().sort()
    rows = 0
    for at in range(0, len(names), GROUP):
        part = frame.filter(pl.col("symbol").is_in(names[at : at + GROUP].implode()))
        panel = build_panel(part, actions, history)
        values = compute_features(panel, market, days)
        rows += int((~np.isnan(values[:, :, -1])).sum())
    used = round(time.process_time() - cpu, 2)
    return {"product_s": time.perf_counter() - start, "cpu_s": used, "rows": rows}


def feature_reads(first: str, last: str, rows: int) -> Found:
    """Training frame, latest vectors, histories and joins as of a day, beside the plain statements."""
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    with Database().transaction(READER) as transaction:
        names = transaction.read(market_queries.SYMBOLS)["symbol"].to_list()
        found = {"training_frame": _training(transaction, names, begin, end)}
        found["latest_vector"] = _per_symbol(
            transaction, names, lambda name: store.latest_vector(transaction, STANDARD, name)
        )
        found["feature_history"] = _per_symbol(
            transaction, names, lambda name: store.symbol_history(transaction, STANDARD, name)
        )
        for size in (rows // 10, rows):
            found[f"pit_join_{size}"] = _join(transaction, names, begin, end, size)
    return found


def _training(transaction: Transaction, names: list[str], first: date, last: date) -> Found:
    """A million rows. reference_s is taken by the caller: plain binary COPY of those of `symbols`."""
    names = sorted(names)[:TRAINED_SYMBOLS]
    days = XNYS.between(first, last)
    value = np.random.default_rng(SEED).normal(size=(len(names), len(days)))
    ends = np.broadcast_to(days + 1, value.shape)
    grid = store.LabelGrid(np.array(names, dtype=object), days, value, ends)
    taken, rows = [], 0
    for _ in range(3):
        start = time.perf_counter()
        frame = store.training_frame(transaction, STANDARD, names, first, last, grid, as_of(last))
        taken.append(time.perf_counter() - start)
        rows = len(frame.labels)
    return {"product_s": min(taken), "rows": rows, "symbols": names}


def _per_symbol(
    transaction: Transaction, names: list[str], read: Callable[[str], store.FeatureRows]
) -> Found:
    chosen = np.random.default_rng(SEED).choice(names, READS).tolist()
    taken, rows = [], 0
    for name in chosen:
        start = time.perf_counter()
        rows = len(read(name))
        taken.append(time.perf_counter() - start)
    return {"product_s": float(np.median(taken)), "rows": rows}


def _join(transaction: Transaction, names: list[str], first: date, last: date, size: int) -> Found:
    """Entity rows at random; the reference: staged as they are, the same join, received only."""
    random = np.random.default_rng(SEED)
    span = (last - first).days
    days = np.datetime64(first) + random.integers(10, span, size)
    symbols = random.choice(np.array(names, dtype=object), size)
    plain = store.entities(STANDARD, symbols, days)
    taken: dict[str, list[float]] = {"product_s": [], "reference_s": []}
    for _ in range(2):
        start = time.perf_counter()
        store.point_in_time(transaction, STANDARD, symbols, days)
        taken["product_s"].append(time.perf_counter() - start)
        start = time.perf_counter()
        transaction.stage("feature_entities", store.ENTITIES, plain)
        transaction.read_arrow(store.AS_OF)
        taken["reference_s"].append(time.perf_counter() - start)
    return {**{name: min(seconds) for name, seconds in taken.items()}, "rows": size}


def _market(sessions: np.ndarray) -> MarketContext:
    n = len(sessions)
    returns = np.random.default_rng(SEED).normal(0, 0.01, n)
    return MarketContext(XNYS, returns, np.full(n, 0.5), np.full(n, 1.0), np.full(n, 20.0))


def _random_panel(symbols: int, sessions: np.ndarray, seed: int) -> Panel:
    random = np.random.default_rng(seed)
    close = 40 * np.exp(np.cumsum(random.normal(0, 0.01, (symbols, len(sessions))), axis=1))
    return Panel(
        symbols=np.array([f"S{i:04d}" for i in range(symbols)], dtype=object),
        sessions=sessions,
        open=close * 1.001,
        high=close * 1.01,
        low=close * 0.99,
        close=close,
        volume=random.uniform(1e3, 1e4, close.shape),
        split=np.ones_like(close),
        dividend=np.zeros_like(close),
        known_day=np.broadcast_to(sessions, close.shape),
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


STEPS: dict[str, Callable[..., Found]] = {
    step.__name__: step for step in (features_talib, features_whole, features_file, feature_reads)
}
