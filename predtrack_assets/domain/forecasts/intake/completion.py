"""Statements beside what the server knows of their cells: columns of the ledger, in its units."""

from __future__ import annotations

import numpy as np
import polars as pl

from predtrack_assets.domain.models.forecast import QUANTILE_NAMES, band_5pct, cdf
from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.statistics.first_passage import hit_probability

SESSIONS_A_YEAR = {"24/7": 365, "24/5": 260}
FAR = np.log(5)
SAME = 1e-12  # relative: a number that went through JSON and back is the same
STATED = tuple(f"stated_{name}" for name in QUANTILE_NAMES)


def with_log_returns(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with q05..q95 of prices and `away`, of a median or a target, as log returns; and `far`.

    rows: STATED values, target_said, unit (price or log_return), reference_price. far: more than a
    factor 5 away from the reference, as prices from before a split are, and returns sent as prices.
    """
    reference = pl.col("reference_price")

    def as_return(stated: str) -> pl.Expr:
        price = (pl.col(stated) / reference).log()
        return pl.when(pl.col("unit") == "price").then(price).otherwise(stated)

    pairs = zip(STATED, QUANTILE_NAMES, strict=True)
    rows = rows.with_columns(as_return(stated).alias(name) for stated, name in pairs)
    away = pl.coalesce("q50", as_return("target_said"))
    return rows.with_columns(away=away).with_columns(far=pl.col("away").abs() > FAR)


def completed(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the columns that their statements fill; those of other kinds are null.

    rows: kind, value (p_up, p_hit, or the sd in `unit`), q05..q95 of prices, `away` of targets,
    climatology, reference_price, sigma, horizon and exchange. A target of one's own has no record of
    its own: its base rate is what the no-change walk gives it.
    """
    price, kind = pl.col("kind") == "price", pl.col("kind")
    hit = kind == "time_to_hit"
    above = pl.when(pl.col("away") > 0).then(pl.lit("above")).otherwise(pl.lit("below"))
    year = pl.col("exchange").replace_strict(SESSIONS_A_YEAR, default=252, return_dtype=pl.Float64)
    daily = pl.when(pl.col("unit") == "year").then(pl.col("value") / year.sqrt())
    rows = rows.with_columns(
        confidence=pl.when((kind == "direction") | hit).then("value"),
        target_price=pl.when(hit).then(pl.col("reference_price") * pl.col("away").exp()),
        side=pl.when(hit).then(above),
        climatology=pl.when(hit).then(_no_change_hit(rows)).otherwise("climatology"),
        predicted_volatility=pl.when(kind == "volatility").then(daily.otherwise("value")),
        predicted_price=pl.when(price).then(pl.col("reference_price") * pl.col("q50").exp()),
        p_within_band=pl.lit(None, pl.Float64),
    )
    prices = rows.filter(price)
    if prices.is_empty():
        return rows
    quantiles = prices.select(QUANTILE_NAMES).to_numpy()
    median = quantiles[:, 3]
    spread = prices["sigma"].to_numpy() * np.sqrt(prices["horizon"].to_numpy())
    filled = prices.with_columns(
        confidence=_between(quantiles, *band_5pct(median)),
        p_within_band=_between(quantiles, median - spread, median + spread),
    )
    return pl.concat([rows.filter(~price), filled]).sort("index")


def with_first(rows: pl.DataFrame, stored: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """The rows with `first` (index of the first statement of their cell, -1 one that is stored) and
    `same`: whether they say the same as it."""
    stated = [
        "confidence", *QUANTILE_NAMES, "predicted_volatility", "target_price", "predicted_days",
    ]  # fmt: skip
    names = ["index", *key, *stated, "hit_rule"]
    both = pl.concat(
        [stored.with_columns(index=pl.lit(-1, pl.Int64)).select(names), rows.select(names)],
        how="vertical_relaxed",
    )
    # A price's confidence follows from its quantiles; it may be rounded otherwise elsewhere.
    agrees = [
        _equal(name) | ((pl.col("kind") == "price") if name == "confidence" else pl.lit(False))
        for name in stated
    ]
    agrees.append(pl.col("hit_rule").eq_missing(pl.col("first_hit_rule")))
    firsts = both.with_columns(
        pl.col("index").first().over(key).alias("first"),
        pl.col("hit_rule").first().over(key).alias("first_hit_rule"),
        *(pl.col(name).first().over(key).alias(f"first_{name}") for name in stated),
    ).with_columns(same=pl.all_horizontal(agrees))
    return rows.join(
        firsts.filter(pl.col("index") >= 0).select("index", "first", "same"),
        on="index",
        how="left",
        maintain_order="left",
    )


def _no_change_hit(rows: pl.DataFrame) -> pl.Series:
    """The no-change walk's probability of reaching each row's target; null where there is none."""
    away, sigma = (rows[name].cast(pl.Float64).to_numpy() for name in ("away", "sigma"))
    horizon = rows["horizon"].to_numpy().astype(float)
    return pl.Series(hit_probability(away, sigma, horizon, -(sigma**2) / 2)).fill_nan(None)


def _between(quantiles: Floats, low: Floats, high: Floats) -> Floats:
    return np.clip(cdf(quantiles, high) - cdf(quantiles, low), 0, 1)


def _equal(name: str) -> pl.Expr:
    a, b = pl.col(name), pl.col(f"first_{name}")
    close = (a - b).abs() <= SAME * pl.max_horizontal(b.abs(), pl.lit(1.0))
    return pl.when(a.is_null() | b.is_null()).then(a.is_null() & b.is_null()).otherwise(close)
