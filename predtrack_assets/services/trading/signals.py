"""Following signals through the bars of their symbols, as these were known."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.deployment.track_record import JUDGED, Cell, positions_of
from predtrack_assets.domain.numerics.types import Days, Floats
from predtrack_assets.domain.trading.following import StrategyPnl, follow, total_returns
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market.epochs import (
    Epoch,
    equal_weight_returns,
    read_panel,
    symbol_groups,
)


@dataclass(frozen=True)
class Followed:
    """P&L of each cell per calendar day (T,), whether an exchange of its symbols was open, and the
    benchmark's returns, NaN where it has none."""

    days: Days
    totals: dict[Cell, StrategyPnl]
    open_: dict[Cell, NDArray[np.bool_]]
    index: Floats


def follow_signals(
    transaction: Transaction,
    epoch: Epoch,
    signals: pl.DataFrame,
    first: date,
    last: date,
    benchmark: str | None = None,
) -> Followed:
    """Follow the signals of every cell from `first` to `last`, with prices known at the epoch's end.

    signals: model_id, kind, horizon, symbol, trading_day, position (+1, 0, -1), and `judged` where
    cells are of one symbol.
    """
    days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
    totals: dict[Cell, StrategyPnl] = {}
    open_ = defaultdict[Cell, NDArray[np.bool_]](lambda: np.zeros(days.size, bool))
    index = np.full(days.size, np.nan)
    judged = [column for column in JUDGED if column in signals.columns]
    for exchange, symbols in symbol_groups(transaction, days.size):
        panel = read_panel(transaction, symbols, exchange, first, epoch, last)
        if not len(panel.symbols):
            continue
        returns = total_returns(panel)
        at = np.searchsorted(days, panel.sessions)
        if benchmark in panel.symbols:
            index[at] = returns[panel.symbols == benchmark][0]
        group = signals.filter(pl.col("symbol").is_in(panel.symbols.tolist()))
        for key, rows in group.group_by(judged, maintain_order=True):
            cell = Cell(*key)
            mine = slice(None) if cell.symbol is None else panel.symbols == cell.symbol
            followed = follow(positions_of(rows, panel)[mine], returns[mine], cell.horizon)
            spread = followed.on(at, days.size)
            totals[cell] = totals[cell] + spread if cell in totals else spread
            open_[cell][at] = True
    if benchmark is not None and np.isnan(index).all():
        index = equal_weight_returns(transaction, days)
    return Followed(days, totals, dict(open_), index)
