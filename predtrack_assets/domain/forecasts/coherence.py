"""Predictions whose fields contradict each other are refused."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl

from predtrack_assets.domain.forecasts.predict import EVERY_KIND, PREDICTIONS
from predtrack_assets.domain.models.forecast import QUANTILE_NAMES, cdf

COHERENCE_TOLERANCE = 0.02  # of p_up around a half, within which the median may have either sign
HIT_TOLERANCE = 0.02  # between seven quantiles a probability is interpolated


def refuse_incoherent(predictions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split predictions into those that can be believed and those refused, with a `reason`.

    Refused: cells of a symbol with too little history or that does not move, cells whose due session
    no calendar knows, cells without the
    features that their model needs, numbers that are not finite, probabilities outside [0, 1],
    prices not positive, quantiles out of order, a target on the wrong side, a touch after its
    deadline, and of one cell a median and a direction that contradict each other, or a touch less
    likely than that the price ends beyond the target. Returns (accepted, refused).
    """
    numbers = [n for n, dtype in PREDICTIONS.items() if dtype == pl.Float64()]
    quantiles = list(QUANTILE_NAMES)
    disordered = pl.any_horizontal(pl.col(a) > pl.col(b) for a, b in pairwise(quantiles))
    probabilities = ("confidence", "climatology", "p_within_band")
    positive = ["reference_price", "sigma", "predicted_price", "target_price", "predicted_days"]
    positive += ["predicted_volatility"]
    wrong_side = (pl.col("side") == "above") != (pl.col("target_price") > pl.col("reference_price"))
    cell = ("model_id", "symbol", "trading_day", "horizon")
    doubt = (pl.when(kind="direction").then("confidence").max() - 0.5).over(cell)
    rise = pl.when(kind="price").then("q50").max().over(cell)
    nothing = pl.col("kind") == EVERY_KIND
    rules = {
        "does_not_move": nothing & (pl.col("sigma") == 0),
        "too_little_history": nothing,
        "calendar_ends": pl.col("due_day").is_null(),
        "no_features": pl.col("feature_digest").is_null(),
        "not_finite": pl.any_horizontal(~pl.col(n).is_finite() for n in numbers),
        "impossible_probability": pl.any_horizontal(
            ~pl.col(n).is_between(0, 1) for n in probabilities
        ),
        "non_positive": pl.any_horizontal(pl.col(n) <= 0 for n in positive),
        "quantiles_out_of_order": disordered,
        "target_on_wrong_side": wrong_side,
        "hit_after_deadline": pl.col("predicted_days") > pl.col("horizon"),
        "median_contradicts_direction": pl.col("kind").is_in(["price", "direction"])
        & (doubt.abs() > COHERENCE_TOLERANCE)
        & (doubt * rise < 0),
    }
    reason = pl.coalesce(
        pl.when(rule.fill_null(False)).then(pl.lit(name)) for name, rule in rules.items()
    )
    judged = predictions.with_columns(reason.alias("reason"))
    believed = judged.filter(pl.col("reason").is_null()).drop("reason")
    found = _contradicted(believed, cell)
    if len(found):
        named = judged.join(found, on=[*cell, "kind"], how="left", maintain_order="left")
        judged = named.with_columns(pl.coalesce("reason", "contradiction")).drop("contradiction")
        believed = judged.filter(pl.col("reason").is_null()).drop("reason")
    return believed, judged.filter(pl.col("reason").is_not_null())


def _contradicted(predictions: pl.DataFrame, cell: tuple[str, ...]) -> pl.DataFrame:
    """Prices and touches of cells where a touch is less likely than an end beyond its target."""
    prices = predictions.filter(kind="price").select(*cell, *QUANTILE_NAMES)
    touches = predictions.filter(kind="time_to_hit").select(
        *cell,
        "confidence",
        "side",
        distance=(pl.col("target_price") / pl.col("reference_price")).log(),
    )
    both = touches.join(prices, on=cell)
    below = cdf(both.select(QUANTILE_NAMES).to_numpy(), both["distance"].to_numpy())
    ends_beyond = np.where(both["side"].to_numpy() == "above", 1.0 - below, below)
    wrong = both["confidence"].to_numpy() < ends_beyond - HIT_TOLERANCE
    kinds = pl.DataFrame({"kind": ["price", "time_to_hit"]})
    found = both.filter(pl.Series(wrong)).select(cell).join(kinds, how="cross")
    return found.with_columns(contradiction=pl.lit("touch_less_likely_than_end"))
