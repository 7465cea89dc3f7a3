"""History as it was known: epochs of constant knowledge, and panels of bars as of their end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from predtrack_assets.domain.market.conditions import EQUAL_WEIGHT
from predtrack_assets.domain.market.panel import Panel, build_panel
from predtrack_assets.domain.time.calendar import Calendar, as_of, as_of_array, calendar
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts import queries as forecasts_queries
from predtrack_assets.warehouse.market import queries as market_queries


@dataclass(frozen=True)
class Epoch:
    """Consecutive days during which no bar or action became known late.

    Within an epoch what was known at the end of day D is what was known at the end of the epoch,
    cut at D: so one read serves all its days. days: sorted datetime64[D], not empty. opens: the
    calendar day after the last trading day before; news since then belongs to the first day.
    touched: first trading day that late rows known on that day speak about, or None.
    """

    days: np.ndarray
    opens: date
    touched: date | None = None

    @property
    def first(self) -> date:
        return self.days[0].item()

    @property
    def last(self) -> date:
        return self.days[-1].item()

    @property
    def as_of(self) -> datetime:
        """24:00 UTC of the last day."""
        return as_of(self.last)


def market_epochs(transaction: Transaction, days: np.ndarray, opens: date) -> list[Epoch]:
    """Epochs of `days` divided by bars and actions that became known after their own day.

    opens: of the first epoch; a correction seen on a Saturday belongs to Monday.
    """
    if not len(days):
        return []
    ends = as_of_array(days)
    late = transaction.read(
        market_queries.LATE_KNOWLEDGE,
        after=as_of(opens - timedelta(days=1)),
        until=as_of(days[-1].item()),
    ).sort("knowledge_time")
    known = late["knowledge_time"].dt.replace_time_zone(None).to_numpy()
    position = np.searchsorted(ends, known)
    touched = dict(
        late.with_columns(pl.Series("position", position))
        .group_by("position")
        .agg(pl.col("trading_day").min())
        .iter_rows()
    )
    return [
        Epoch(part, _day_after(days, start) if start else opens, touched.get(start))
        for start, part in _split(days, np.unique(position))
    ]


def outcome_epochs(transaction: Transaction, days: np.ndarray) -> list[Epoch]:
    """Epochs of `days` divided by outcomes that became known after they fell due."""
    if not len(days):
        return []
    late = transaction.read(
        forecasts_queries.LATE_OUTCOMES, first=days[0].item(), last=days[-1].item()
    )["resolved_day"].to_numpy()
    breaks = np.unique(np.searchsorted(days, late.astype("datetime64[D]")))
    return [Epoch(part, part[0].item()) for _, part in _split(days, breaks)]


def _day_after(days: np.ndarray, index: int) -> date:
    """The calendar day after the one that precedes days[index]."""
    return (days[index - 1] + 1).item()


def _split(days: np.ndarray, breaks: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    starts = [0, *(int(b) for b in breaks if 0 < b < len(days))]
    for start, end in zip(starts, [*starts[1:], len(days)], strict=True):
        yield start, days[start:end]


def symbol_groups(
    transaction: Transaction,
    rows_per_symbol: int,
    without: tuple[str, ...] = (),
    rows: int = 1_000_000,
) -> list[tuple[Calendar, list[str]]]:
    """Registered symbols in groups of one exchange, each of at most about `rows` rows.

    without: asset classes to leave out.
    """
    symbols = transaction.read(market_queries.SYMBOLS).filter(~pl.col("asset_class").is_in(without))
    size = max(1, rows // max(rows_per_symbol, 1))
    groups = []
    for (exchange,), members in symbols.group_by("exchange", maintain_order=True):
        names = members["symbol"].sort().to_list()
        market = calendar(exchange)
        groups += [(market, names[i : i + size]) for i in range(0, len(names), size)]
    return groups


def read_panel(
    transaction: Transaction,
    symbols: list[str],
    exchange: Calendar,
    first: date,
    epoch: Epoch,
    last: date | None = None,
) -> Panel:
    """Bars and actions of `symbols` from `first` to `last`, by default the epoch's last day, as
    known at the epoch's end."""
    last = last or epoch.last
    window = {"symbols": symbols, "first": first, "last": last, "as_of": epoch.as_of}
    bars = transaction.read(market_queries.BARS_AS_OF, **window)
    actions = transaction.read(market_queries.ACTIONS_AS_OF, **window)
    return build_panel(bars, actions, exchange.between(first, last))


def sessions_before(exchange: Calendar, day: date, sessions: int) -> date:
    """The day that many sessions before `day`, or the calendar's first."""
    index = int(np.searchsorted(exchange.sessions, np.datetime64(day))) - sessions
    return exchange.sessions[max(index, 0)].item()


def read_up_to(
    transaction: Transaction, query: Query, epoch: Epoch, lookback_days: int
) -> pl.DataFrame:
    """Rows of a query that takes first, last and as_of, from `lookback_days` before the epoch."""
    return transaction.read(
        query,
        first=epoch.first - timedelta(days=lookback_days),
        last=epoch.last,
        as_of=epoch.as_of,
    )


def equal_weight_returns(transaction: Transaction, days: np.ndarray) -> np.ndarray:
    """Simple returns of the equal-weight index on `days` (sorted datetime64[D]), NaN where there is none."""
    known = transaction.read(
        market_queries.MARKET_RETURNS,
        benchmark=EQUAL_WEIGHT,
        first=days[0].item(),
        last=days[-1].item(),
    )
    result = np.full(days.size, np.nan)
    at = np.searchsorted(days, known["trading_day"].to_numpy().astype("datetime64[D]"))
    returns = known["daily_return"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    result[at] = np.expm1(returns)
    return result
