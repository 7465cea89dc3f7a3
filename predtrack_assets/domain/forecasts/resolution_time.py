"""When an outcome can first be known: what is committed before that moment is a prediction."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from predtrack_assets.domain.forecasts.identity import MINUTE
from predtrack_assets.domain.models.kinds import OF_THE_PATH
from predtrack_assets.domain.time.calendar import EXCHANGES, calendar

MOMENT = pl.Datetime("us", "UTC")
CELL = ["exchange", "kind", "trading_day", "horizon"]


def earliest_resolution_times(rows: pl.DataFrame) -> pl.Series:
    """First moment at which the outcome of each row could be known, Datetime("us", "UTC").

    rows: exchange (null: the symbol is unknown), kind, trading_day, as_of, horizon, horizon_unit and
    earliest_resolution_time as the writer gave it. It is the earlier of that and, of a horizon of
    sessions, the exchange's hours: the close of the session that many after the decision day, of a touch or a
    volatility the opening of the next one. Of an unknown exchange, or a day that is no session of
    it, it is the beginning of the day. Of a horizon of minutes it is that many after as_of, of a
    touch or a volatility the first of them.
    """
    cells = rows.select(CELL).unique(maintain_order=True)
    known = [
        of_exchange.with_columns(calendar_moment=_by_calendar(exchange, of_exchange))
        for (exchange,), of_exchange in cells.group_by("exchange", maintain_order=True)
        if exchange in EXCHANGES
    ]
    moments = pl.concat([pl.DataFrame(schema={**cells.schema, "calendar_moment": MOMENT}), *known])
    joined = rows.join(moments, on=CELL, how="left", maintain_order="left")
    never = pl.col("trading_day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    minutes = pl.when(pl.col("kind").is_in(OF_THE_PATH)).then(1).otherwise(pl.col("horizon"))
    latest = (
        pl.when(pl.col("horizon_unit") == MINUTE)
        .then(pl.col("as_of") + pl.duration(minutes=minutes))
        .otherwise(pl.coalesce("calendar_moment", never))
    )
    return joined.select(pl.min_horizontal("earliest_resolution_time", latest)).to_series()


def is_retroactive(rows: pl.DataFrame, committed_at: datetime) -> pl.Series:
    """Whether the outcome of each row could be known at `committed_at`, bool."""
    return earliest_resolution_times(rows) <= committed_at


def _by_calendar(exchange: object, cells: pl.DataFrame) -> pl.Series:
    """The exchange's own moments; null where a day is no session, or too late for the calendar."""
    market = calendar(str(exchange))
    days = cells["trading_day"].to_numpy().astype("datetime64[D]")
    at, last = np.searchsorted(market.sessions, days), len(market.sessions) - 1
    due = at + cells["horizon"].to_numpy()
    inside = market.is_session(days) & (due <= last)
    closing = market.closes_utc(market.sessions[np.minimum(due, last)])
    opening = market.opens_utc(market.sessions[np.minimum(at + 1, last)])
    of_path = cells["kind"].is_in(OF_THE_PATH).to_numpy()
    moments = np.where(inside, np.where(of_path, opening, closing), np.datetime64("NaT", "us"))
    return pl.Series(moments).dt.replace_time_zone("UTC")
