"""What is measured of the paper book: fills in memory, and twenty years into PostgreSQL."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.domain.trading.book import new_book, run, step
from predtrack_assets.domain.trading.execution.market_day import Bar, Day, Session
from predtrack_assets.domain.trading.execution.orders import OrderRequest
from predtrack_assets.domain.trading.rules import ExecutionRules
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.trading.books import make_book, write_days

Orders = Callable[[int, date, list[str]], tuple[OrderRequest, ...]]

RULES = ExecutionRules(participation=None)
CAPITAL = Decimal(1_000_000_000)
FIRST = date(2000, 1, 3)


def book_fills(symbols: int, days: int) -> dict[str, Any]:
    """Processor seconds of a fold in which every symbol is ordered and filled every day."""
    market = list(_days(symbols, days, _every_day))
    state, fills = new_book("bench", CAPITAL, RULES), 0
    gc.collect()
    gc.freeze()  # the inputs; what the fold makes has no cycles
    began = time.process_time()
    for day in market:
        state, rows = step(state, day)
        fills += len(rows.fills)
    return {"cpu_s": time.process_time() - began, "fills": fills}


def book_twenty_years(symbols: int, days: int) -> dict[str, Any]:
    """Equal weights every month, computed and written year by year; this process's seconds."""
    database = Database()
    began, cpu = time.perf_counter(), time.process_time()
    state, fills, written = new_book("bench", CAPITAL, RULES), 0, 0
    with database.transaction() as transaction:
        make_book(transaction, state)
    for year in _years(_days(symbols, days, _every_month)):
        state, rows = run(state, year)
        fills += len(rows.fills)
        with database.transaction() as transaction:
            written += write_days(transaction, "bench", rows, "replay").inserted
    return {
        "product_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "fills": fills,
        "rows": written,
    }


def _every_day(n: int, day: date, symbols: list[str]) -> tuple[OrderRequest, ...]:
    """Three days of buying, then all of it sold."""
    side, quantity = ("buy", Decimal(10)) if n % 4 < 3 else ("sell", Decimal(30))
    return tuple(
        OrderRequest(_end(day), symbol, side, quantity)  # type: ignore[arg-type]
        for symbol in symbols
    )


def _every_month(n: int, day: date, symbols: list[str]) -> tuple[OrderRequest, ...]:
    """On every 21st session, the same weight of each symbol."""
    weight = Decimal(1) / len(symbols)
    asked = symbols if n % 21 == 0 else []
    return tuple(OrderRequest(_end(day), symbol, None, None, weight) for symbol in asked)


def _days(symbols: int, count: int, orders: Orders) -> Iterator[Day]:
    """Random walks of as many symbols, in New York's sessions."""
    names = [f"B{n:04d}" for n in range(symbols)]
    random = np.random.default_rng(7)
    close = random.uniform(20, 200, symbols)
    market = calendar("XNYS")
    sessions = market.offset(FIRST, np.arange(count))
    opens, closes = market.opens_utc(sessions), market.closes_utc(sessions)
    moments = zip(sessions.tolist(), opens.tolist(), closes.tolist(), strict=True)
    for n, (day, opened, closed) in enumerate(moments):
        session = Session("XNYS", opened.replace(tzinfo=UTC), closed.replace(tzinfo=UTC))
        open_ = np.round(close * random.normal(1, 0.005, symbols), 4)
        close = np.round(open_ * random.normal(1.0002, 0.01, symbols), 4)
        high, low = np.maximum(open_, close), np.minimum(open_, close)
        prices = zip(open_.tolist(), high.tolist(), low.tolist(), close.tolist(), strict=True)
        bars = {name: Bar(*row, 1e7, session) for name, row in zip(names, prices, strict=True)}
        yield Day(day, {"XNYS": session}, bars, orders=orders(n, day, names))


def _years(days: Iterator[Day]) -> Iterator[list[Day]]:
    year: list[Day] = []
    for day in days:
        if year and day.day.year != year[0].day.year:
            yield year
            year = []
        year.append(day)
    yield year


def _end(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


STEPS = {step.__name__: step for step in (book_fills, book_twenty_years)}
