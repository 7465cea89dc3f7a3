"""Is the challenger better than the champion? A betting e-process, which may be looked at any day.

d_t in [-1, 1] is the paired score difference of decision date t, positive where the challenger
was better. A gambler who stakes a share lambda_t in [0, 1/2] of the capital on d_t > 0, chosen
before d_t is known, multiplies it by 1 + lambda_t d_t. If the challenger is no better, the
capital reaches 20 with probability at most 1/20, whenever one stops (Ville's inequality).
Sources: Waudby-Smith & Ramdas 2024, Henzi & Ziegel 2022, Choe & Ramdas 2023; lags: Arnold, Henzi
& Ziegel 2023.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain.models import QUANTILE_LEVELS, QUANTILE_NAMES

Floats = NDArray[np.float64]

PROMOTE_AT = 20.0  # alpha = 0.05
MOST = 0.5  # largest stake
PRIOR_DAYS = 20.0  # how much evidence the gambler wants before staking much

RUNNING, PROMOTED, REJECTED = "running", "promoted", "rejected"


class Decision(NamedTuple):
    """Status, index of the date at whose result it was reached (-1: none), e-values then or last."""

    status: str
    at: int
    e_value: float
    e_against: float


def stakes(d: ArrayLike, horizon: int = 1) -> Floats:
    """Stake (..., T) on each date, from the results known at its decision: dates <= t - horizon.

    Growth-optimal to second order, mean / second moment of the past, shrunk toward no stake.
    """
    d = np.asarray(d, np.float64)
    sums = np.zeros((2, *d.shape))
    sums[..., horizon:] = np.cumsum(np.stack([d, np.square(d)]), axis=-1)[..., : -horizon or None]
    seen = np.maximum(np.arange(d.shape[-1]) - horizon + 1, 0)
    typical = np.where(seen > 0, sums[1] / np.maximum(seen, 1), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        stake = sums[0] / (sums[1] + PRIOR_DAYS * typical)
    return np.clip(np.nan_to_num(stake, nan=0.0), 0.0, MOST)


def e_process(d: ArrayLike, horizon: int = 1) -> Floats:
    """Evidence E (..., T) that the mean of d is positive, after the result of each date.

    d: (..., T) in [-1, 1], in date order, each known `horizon` sessions after its date. The mean of
    `horizon` processes, the j-th over dates j, j + horizon, ..., whose results do not overlap.
    Raises ValueError for differences outside [-1, 1].
    """
    d = np.asarray(d, np.float64)
    if not np.all(np.abs(d) <= 1 + 1e-9):
        raise ValueError("score differences must be scaled to [-1, 1]")
    growth = np.log1p(stakes(d, horizon) * d)
    capital = np.zeros_like(d)
    for start in range(min(horizon, d.shape[-1])):
        own = np.zeros_like(d)
        own[..., start::horizon] = growth[..., start::horizon]
        capital += np.exp(np.cumsum(own, axis=-1))
    return (capital + max(horizon - d.shape[-1], 0)) / horizon


def decide(d: ArrayLike, horizon: int = 1) -> Decision:
    """The first moment at which either direction's e-process reaches 20, else still running."""
    d = np.asarray(d, np.float64)
    if not d.size:
        return Decision(RUNNING, -1, 1.0, 1.0)
    better, worse = e_process(d, horizon), e_process(-d, horizon)
    reached = np.flatnonzero((better >= PROMOTE_AT) | (worse >= PROMOTE_AT))
    at = int(reached[0]) if reached.size else -1
    status = RUNNING
    if reached.size:
        status = PROMOTED if better[at] >= PROMOTE_AT else REJECTED
    return Decision(status, at, float(better[at]), float(worse[at]))


def paired_differences(control: pl.DataFrame, treatment: pl.DataFrame, kind: str) -> pl.DataFrame:
    """trading_day, known_day, symbols, d: the mean difference per decision date, scaled to [-1, 1].

    Rows of both sides: symbol, trading_day, resolved_day, score (CRPS of a price, Brier of a direction),
    confidence and, for a price, its quantiles. Divided by the largest size that the two forecasts
    allow it to have, which is known when they are made; so the scale needs no clipping.
    """
    pairs = control.join(treatment, on=["symbol", "trading_day"], suffix="_t")
    pairs = pairs.sort("trading_day", "symbol")
    if kind == "price":
        a, b = (
            pairs.select(f"{q}{s}" for q in QUANTILE_NAMES).to_numpy().reshape(-1, 7)
            for s in ("", "_t")
        )
        steepest = np.maximum(QUANTILE_LEVELS, 1 - QUANTILE_LEVELS)
        largest = 2 * (np.abs(a - b) * steepest).mean(axis=1)
    else:
        p, q = (pairs[c].to_numpy() for c in ("confidence", "confidence_t"))
        largest = np.abs(p - q) * np.maximum(p + q, 2 - p - q)
    daily = (
        pairs.with_columns(gained=pl.col("score") - pl.col("score_t"), largest=pl.Series(largest))
        .group_by("trading_day", maintain_order=True)
        .agg(
            pl.max_horizontal("resolved_day", "resolved_day_t").max().alias("known_day"),
            pl.len().alias("symbols"),
            pl.col("gained").sum(),
            pl.col("largest").sum(),
        )
    )
    scaled = pl.when(pl.col("largest") > 1e-12).then(pl.col("gained") / pl.col("largest"))
    return daily.select(
        "trading_day", "known_day", "symbols", scaled.fill_null(0.0).clip(-1, 1).alias("d")
    )
