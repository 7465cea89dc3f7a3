"""Whether predictions start from the price that was known when they were made."""

from __future__ import annotations

import numpy as np
import polars as pl

from predtrack_assets.domain.forecasts.outcomes import NOT_THE_CLOSE, closes_at
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.market.queries import KNOWN_CLOSES

TOLERANCE = 1e-4  # of the close: a hundredth of a percent, what rounding to cents may do
START = ["symbol", "trading_day", "reference_price"]


def with_reason(transaction: Transaction, predictions: pl.DataFrame, panel: Panel) -> pl.DataFrame:
    """The predictions, and in `reason` NOT_THE_CLOSE where S0 was no close of D known at as_of.

    predictions: START at least. The panel's closes settle nearly all of them; the others are compared
    with every revision that was known at their own as_of.
    """
    starts = predictions.select(START).unique()
    doubtful = starts.filter(~_is_near(starts, closes_at(panel, starts)))
    if doubtful.is_empty():
        return predictions.with_columns(reason=pl.lit(None, pl.String))
    known = transaction.read(
        KNOWN_CLOSES,
        symbols=doubtful["symbol"].unique().to_list(),
        first=doubtful["trading_day"].min(),
        last=doubtful["trading_day"].max(),
    )
    revisions = doubtful.join(known, on=["symbol", "trading_day"])
    right = revisions.filter(_is_near(revisions, revisions["close"].to_numpy()))
    wrong = doubtful.join(right, on=START, how="anti")
    return predictions.join(
        wrong.with_columns(reason=pl.lit(NOT_THE_CLOSE)),
        on=START,
        how="left",
        maintain_order="left",
    )


def _is_near(starts: pl.DataFrame, close: np.ndarray) -> pl.Series:
    """Whether S0 is that close up to the tolerance, bool; a close that is not there is NaN."""
    return pl.Series(np.abs(starts["reference_price"].to_numpy() / close - 1) <= TOLERANCE)
