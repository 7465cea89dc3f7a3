"""The whole record in one reading: the scoreboard, its history, the sums and equity behind it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from predtrack_assets.domain.accuracy.day_sums import COUNTS, EVENT_SUMS, merged
from predtrack_assets.domain.accuracy.report_windows import CELL
from predtrack_assets.domain.accuracy.scoreboard import BUCKET_SUMS
from predtrack_assets.domain.trading.strategy_performance import Equity
from predtrack_assets.services.accuracy.comparison import skills_by_symbol
from predtrack_assets.services.accuracy.scoreboard import (
    Scoreboard,
    equity_curves,
    scoreboard_as_of,
)
from predtrack_assets.warehouse.accuracy import scoreboard as queries
from predtrack_assets.warehouse.database.transaction import Transaction


@dataclass(frozen=True)
class Record:
    """What pages and pictures of the whole record are made of, as known at the end of a day.

    history: the scoreboards of the weeks before; sums: counts, events and buckets per model, kind,
    event, horizon and due day; equity: daily returns per (model, kind, horizon); symbols: skill per
    symbol, or no rows where it was not asked for. since: first due day that counts; None: all.
    """

    board: Scoreboard
    history: pl.DataFrame
    sums: pl.DataFrame
    equity: Mapping[tuple[str, str, int], Equity]
    symbols: pl.DataFrame
    since: date | None = None


def read_record(
    transaction: Transaction,
    day: date | None = None,
    *,
    since: date | None = None,
    models: Collection[str] | None = None,
    horizon: int | None = None,
    symbol: str | None = None,
    by_symbol: bool = True,
) -> Record | None:
    """The record at the end of a day, by default the last with outcomes; None before any.

    models, horizon: of these only; symbol: skill per symbol of this one only; by_symbol: whether to
    read it, which takes seconds.
    """
    board = scoreboard_as_of(transaction, day, models=models, horizon=horizon, since=since)
    if board is None:
        return None

    def chosen(rows: pl.DataFrame) -> pl.DataFrame:
        if models is not None:
            rows = rows.filter(pl.col("model_id").is_in(list(models)))
        return rows if horizon is None else rows.filter(pl.col("horizon") == horizon)

    sums = queries.sums_known(queries.read_sum_revisions(transaction, board.day, since), board.day)
    history = transaction.read_copied(
        queries.HISTORY, last=board.day, since=since or queries.BEGINNING
    )
    symbols = skills_by_symbol(transaction, since, board.day, horizon) if by_symbol else None
    if symbols is not None and symbol is not None:
        symbols = symbols.filter(pl.col("symbol") == symbol)
    curves = equity_curves(transaction, board.day, since)
    return Record(
        board,
        chosen(history),
        merged(chosen(sums), CELL, [*COUNTS, *EVENT_SUMS, *BUCKET_SUMS]),
        {
            key: curve
            for key, curve in curves.items()
            if (models is None or key[0] in models) and horizon in (None, key[2])
        },
        chosen(symbols) if symbols is not None else pl.DataFrame(),
        since,
    )
