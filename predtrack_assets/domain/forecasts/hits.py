"""Correct calls: what an accuracy counts, whatever the kind of prediction."""

from __future__ import annotations

import polars as pl


def correct_call() -> pl.Expr:
    """Whether a validated call was correct, from kind, occurred and confidence.

    A price calls its event. A direction or a touch calls the side that its probability makes
    likelier, a half counting as yes: a 10 % forecast is correct when the event does not happen.
    """
    likelier = pl.col("occurred") == (pl.col("confidence") >= 0.5)
    return pl.when(pl.col("kind") == "price").then(pl.col("occurred")).otherwise(likelier)
