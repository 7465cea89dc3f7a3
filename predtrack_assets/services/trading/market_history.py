"""Bars of the traded symbols over an epoch as matrices, and what a strategy sees of them on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.days import sessions_of
from predtrack_assets.domain.market.panel import Panel, build_panel
from predtrack_assets.domain.numerics.types import Days, Floats
from predtrack_assets.domain.trading.strategies.view import View
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets.warehouse.market.epochs import Epoch
from predtrack_assets.warehouse.trading import book_inputs

TRADED = ("stock", "fund")
MARGIN = 12  # trading days before a view that its first return may reach back to


@dataclass(frozen=True)
class MarketHistory:
    """Everything known at the end of an epoch; a day of it sees the columns up to its own.

    panel: on the trading days of the configured exchanges. jump: (S, T), bars that moved as if
    split. known_at: (S, T) datetime64[us] of each bar, NaT without one. traded: (S,), stocks and
    funds. exchange, currency: (S,).
    """

    panel: Panel
    jump: NDArray[np.bool_]
    known_at: NDArray[np.datetime64]
    traded: NDArray[np.bool_]
    exchange: NDArray[np.str_]
    currency: list[str | None]
    returns: Floats
    benchmark: Floats

    def column(self, day: date) -> int:
        """The column of a trading day."""
        return int(np.searchsorted(self.panel.sessions, np.datetime64(day)))

    def view(
        self,
        day: date,
        lookback: int,
        members: NDArray[np.bool_],
        forecasts: pl.DataFrame,
        champions: dict[tuple[str, int], str],
    ) -> View:
        """What a strategy sees on a day: `members` (S,) that are traded and have a bar on it."""
        at = self.column(day)
        rows = np.flatnonzero(members & self.traded & np.isfinite(self.panel.close[:, at]))
        days = self.panel.sessions[max(at + 1 - lookback, 0) : at + 1]
        earlier = int(np.searchsorted(days, np.datetime64(day, "M").astype("datetime64[D]"))) - 1
        missing = lookback - days.size

        def cut(matrix: Floats) -> Floats:
            part = matrix[..., max(at + 1 - lookback, 0) : at + 1]
            widths = [(0, 0)] * (part.ndim - 1) + [(missing, 0)]
            return np.pad(part, widths, constant_values=np.nan)

        close = cut(self.panel.close[rows])
        return View(
            day,
            self.panel.symbols[rows],
            cut(self.returns[rows]),
            cut(self.panel.high[rows]) / close,
            cut(self.panel.low[rows]) / close,
            cut(self.benchmark),
            earlier + missing,
            forecasts,
            champions,
        )


def read_history(
    transaction: Transaction, epoch: Epoch, lookback: int, settings: Settings
) -> MarketHistory | None:
    """Bars from `lookback` trading days before an epoch to its end; None without any bar."""
    from predtrack_assets.domain.trading.strategies.total_returns import MAX_GAP, session_returns

    days = sessions_of(settings.exchanges)
    start = max(int(np.searchsorted(days, epoch.days[0])) - lookback - MARGIN, 0)
    days = days[start : int(np.searchsorted(days, epoch.days[-1], side="right"))]
    listed = transaction.read(market_queries.SYMBOLS).filter(
        pl.col("asset_class").is_in(TRADED) | (pl.col("symbol") == settings.benchmark)
    )
    asked = {"symbols": listed["symbol"].to_list(), "first": days[0].item(), "last": epoch.last}
    bars = transaction.read(book_inputs.BOOK_BARS, **asked, as_of=epoch.as_of)
    if bars.is_empty():
        return None
    actions = transaction.read(market_queries.ACTIONS_AS_OF, **asked, as_of=epoch.as_of)
    panel = build_panel(bars, actions, days)
    jump, known_at = _placed(panel, bars, days)
    about = {row["symbol"]: row for row in listed.iter_rows(named=True)}
    rows = [about[symbol] for symbol in panel.symbols.tolist()]
    returns = session_returns(panel.close, panel.split, panel.dividend, MAX_GAP)
    index = np.flatnonzero(panel.symbols == settings.benchmark)
    missing = np.full(days.size, np.nan)
    return MarketHistory(
        panel,
        jump,
        known_at,
        np.array([row["asset_class"] in TRADED for row in rows]),
        np.array([row["exchange"] for row in rows]),
        [row["currency"] for row in rows],
        returns,
        returns[index[0]] if index.size else missing,
    )


def _placed(
    panel: Panel, bars: pl.DataFrame, days: Days
) -> tuple[NDArray[np.bool_], NDArray[np.datetime64]]:
    """The bars' jumps and knowledge times on the panel's rows and columns."""
    on_day = bars.filter(pl.col("trading_day").is_in(pl.Series(days).cast(pl.Date).implode()))
    row = np.searchsorted(panel.symbols.astype(str), on_day["symbol"].to_numpy().astype(str))
    column = np.searchsorted(days, on_day["trading_day"].to_numpy().astype("datetime64[D]"))
    jump = np.zeros(panel.close.shape, dtype=bool)
    jump[row, column] = on_day["jump"].to_numpy()
    known = np.full(panel.close.shape, np.datetime64("NaT", "us"), dtype="datetime64[us]")
    moments = on_day["knowledge_time"].dt.replace_time_zone(None).to_numpy()
    known[row, column] = moments.astype("datetime64[us]")
    return jump, known
