"""Bars of many symbols on one calendar as matrices, so that a lag is a shift of columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

EPOCH = np.datetime64("1970-01-01", "D")


@dataclass(frozen=True)
class Panel:
    """Matrices of shape (symbols, sessions), float64, NaN where a symbol has no bar.

    symbols: sorted names; sessions: sorted datetime64[D] of one exchange.
    open, high, low, close, volume: as traded. split: new shares per old on the ex-date, else 1.
    dividend: cash per share as traded on the ex-date, else 0.
    known_day: datetime64[D], first day at whose end the bar was known (NaT without a bar).
    """

    symbols: np.ndarray
    sessions: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    split: np.ndarray
    dividend: np.ndarray
    known_day: np.ndarray

    def shares_after(self, sessions_ahead: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (k, shares that one share of column t has become by column t + k), k = 1, 2, ...

        Each array has shape (symbols, sessions - k). Products are built in the same order
        wherever the panel starts, so results do not depend on how much history was read.
        """
        shares = np.ones_like(self.close)
        for k in range(1, min(sessions_ahead, len(self.sessions) - 1) + 1):
            shares = shares[:, : self.close.shape[1] - k] * self.split[:, k:]
            yield k, shares


def build_panel(bars: pl.DataFrame, actions: pl.DataFrame, sessions: np.ndarray) -> Panel:
    """Lay out bars and actions on `sessions`.

    bars: symbol, trading_day, open, high, low, close, volume, known_day. actions: symbol, ex_date,
    kind, value. Rows outside `sessions` are left out; symbols are those of the bars. An action on a
    closed day counts on the session after it, several on one session together.

    >>> from datetime import date
    >>> day = date(2024, 1, 3)
    >>> bars = pl.DataFrame({"symbol": ["A"], "trading_day": [day], "known_day": [day]})
    >>> prices = ("open", "high", "low", "close", "volume")
    >>> bars = bars.with_columns(pl.lit(50.0).alias(name) for name in prices)
    >>> split = pl.DataFrame({"symbol": ["A"], "ex_date": [day], "kind": ["split"], "value": [2.0]})
    >>> panel = build_panel(bars, split, np.array(["2024-01-02", "2024-01-03"], "datetime64[D]"))
    >>> panel.close.tolist(), panel.split.tolist()
    ([[nan, 50.0]], [[1.0, 2.0]])
    """
    symbols = bars["symbol"].unique().sort()
    index = pl.DataFrame({"symbol": symbols, "row": np.arange(len(symbols))}).with_columns(
        pl.col("symbol").cast(pl.String)
    )
    shape = (len(symbols), len(sessions))

    def place(frame: pl.DataFrame, day: str) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
        frame = frame.join(index, on="symbol", how="inner", maintain_order="left")
        column = np.searchsorted(sessions, frame[day].to_numpy().astype("datetime64[D]"))
        inside = column < len(sessions)
        return frame.filter(pl.Series(inside)), frame["row"].to_numpy()[inside], column[inside]

    on_session = bars.filter(
        pl.col("trading_day").is_in(pl.Series(sessions).cast(pl.Date).implode())
    )
    placed, row, column = place(on_session, "trading_day")
    matrices = {}
    for name in ("open", "high", "low", "close", "volume"):
        matrices[name] = np.full(shape, np.nan)
        matrices[name][row, column] = placed[name].to_numpy()
    known = np.full(shape, np.datetime64("NaT"), dtype="datetime64[D]")
    known[row, column] = placed["known_day"].to_numpy().astype("datetime64[D]")

    split, dividend = np.ones(shape), np.zeros(shape)
    for kind, matrix, combine in (("split", split, np.multiply), ("dividend", dividend, np.add)):
        of_kind = actions.filter(pl.col("kind") == kind).sort("symbol", "ex_date")
        of_kind, row, column = place(of_kind, "ex_date")
        combine.at(matrix, (row, column), of_kind["value"].to_numpy())
    return Panel(
        symbols.to_numpy(), sessions, **matrices, split=split, dividend=dividend, known_day=known
    )
