"""Differences between the losses of two models on the same predictions."""

from __future__ import annotations

import numpy as np
import polars as pl

from predtrack_assets.domain.models.forecast import (
    QUANTILE_LEVELS,
    QUANTILE_NAMES,
    normal_quantiles,
)


def no_change_forecasts(rows: pl.DataFrame) -> pl.DataFrame:
    """What no_change forecasts of the symbols and days of `rows`, in their columns, with its loss.

    Rows: as of `paired_differences`, and horizon, sigma, loss_no_change. The price stays, so a rise
    is a coin, and ln(S_T / S0) is normal around 0 with standard deviation sigma sqrt(horizon).
    """
    spread = rows["sigma"].to_numpy() * np.sqrt(rows["horizon"].to_numpy().astype(float))
    quantiles = normal_quantiles(np.zeros_like(spread), spread)
    return rows.with_columns(
        pl.col("loss_no_change").alias("loss"),
        pl.lit(0.5).alias("confidence"),
        *(pl.Series(name, quantiles[:, k]) for k, name in enumerate(QUANTILE_NAMES)),
    )


def paired_differences(control: pl.DataFrame, treatment: pl.DataFrame, kind: str) -> pl.DataFrame:
    """trading_day, known_day, symbols, d: the mean difference per decision date, scaled to [-1, 1].

    Rows of both sides: symbol, trading_day, resolved_day, loss (CRPS of a price, Brier of a direction),
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
        pairs.with_columns(difference=pl.col("loss") - pl.col("loss_t"), largest=pl.Series(largest))
        .group_by("trading_day", maintain_order=True)
        .agg(
            pl.max_horizontal("resolved_day", "resolved_day_t").max().alias("known_day"),
            pl.len().alias("symbols"),
            pl.col("difference").sum(),
            pl.col("largest").sum(),
        )
    )
    scaled = pl.when(pl.col("largest") > 1e-12).then(pl.col("difference") / pl.col("largest"))
    return daily.select(
        "trading_day", "known_day", "symbols", scaled.fill_null(0.0).clip(-1, 1).alias("d")
    )
