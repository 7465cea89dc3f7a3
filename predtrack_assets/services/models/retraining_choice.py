"""Choose which of the symbols that need it are retrained now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from predtrack_assets.domain.numerics.types import Days

RUNNING = "is being fitted"
COOLING = "was fitted less than {} sessions before the report"
ASKED = "was asked for by the same report"
LATER = "waits for a later tick: at most {} at a time"
WANTED = "is asked for"


@dataclass(frozen=True)
class Limits:
    """cap: retrainings asked for and unfinished at once; cool_down: sessions between two fits."""

    cap: int
    cool_down: int


def choose(
    candidates: pl.DataFrame,
    sessions: Days,
    asked: Collection[str],
    running: Collection[str],
    limits: Limits,
) -> pl.DataFrame:
    """Candidates, worst first, with `why`: WANTED, or the reason that it is not asked for now.

    candidates: one row per symbol (symbol, run_key, posterior_mean, report_day, fitted_through or
    null, spared: a reason of its own or null). sessions: sorted trading days that cover the days in
    them. asked: run keys of before; running: symbols that are being fitted, each of which takes one
    of the cap's places.
    """
    frame = candidates.sort("posterior_mean", "symbol")
    at = {
        name: np.searchsorted(sessions, frame[name].to_numpy().astype("datetime64[D]"))
        for name in ("report_day", "fitted_through")
    }
    rested = pl.Series(at["report_day"] - at["fitted_through"])
    fitted_lately = pl.col("fitted_through").is_not_null() & (rested < limits.cool_down)
    wanted = pl.col("why") == WANTED
    free = max(0, limits.cap - len(set(running)))
    return frame.with_columns(
        pl.when(pl.col("spared").is_not_null())
        .then("spared")
        .when(pl.col("symbol").is_in(list(running)))
        .then(pl.lit(RUNNING))
        .when(fitted_lately)
        .then(pl.lit(COOLING.format(limits.cool_down)))
        .when(pl.col("run_key").is_in(list(asked)))
        .then(pl.lit(ASKED))
        .otherwise(pl.lit(WANTED))
        .alias("why")
    ).with_columns(
        pl.when(wanted & (wanted.cum_sum() > free))
        .then(pl.lit(LATER.format(limits.cap)))
        .otherwise("why")
        .alias("why")
    )
