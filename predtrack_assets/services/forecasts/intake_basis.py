"""What the server adds to a statement: its decision day, reference price, sigma, moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.days import window_start
from predtrack_assets.domain.forecasts.identity import SESSION
from predtrack_assets.domain.forecasts.intake.completion import in_log_returns
from predtrack_assets.domain.forecasts.intake.rows import Refused, Statement
from predtrack_assets.domain.forecasts.predict import predict
from predtrack_assets.domain.models.as_of_statistics import lookback
from predtrack_assets.domain.models.baselines import MODELS
from predtrack_assets.domain.models.forecast import QUANTILE_NAMES, band_5pct, cdf
from predtrack_assets.domain.time.calendar import Calendar, as_of, calendar
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets.warehouse.market.epochs import market_epochs, read_panel, sessions_before

SESSIONS_A_YEAR = {"24/7": 365, "24/5": 260}


@dataclass
class IntakeRow:
    """A row on its way: its place in the batch, and what it is answered."""

    index: int
    stated: Statement | None = None
    day: date | None = None
    answer: dict[str, Any] = field(default_factory=dict)

    def refuse(self, refused: Refused) -> None:
        why = refused.refusal
        self.answer |= {
            "status": "rejected",
            "code": why.code,
            "pointer": why.pointer,
            "message": why.message,
        }


def open_rows(rows: Sequence[IntakeRow]) -> list[IntakeRow]:
    """Rows that have no answer yet."""
    return [row for row in rows if "status" not in row.answer]


def place(transaction: Transaction, rows: Sequence[IntakeRow], now: datetime) -> None:
    """Give every row its decision day, or the reason why it has none."""
    symbols = dict(
        transaction.read(market_queries.SYMBOLS).select("symbol", "exchange").iter_rows()
    )
    for row in open_rows(rows):
        assert row.stated
        try:
            row.day = _decision_day(row.stated, symbols, now)
        except Refused as refused:
            row.refuse(refused)


def _decision_day(stated: Statement, symbols: Mapping[str, str], now: datetime) -> date:
    row = stated.row
    if row.symbol not in symbols:
        near = get_close_matches(row.symbol, symbols, 3, 0.6)
        raise Refused(
            "symbol_unknown",
            "/symbol",
            f"there is no symbol {row.symbol!r}"
            + (f"; near: {', '.join(near)}" if near else ": load its prices first"),
        )
    exchange = calendar(symbols[row.symbol])
    if row.exchange is not None and row.exchange != exchange.name:
        raise Refused("exchange_disagrees", "/exchange", f"{row.symbol} trades on {exchange.name}")
    last = _last_completed(exchange, now)
    day = row.decision_day or last
    if day > last:
        raise Refused(
            "day_in_future",
            "/decision_day",
            f"the session of {day} is not over; the last is {last}",
        )
    if not bool(exchange.is_session(day)):
        after = exchange.sessions[np.searchsorted(exchange.sessions, np.datetime64(day)) - 1]
        raise Refused(
            "day_not_a_session",
            "/decision_day",
            f"{day} is no session of {exchange.name}; the one before it is {after}",
        )
    if row.due_day is not None:
        due = exchange.offset(day, row.horizon).item()
        if row.due_day != due:
            raise Refused(
                "due_day_disagrees", "/due_day", f"{row.horizon} sessions after {day} is {due}"
            )
    return day


def _last_completed(exchange: Calendar, now: datetime) -> date:
    """The last session of the exchange that is over."""
    today = np.datetime64(now.date())
    recent = exchange.sessions[: np.searchsorted(exchange.sessions, today, side="right")][-5:]
    closed = recent[exchange.closes_utc(recent) <= np.datetime64(now.replace(tzinfo=None), "us")]
    return closed[-1].item()


def basis_of(
    transaction: Transaction, rows: Sequence[IntakeRow]
) -> dict[tuple[str, date, int, str], dict[str, Any]]:
    """What no_change says of the same cells: reference, sigma, climatology, moments, digest."""
    reference = tuple(m for m in MODELS if m.model_id == "no_change")
    settings = get_settings()
    asked: dict[str, list[IntakeRow]] = {}
    exchanges = dict(
        transaction.read(market_queries.SYMBOLS).select("symbol", "exchange").iter_rows()
    )
    for row in rows:
        assert row.stated
        asked.setdefault(exchanges[row.stated.row.symbol], []).append(row)
    frames = []
    for name, members in asked.items():
        exchange = calendar(name)
        horizons = tuple(sorted({r.stated.row.horizon for r in members if r.stated}))
        symbols = sorted({r.stated.row.symbol for r in members if r.stated})
        days = np.unique(np.array([r.day for r in members], "datetime64[D]"))
        for epoch in market_epochs(transaction, days, window_start(days[0].item(), settings)):
            first = sessions_before(exchange, epoch.first, lookback(max(horizons)))
            panel = read_panel(transaction, symbols, exchange, first, epoch)
            basis = predict(panel, exchange, epoch.days, horizons, reference)
            frames.append(basis.with_columns(exchange=pl.lit(name)))
    frame = pl.concat(frames).filter(pl.col("horizon") > 0)
    return {
        (row["symbol"], row["trading_day"], row["horizon"], row["kind"]): row
        for row in frame.iter_rows(named=True)
    }


def values_of(stated: Statement, known: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that the sender's statement fills, beside those of the server."""
    empty = dict.fromkeys([*QUANTILE_NAMES, "predicted_price", "p_within_band"])
    empty |= {"predicted_volatility": None, "confidence": None}
    if stated.kind == "direction":
        return {**empty, "confidence": stated.values[0]}
    if stated.kind == "volatility":
        daily = stated.values[0]
        if stated.unit == "year":
            daily /= float(np.sqrt(SESSIONS_A_YEAR.get(known["exchange"], 252)))
        return {**empty, "predicted_volatility": daily}
    columns = in_log_returns(stated, known["reference_price"])
    quantiles = np.array([[columns[name] for name in QUANTILE_NAMES]])
    low, high = (np.atleast_1d(edge) for edge in band_5pct(quantiles[:, 3]))
    spread = known["sigma"] * np.sqrt(known["horizon"])
    median = quantiles[:, 3]
    return {
        **empty,
        **columns,
        "confidence": float(np.clip(cdf(quantiles, high) - cdf(quantiles, low), 0, 1)[0]),
        "p_within_band": float(
            np.clip(cdf(quantiles, median + spread) - cdf(quantiles, median - spread), 0, 1)[0]
        ),
    }


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
