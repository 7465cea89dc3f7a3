"""A book from files: anybody's orders against prices as traded, without a database."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from predtrack_assets.domain.trading.book import new_book, run
from predtrack_assets.domain.trading.days import days_of
from predtrack_assets.domain.trading.reconciliation import Evidence, reconcile
from predtrack_assets.domain.trading.rules import ExecutionRules
from predtrack_assets.domain.trading.summary import summary_of
from predtrack_assets.sources.book_files import read_actions, read_orders, read_prices

BOOK = "file"


def run_files(
    orders: Path, prices: Path, actions: Path | None, rules: ExecutionRules, capital: Decimal
) -> dict[str, Any]:
    """What a book came to (`summary_of`), and `warnings`: what of the files is not read.

    Raises BookFileError naming file and row, ValueError for prices without a bar or capital
    that is not above 0.
    """
    state = new_book(BOOK, capital, rules)
    bars = read_prices(prices)
    asked = read_orders(orders, set(bars.prices["symbol"]))
    known = bars.actions + ([] if actions is None else read_actions(actions, bars.prices))
    days = days_of(bars.prices, asked.orders, known)
    if not days:
        raise ValueError(f"{prices.name} has no bar")
    state, rows = run(state, days)
    by_day = {day.day: day.bars for day in days}
    latest = tuple(dated.action for dated in sorted(known, key=lambda dated: dated.known_at))
    checks = reconcile(Evidence(rows, state, lambda day, symbol: by_day[day].get(symbol), latest))
    return {**summary_of(state, rows, checks), "warnings": bars.warnings + asked.warnings}
