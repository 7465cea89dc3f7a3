"""Features of given days: one computation for the asset, a replay and a look into the future."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from predtrack_assets.domain.features import STANDARD, compute_features, first_session
from predtrack_assets.partitions import Window
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.features import FeatureRows, feature_frame, read_market
from predtrack_assets.warehouse.snapshots import Epoch, market_epochs, read_panel, symbol_groups
from predtrack_assets.warehouse.warehouse import Transaction

ROWS_AT_ONCE = 250_000  # bars in a panel: about 400 MB with the features of all of them


@dataclass(frozen=True)
class FeaturePart:
    """Features of a group of symbols on the days of an epoch."""

    epoch: Epoch
    symbols: list[str]
    rows: FeatureRows

    @property
    def frame(self) -> pl.DataFrame:
        """The rows as features.feature_store has them."""
        return feature_frame(STANDARD, self.rows)


def feature_days(
    transaction: Transaction, asked: Window, settings: Settings
) -> Iterator[FeaturePart]:
    """STANDARD on the days of a window, from what was known at the end of each."""
    for epoch in market_epochs(transaction, asked.days, asked.opens):
        sessions = STANDARD.lookback + len(epoch.days)
        groups = symbol_groups(transaction, sessions, ("volatility",), ROWS_AT_ONCE)
        context = None
        for exchange, symbols in groups:
            days = np.intersect1d(epoch.days, exchange.sessions)
            if not len(days):
                continue
            first = first_session(exchange, days[0])
            if context is None or context.exchange is not exchange:
                context = read_market(transaction, settings.benchmark, exchange, first, epoch)
            panel = read_panel(transaction, symbols, exchange, first, epoch)
            values = compute_features(panel, context, days)
            column = np.searchsorted(panel.sessions, days)
            row, day = np.nonzero(~np.isnan(panel.close[:, column]))
            rows = FeatureRows(panel.symbols[row], days[day], values[row, day])
            yield FeaturePart(epoch, symbols, rows)
