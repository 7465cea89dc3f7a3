"""Paper books over a range of days: one fold, from the state that was left to the last day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from predtrack_assets.days import Window, sessions_of
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.domain.trading.book import new_book, step
from predtrack_assets.domain.trading.rebalancing import target_orders
from predtrack_assets.domain.trading.state import BookState, Rows
from predtrack_assets.domain.trading.strategies.strategy import Strategy
from predtrack_assets.services.trading.book_days import BookDays, earliest_open
from predtrack_assets.services.trading.market_history import read_history
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.market.epochs import market_epochs
from predtrack_assets.warehouse.trading import book_inputs
from predtrack_assets.warehouse.trading import strategies as store
from predtrack_assets.warehouse.trading.books import make_book, write_days
from predtrack_assets.warehouse.trading.snapshots import read_snapshot, write_snapshot

Weights = dict[date, dict[str, Decimal]]


@dataclass
class _Running:
    """A book on its way. begins: the day after which it steps on."""

    strategy: Strategy
    state: BookState
    begins: date
    weights: Weights
    rows: Rows


@dataclass(frozen=True)
class PortfolioRun:
    """What a run wrote, and the last digest of each book."""

    written: Written
    digests: dict[str, str]
    skipped: tuple[str, ...]


def run_portfolios(
    transaction: Transaction, asked: Window, strategies: Sequence[Strategy], settings: Settings
) -> PortfolioRun:
    """Step every strategy's book over the trading days of `asked` and write what they add.

    A book begins with the first decision of its strategy; days before it are left out. A book that
    has not seen the days before `asked` waits for them, and `skipped` says which to run. Raises
    BookConflict where a stored day comes out otherwise.
    """
    running, skipped = _resume(transaction, asked, strategies, settings)
    written = Written()
    if not running:
        return PortfolioRun(written, {}, tuple(skipped))
    window = Window(min(book.begins for book in running), asked.end)
    live = _live_from(transaction, asked, settings)
    before: date | None = None
    for epoch in market_epochs(transaction, window.days, window.opens):
        history = read_history(transaction, epoch, 1, settings)
        if history is None:
            continue
        days = BookDays(transaction, history, epoch)
        for day, after in days.days():
            if before is not None and day.year != before.year:
                written += _write(transaction, running, live)
            _step_all(running, days, day, after)
            before = day
    written += _write(transaction, running, live)
    digests = {book.strategy.book: book.state.digest for book in running}
    return PortfolioRun(written, digests, tuple(skipped))


def _step_all(running: list[_Running], days: BookDays, day: date, after: datetime) -> None:
    """One day of every book that has begun."""
    markets = {}
    for book in running:
        if day < book.begins:
            continue
        currency = book.strategy.currency
        if currency not in markets:
            markets[currency] = days.market_day(day, after, currency)
        market = markets[currency]
        if book.state.day is None:
            known = {(a.symbol, a.ex_date, a.kind): a for a in days.ahead(day, after)}
            known |= {(a.symbol, a.ex_date, a.kind): a for a in market.actions}
            market = replace(market, actions=tuple(known.values()))
        weights = book.weights.get(day)
        if weights is not None:
            held = {
                *book.state.positions,
                *(o.order.symbol for o in book.state.open_orders.values()),
            }
            orders = target_orders(day, weights, held, book.strategy.band)
            market = replace(market, orders=orders)
        book.state, rows = step(book.state, market)
        book.rows.extend(rows)


def _write(transaction: Transaction, running: list[_Running], live: datetime | None) -> Written:
    """Write what the books have added since the last time, and where they stand."""
    written = Written()
    for book in running:
        if not book.rows.states:
            continue
        written += write_days(transaction, book.strategy.book, book.rows, live)
        write_snapshot(transaction, book.state)
        book.rows = Rows()
    return written


def _resume(
    transaction: Transaction, asked: Window, strategies: Sequence[Strategy], settings: Settings
) -> tuple[list[_Running], list[str]]:
    """The books as they were left before the window, and why others do not run."""
    spans = {
        book: (first, last)
        for book, first, last in transaction.read(
            book_inputs.BOOK_SPANS, books=[s.book for s in strategies]
        ).iter_rows()
    }
    decided = dict(transaction.read(store.FIRST_DECISIONS).iter_rows())
    running, skipped = [], []
    for strategy in strategies:
        first, last = spans.get(strategy.book, (None, None))
        begins = first or decided.get(strategy.strategy_id)
        if begins is None or begins > asked.end:
            skipped.append(f"{strategy.strategy_id}: no decision yet" if begins is None else
                           f"{strategy.strategy_id} begins on {begins}")  # fmt: skip
            continue
        start = max(asked.start, begins)
        missing = _missing_days(last or begins - timedelta(days=1), start, settings)
        if missing is not None:
            skipped.append(
                f"{strategy.strategy_id} waits: its book ends on {last}, and days before {start} are"
                f" missing; predtrack backfill --from {missing.start} --to {missing.end}"
            )
            continue
        state = read_snapshot(transaction, strategy.book, strategy.rules, start)
        if state is None:
            state, start = new_book(strategy.book, strategy.capital, strategy.rules), begins
        else:
            assert state.day is not None
            start = state.day + timedelta(days=1)
        make_book(transaction, new_book(strategy.book, strategy.capital, strategy.rules),
                  strategy.currency, strategy.strategy_id)  # fmt: skip
        weights = _weights(transaction, strategy, start, asked.end)
        running.append(_Running(strategy, state, start, weights, Rows()))
    return running, skipped


def _missing_days(last: date, start: date, settings: Settings) -> Window | None:
    """The trading days between the last day of a book and the start; None where there are none."""
    sessions = sessions_of(settings.exchanges)
    between = sessions[(sessions > np.datetime64(last)) & (sessions < np.datetime64(start))]
    return Window(between[0].item(), between[-1].item()) if len(between) else None


def _weights(transaction: Transaction, strategy: Strategy, first: date, last: date) -> Weights:
    """Target weights of each decision day; an empty day means all in cash."""
    rows: pl.DataFrame = transaction.read(
        store.WEIGHTS_OF, first=first, last=last, strategies=[strategy.strategy_id]
    )
    found: Weights = {}
    for day, _, symbol, weight in rows.iter_rows():
        of_day = found.setdefault(day, {})
        if weight is not None:
            of_day[symbol] = Decimal(weight)
    return found


def _live_from(transaction: Transaction, asked: Window, settings: Settings) -> datetime | None:
    """The last day's decisions are live if no session after it has opened yet, by the database's clock."""
    if not len(asked.days):
        return None
    last = asked.days[-1].item()
    opens = earliest_open(last, settings.exchanges)
    return as_of(last) if transaction.now < opens else None
