"""As-of reads through the warehouse, beside the same rows read without regard to revisions."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np

from predtrack_assets.domain.time.calendar import as_of, calendar
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import READER, Database
from predtrack_assets.warehouse.market import queries as market_queries

POINTS = 300  # reads of one symbol, and of one day
PANELS = 5
SEED = 20

Point = dict[str, Any]

_BARS = market_queries.BARS_AS_OF.source
_PLAIN_BARS = Query(_BARS.replace("market.market_data_as_of(:as_of)", "market.market_data"))
_DAY_AS_OF = Query("SELECT * FROM market.market_data_as_of(:as_of) WHERE trading_day = :day")
_PLAIN_DAY = Query("SELECT * FROM market.market_data WHERE trading_day = :day")


def measure(first: date, last: date) -> dict[str, dict[str, float]]:
    """Per read: product_s, reference_s (medians) and rows (of the last one)."""
    days = calendar("XNYS").between(first, last)
    random = np.random.default_rng(SEED)
    with Database().transaction(READER) as transaction:
        names = transaction.read(market_queries.SYMBOLS)["symbol"].to_list()
        end = {"as_of": as_of(last)}
        symbols = random.choice(names, POINTS).tolist()
        sampled = random.choice(days, POINTS).tolist()
        year = last - timedelta(days=364)

        def compare(asked: Query, plain: Query, points: list[Point]) -> dict[str, float]:
            return _timed(
                lambda point: transaction.read(asked, **point, **end),
                lambda point: transaction.read(plain, **point),
                points,
            )

        histories = [{"symbols": [name], "first": first, "last": last} for name in symbols]
        sections = [{"day": day} for day in sampled]
        panels = [{"symbols": names, "first": year, "last": last}] * PANELS
        return {
            "symbol_history": compare(market_queries.BARS_AS_OF, _PLAIN_BARS, histories),
            "day": compare(_DAY_AS_OF, _PLAIN_DAY, sections),
            "year_panel": compare(market_queries.BARS_AS_OF, _PLAIN_BARS, panels),
        }


def _timed(
    product: Callable[[Point], Any], reference: Callable[[Point], Any], points: list[Point]
) -> dict[str, float]:
    """Each point by both, in turn first, so that neither always finds the pages warm."""
    taken: dict[Any, list[float]] = {product: [], reference: []}
    rows = 0
    for number, point in enumerate(points):
        pair = (product, reference) if number % 2 else (reference, product)
        for read in pair:
            start = time.perf_counter()
            frame = read(point)
            taken[read].append(time.perf_counter() - start)
            rows = len(frame)
    return {
        "product_s": float(np.median(taken[product])),
        "reference_s": float(np.median(taken[reference])),
        "rows": rows,
    }
