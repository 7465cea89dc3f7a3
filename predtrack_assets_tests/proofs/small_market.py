"""A market with everything a leak could feed on: a gap, splits, a correction, changing members."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.settings import Settings
from predtrack_assets_tests import graph

FIRST, LAST = date(2021, 1, 4), date(2021, 8, 27)
DAY = date(2021, 7, 14)  # a Wednesday; what comes after it is the future
LATER = DAY + timedelta(days=5)
SEEN = graph.utc(2021, 8, 10, 12)  # when a bar of May is corrected
BENCHMARK = "^GSPC"
SETTINGS = Settings(horizons=(1, 4), benchmark=BENCHMARK)


def store(url: str) -> None:
    """Six symbols on XNYS over eight months."""
    days = calendar("XNYS").between(np.datetime64(FIRST), np.datetime64(LAST))
    for seed, symbol in enumerate((BENCHMARK, "PLAIN", "SPLIT", "GAPS", "LEFT", "JOINED")):
        bars = graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        if symbol == "GAPS":
            bars = bars.filter(pl.col("date") != DAY)
        if symbol == "SPLIT":
            after = pl.when(pl.col("date") >= LATER).then(0.5).otherwise(1.0)
            bars = bars.with_columns(pl.col("open", "high", "low", "close") * after)
        graph.store_bars(url, bars)
    graph.store_action(url, "SPLIT", LATER, "split", 2.0, graph.utc(2021, 7, 19, 21))
    graph.store_action(url, "PLAIN", date(2021, 3, 1), "dividend", 0.5, graph.utc(2021, 3, 1, 21))
    corrected = graph.random_walk(days[100:101], 9).with_columns(
        symbol=pl.lit("PLAIN"), knowledge_time=pl.lit(SEEN)
    )
    graph.store_bars(url, corrected)
    for symbol, start, end in (
        ("PLAIN", None, None),
        ("SPLIT", FIRST, None),
        ("GAPS", FIRST, None),
        ("LEFT", FIRST, LATER),
        ("JOINED", LATER, None),
    ):
        graph.execute(
            url,
            "INSERT INTO market.universe_members VALUES ('SMALL', %s, %s, %s, 'test')",
            *(symbol, start, end),
        )
