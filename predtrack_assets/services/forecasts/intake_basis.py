"""What the server adds to statements: decision days, reference prices, sigma, base rates, moments."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import date, datetime
from difflib import get_close_matches
from threading import Lock
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.days import window_start
from predtrack_assets.domain.forecasts.identity import SESSION
from predtrack_assets.domain.forecasts.predict import PREDICTIONS, predict
from predtrack_assets.domain.models.as_of_statistics import lookback
from predtrack_assets.domain.models.baselines import MODELS
from predtrack_assets.domain.time.calendar import Calendar, as_of, calendar
from predtrack_assets.services.forecasts.intake_batch import CELL, Batch
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets.warehouse.market.epochs import market_epochs, read_panel, sessions_before

MAX_DAYS_KEPT = 8


def place(transaction: Transaction, batch: Batch, now: datetime) -> None:
    """Give every open row its exchange and decision day, or the reason why it has none."""
    listed = transaction.read(market_queries.SYMBOLS).select("symbol", "exchange")
    known = listed["symbol"].to_list()
    batch.open = batch.open.join(listed, on="symbol", how="left", maintain_order="left")
    batch.refuse(
        pl.col("exchange").is_null(),
        "symbol_unknown",
        "/symbol",
        lambda row: f"there is no symbol {row['symbol']!r}" + _near(row["symbol"], known),
    )
    batch.refuse(
        pl.col("exchange_said").fill_null(pl.col("exchange")) != pl.col("exchange"),
        "exchange_disagrees",
        "/exchange",
        lambda row: f"{row['symbol']} trades on {row['exchange']}",
    )
    parts = batch.open.partition_by("exchange", maintain_order=True)
    placed = [_placed(part, calendar(part["exchange"][0]), now) for part in parts]
    if not placed:
        return
    batch.open = pl.concat(placed).sort("index")
    batch.refuse(
        pl.col("trading_day") > pl.col("last"),
        "day_in_future",
        "/decision_day",
        lambda row: f"the session of {row['trading_day']} is not over; the last is {row['last']}",
    )
    batch.refuse(
        ~pl.col("is_session"),
        "day_not_a_session",
        "/decision_day",
        lambda row: (
            f"{row['trading_day']} is no session of {row['exchange']}"
            f"; the one before it is {row['before']}"
        ),
    )
    batch.refuse(
        pl.col("due_said").fill_null(pl.col("due")) != pl.col("due"),
        "due_day_disagrees",
        "/due_day",
        lambda row: f"{row['horizon']} sessions after {row['trading_day']} is {row['due']}",
    )
    batch.open = batch.open.drop("last", "is_session", "before", "due")


def _near(symbol: str, known: Sequence[str]) -> str:
    near = get_close_matches(symbol, known, 3, 0.6)
    return f"; near: {', '.join(near)}" if near else ": load its prices first"


def _placed(rows: pl.DataFrame, exchange: Calendar, now: datetime) -> pl.DataFrame:
    """The rows of one exchange with trading_day, and what there is to hold against it."""
    last = _last_completed(exchange, now)
    rows = rows.with_columns(trading_day=pl.col("day_said").fill_null(last), last=pl.lit(last))
    days = rows["trading_day"].to_numpy().astype("datetime64[D]")
    at = np.clip(np.searchsorted(exchange.sessions, days) - 1, 0, None)
    return rows.with_columns(
        pl.Series("is_session", exchange.is_session(days)),
        pl.Series("before", exchange.sessions[at]),
        pl.Series("due", exchange.offset_or_nat(days, rows["horizon"].to_numpy().astype(int))),
    )


def _last_completed(exchange: Calendar, now: datetime) -> date:
    """The last session of the exchange that is over."""
    today = np.datetime64(now.date())
    recent = exchange.sessions[: np.searchsorted(exchange.sessions, today, side="right")][-5:]
    closed = recent[exchange.closes_utc(recent) <= np.datetime64(now.replace(tzinfo=None), "us")]
    return closed[-1].item()


class _Known:
    """What was computed of decision days, for the posts of a day that follow each other.

    It is a function of what the market tables hold: rows that have changed there forget it. Only
    what was found is kept, so that a close that arrives later is seen.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._frames: OrderedDict[tuple[Any, ...], pl.DataFrame] = OrderedDict()

    def get(self, key: tuple[Any, ...]) -> pl.DataFrame:
        """The rows of a key; none where nothing was computed."""
        with self._lock:
            return self._frames.get(key, pl.DataFrame(schema=PREDICTIONS))

    def put(self, key: tuple[Any, ...], frame: pl.DataFrame) -> None:
        """Keep the rows of a key, and of MAX_DAYS_KEPT at most."""
        with self._lock:
            self._frames[key] = frame
            self._frames.move_to_end(key)
            while len(self._frames) > MAX_DAYS_KEPT:
                self._frames.popitem(last=False)


_KNOWN = _Known()


def basis_of(transaction: Transaction, rows: pl.DataFrame) -> pl.DataFrame:
    """What no_change says of the same cells: reference, sigma, base rate, moments, digest.

    rows: CELL and exchange. Returns CELL and the other columns of PREDICTIONS, of cells that the
    server can say something of.
    """
    state = transaction.read(market_queries.STATE).row(0)
    frames = [pl.DataFrame(schema=PREDICTIONS)]
    for (name, day), members in rows.group_by("exchange", "trading_day"):
        key = (*state, name, day)
        known = _KNOWN.get(key)
        missing = members.join(known, on=CELL, how="anti")
        if len(missing):
            found = _computed(transaction, calendar(str(name)), day, missing)
            known = pl.concat([known, found]).unique(CELL)
            _KNOWN.put(key, known)
        frames.append(known)
    return pl.concat(frames)


def _computed(
    transaction: Transaction, exchange: Calendar, day: Any, rows: pl.DataFrame
) -> pl.DataFrame:
    """`basis_of` one exchange and decision day."""
    horizons = tuple(rows["horizon"].unique().sort())
    symbols = rows["symbol"].unique().sort().to_list()
    reference = tuple(m for m in MODELS if m.model_id == "no_change")
    days = np.array([day], "datetime64[D]")
    (epoch,) = market_epochs(transaction, days, window_start(day, get_settings()))
    first = sessions_before(exchange, epoch.first, lookback(max(horizons)))
    panel = read_panel(transaction, symbols, exchange, first, epoch)
    basis = predict(panel, exchange, epoch.days, horizons, reference)
    return basis.filter((pl.col("horizon") > 0) & pl.col("due_day").is_not_null())


def deadlines(transaction: Transaction, horizons: Sequence[int]) -> list[dict[str, Any]]:
    """Per exchange and horizon: the decision day in force, and until when a statement of it is live."""
    now = transaction.now
    names = transaction.read(market_queries.SYMBOLS)["exchange"].unique().sort().to_list()
    found = []
    for name in names:
        exchange = calendar(name)
        day = _last_completed(exchange, now)
        for horizon in horizons:
            due = exchange.offset(day, horizon)
            moment = exchange.closes_utc(due).astype("datetime64[us]").item()
            found.append(
                {
                    "exchange": name,
                    "decision_day": str(day),
                    "as_of": as_of(day).isoformat(),
                    "horizon": horizon,
                    "horizon_unit": SESSION,
                    "due_day": str(due.item()),
                    "earliest_resolution_time": moment.isoformat() + "Z",
                    "seconds_left": (moment - now.replace(tzinfo=None)).total_seconds(),
                }
            )
    return found
