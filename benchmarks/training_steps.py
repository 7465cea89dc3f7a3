"""What a monthly fit learns from: read from the feature store, or computed from prices; see steps."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import numpy as np

from predtrack_assets.days import Window
from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.domain.market.returns import MAX_GAP
from predtrack_assets.domain.models.as_of_statistics import MEMORY
from predtrack_assets.domain.models.learners.pooled import fit_pooled
from predtrack_assets.services.features.feature_days import feature_days
from predtrack_assets.services.models.fitting import training_data
from predtrack_assets.settings import Settings, get_settings
from predtrack_assets.warehouse.database.transaction import READER, Database, Transaction
from predtrack_assets.warehouse.features.store import FeatureRows, read_features
from predtrack_assets.warehouse.market.epochs import (
    market_epochs,
    read_panel,
    sessions_before,
    symbol_groups,
)

ROUNDS = 2  # of each, in turn; the best counts


def training_from_store(first: str, last: str) -> dict[str, Any]:
    """Seconds to prepare what the fit through `last` learns from, and of its parts.

    product_s: with features from the store. reference_s: without a store, which is the same but for
    the features, computed from the bars that the labels are made of anyway. fit_s: of the simplest
    families, as a month without a new choice has at least. Raises if the features differ.
    """
    settings = get_settings()
    window = Window(date.fromisoformat(first), date.fromisoformat(last))
    taken: dict[str, list[float]] = {}
    bars, learned = list[int](), list[int]()

    def timed(name: str, start: float) -> None:
        taken.setdefault(name, []).append(time.perf_counter() - start)

    for _ in range(ROUNDS):
        with Database().transaction(READER) as transaction:
            start = time.perf_counter()
            stored = read_features(transaction, STANDARD, None, window.start, window.end)
            timed("features_read_s", start)
            start = time.perf_counter()
            computed = _computed(transaction, window, settings)
            timed("features_computed_s", start)
            start = time.perf_counter()
            bars.append(_read_bars(transaction, window, settings))
            timed("bars_read_s", start)
        _refuse_other(stored, computed)
        del stored, computed
        start = time.perf_counter()
        ((cutoff, data),) = training_data(Database(), settings, [window.end], None)
        timed("product_s", start)
        start = time.perf_counter()
        fit_pooled(data, settings.horizons, cutoff=np.datetime64(cutoff))
        timed("fit_s", start)
        learned.append(len(data.day))
        del data
    best = {name: min(seconds) for name, seconds in taken.items()}
    computing = max(best["features_computed_s"] - best["bars_read_s"], 0.0)
    best["reference_s"] = best["product_s"] - best["features_read_s"] + computing
    return {**best, "rows": learned[-1], "bars": bars[-1]}


def _computed(transaction: Transaction, window: Window, settings: Settings) -> FeatureRows:
    """What the store holds, from bars."""
    parts = [part.rows for part in feature_days(transaction, window, settings)]
    symbols = np.concatenate([part.symbols for part in parts])
    days = np.concatenate([part.days for part in parts])
    order = np.lexsort((np.unique(symbols, return_inverse=True)[1], days))
    values = np.concatenate([part.values for part in parts])
    return FeatureRows(symbols, days, values).take(order)


def _read_bars(transaction: Transaction, window: Window, settings: Settings) -> int:
    """Every panel that labels are made of, thrown away; how many bars it has."""
    rows = 0
    for epoch in market_epochs(transaction, window.days[-1:], window.end):
        sessions = len(window.days)
        for exchange, names in symbol_groups(transaction, sessions, ("volatility",)):
            since = sessions_before(exchange, settings.first_day, MEMORY + MAX_GAP + 1)
            panel = read_panel(transaction, names, exchange, since, epoch)
            rows += int(np.isfinite(panel.close).sum())
    return rows


def _refuse_other(stored: FeatureRows, computed: FeatureRows) -> None:
    same = np.array_equal(stored.days, computed.days) and np.array_equal(
        stored.symbols, computed.symbols
    )
    bits = stored.values.view(np.int64), computed.values.view(np.int64)
    if not (same and np.array_equal(*bits)):
        raise RuntimeError("the stored features are not those that are computed from prices")


STEPS = {"training_from_store": training_from_store}
