"""As-of reads through the warehouse, beside the same rows read without regard to revisions."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np

from predtrack_assets.domain.calendar import as_of, calendar
from predtrack_assets.warehouse import queries
from predtrack_assets.warehouse.queries import Query
from predtrack_assets.warehouse.warehouse import READER, Transaction, Warehouse

POINTS = 300  # reads of one symbol, and of one day
PANELS = 5
SEED = 20

_COLUMNS = "symbol, trading_day, open, high, low, close, volume, quality, knowledge_time"
_AS_OF = "FROM market.market_data_as_of(:as_of)"
_PLAIN = "FROM market.market_data"
_OF_SYMBOL = "WHERE symbol = :symbol AND trading_day <= :day ORDER BY trading_day"
_OF_DAY = "WHERE trading_day = :day"
_OF_YEAR = "WHERE trading_day BETWEEN :first AND :last"


def measure(first: date, last: date) -> dict[str, dict[str, float]]:
    """Per read: product_s, reference_s (medians) and rows (of the last one)."""
    days = calendar("XNYS").between(first, last)
    random = np.random.default_rng(SEED)
    with Warehouse().transaction(READER) as transaction:
        names = transaction.read(queries.SYMBOLS)["symbol"].to_list()
        end = as_of(last)
        symbols = random.choice(names, POINTS).tolist()
        sampled = random.choice(days, POINTS).tolist()
        histories = [{"symbol": symbol, "day": last} for symbol in symbols]
        sections = [{"day": day} for day in sampled]
        year = {"first": last - timedelta(days=364), "last": last}
        panel = {**year, "symbols": names, "as_of": end}
        return {
            "symbol_history": _compare(transaction, _OF_SYMBOL, histories, end),
            "day": _compare(transaction, _OF_DAY, sections, end),
            "year_panel": _timed(
                lambda _: transaction.read(queries.BARS_AS_OF, **panel),
                lambda _: transaction.read(_query(_PLAIN, _OF_YEAR), **year),
                [{}] * PANELS,
            ),
        }


def _query(source: str, condition: str) -> Query:
    return Query(f"SELECT {_COLUMNS} {source} {condition}")


def _compare(
    transaction: Transaction, condition: str, points: list[dict[str, Any]], end: Any
) -> dict[str, float]:
    as_known, plain = _query(_AS_OF, condition), _query(_PLAIN, condition)
    return _timed(
        lambda point: transaction.read(as_known, **point, as_of=end),
        lambda point: transaction.read(plain, **point),
        points,
    )


def _timed(
    product: Callable[[dict], Any], reference: Callable[[dict], Any], points: list[dict[str, Any]]
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
