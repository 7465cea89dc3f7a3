"""Features of given days: one computation for the asset, a replay and a look into the future."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl

from predtrack_assets.days import Window
from predtrack_assets.domain.features.feature_set import (
    BLOCK,
    STANDARD,
    MarketContext,
    compute_features,
    first_session,
)
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.features.store import FeatureRows, feature_frame, read_market
from predtrack_assets.warehouse.market.epochs import market_epochs, read_panel, symbol_groups

ROWS_AT_ONCE = 768_000  # bars in a panel: 128 symbols of 20 years, about 150 MB


@dataclass(frozen=True)
class FeaturePart:
    """All features of a group of symbols on [first, last]."""

    symbols: list[str]
    first: date
    last: date
    rows: FeatureRows

    @property
    def frame(self) -> pl.DataFrame:
        """The rows as features.feature_store has them."""
        return feature_frame(STANDARD, self.rows)


def feature_days(
    transaction: Transaction, asked: Window, settings: Settings
) -> Iterator[FeaturePart]:
    """STANDARD on the days of a window, from what was known at the end of each.

    A part is computed while the one before it is written.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[FeaturePart] | None = None
        for symbols, panel, context, days, last in _panels(transaction, asked, settings):
            for start, end, part in _slices(days, last):
                begun = pool.submit(_part, symbols, panel, context, part, start, end)
                if waiting is not None:
                    yield waiting.result()
                waiting = begun
        if waiting is not None:
            yield waiting.result()


def _panels(
    transaction: Transaction, asked: Window, settings: Settings
) -> Iterator[tuple[list[str], Panel, MarketContext, Days, date]]:
    """Groups of symbols with what their features on `days` need, and the last day they stand for."""
    for epoch in market_epochs(transaction, asked.days, asked.opens):
        sessions = STANDARD.lookback + len(epoch.days)
        context = None
        for exchange, symbols in symbol_groups(
            transaction, sessions, ("volatility",), ROWS_AT_ONCE
        ):
            days = np.intersect1d(epoch.days, exchange.sessions)
            if not len(days):
                continue
            first = first_session(exchange, days[0])
            if context is None or context.exchange is not exchange:
                context = read_market(transaction, settings.benchmark, exchange, first, epoch)
            yield (
                symbols,
                read_panel(transaction, symbols, exchange, first, epoch),
                context,
                days,
                epoch.last,
            )


def _slices(days: Days, last: date) -> Iterator[tuple[date, date, Days]]:
    """Two blocks of days at most, so that their features fit in memory; first and last day of each."""
    edges = [*range(0, len(days), 2 * BLOCK), len(days)]
    for start, end in pairwise(edges):
        until = last if end == len(days) else days[end].item() - timedelta(days=1)
        yield days[start].item(), until, days[start:end]


def _part(
    symbols: list[str], panel: Panel, context: MarketContext, days: Days, first: date, last: date
) -> FeaturePart:
    values = compute_features(panel, context, days)
    row, day = np.nonzero(~np.isnan(panel.close[:, np.searchsorted(panel.sessions, days)]))
    rows = FeatureRows(panel.symbols[row], days[day], values[row, day])
    return FeaturePart(symbols, first, last, rows)
