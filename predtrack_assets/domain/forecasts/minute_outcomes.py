"""Outcomes of predictions of minutes: resolved by the bars that end between as_of and due_at.

A price or a direction is resolved by the close of the bar that ends at due_at, a touch by the first
bar that reaches the target, a volatility by all of them. Prices are as traded: a horizon of minutes
ends within a day, and no split comes in between.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from predtrack_assets.domain.forecasts.identity import KEY
from predtrack_assets.domain.forecasts.outcomes import NOT_THE_CLOSE, OUTCOMES, score_results

TOLERANCE = 1e-4  # of the last price; see reference_prices for the same of sessions
_MINUTE_US = 60_000_000


def resolve_minutes(
    predictions: pl.DataFrame,
    revisions: pl.DataFrame,
    since: datetime,
    until: datetime,
    expire_after: int,
) -> pl.DataFrame:
    """Outcomes that became known in (since, until], the end of a trading day.

    predictions: columns of PREDICTIONS, horizons of minutes. revisions: symbol, bar_end, minutes,
    high, low, close, knowledge_time of the bars known by `until`; of one end the shortest bar counts
    in its latest revision. A prediction without its bar expires `expire_after` days after its due
    day. One that does not start from the last price of a day before as_of is not scored.
    Returns the columns of OUTCOMES, sorted by KEY; resolved_day is the day that ends at `until`.
    """
    day = (until - timedelta(microseconds=1)).date()
    predictions = predictions.filter(pl.col("as_of") < until)
    if predictions.is_empty():
        return pl.DataFrame(schema=OUTCOMES)
    bars = revisions.sort("knowledge_time").unique(["symbol", "bar_end", "minutes"], keep="last")
    bars = bars.sort("minutes").unique(["symbol", "bar_end"], keep="first", maintain_order=True)
    results = _results(predictions, bars)
    expiry = pl.col("due_day").cast(pl.Datetime("us", "UTC")) + timedelta(days=expire_after + 1)
    starts = _starts_from_the_last_price(predictions, bars)
    ended = results.join(starts, on=KEY, how="left", maintain_order="left").with_columns(
        reason=pl.when(pl.col("starts").not_()).then(pl.lit(NOT_THE_CLOSE)),
        status=pl.when(pl.col("known").is_not_null() & pl.col("starts"))
        .then(pl.lit("validated"))
        .otherwise(pl.lit("expired")),
        knowledge_time=pl.coalesce("known", pl.when(expiry <= until).then(expiry)),
        resolved_day=pl.lit(day),
    )
    # What a run of a later day finds expired was so from its own day on.
    became = ended.filter((pl.col("knowledge_time") > since) & (pl.col("knowledge_time") <= until))
    return score_results(became).sort(KEY)


def _results(predictions: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """The predictions with known (null: pending), hit_after, actual_price, actual_return, volatility."""
    path = predictions.join(bars, on="symbol", how="left").filter(
        (pl.col("bar_end") <= pl.col("due_at"))
        & (pl.col("bar_end") - pl.duration(minutes="minutes") >= pl.col("as_of"))
    )
    path = path.sort(*KEY, "bar_end").with_columns(
        last=pl.col("bar_end") == pl.col("due_at"),
        reached=_reached() & (pl.col("kind") == "time_to_hit"),
        before=pl.col("close").shift(1).over(KEY).fill_null(pl.col("reference_price")),
    )
    seen = path.group_by(KEY).agg(
        volatility=(pl.col("close") / pl.col("before")).log().pow(2).sum(),
        all_known=pl.col("knowledge_time").max(),
        complete=pl.col("last").any(),
    )
    ends = path.filter(pl.col("last") | pl.col("reached")).unique(
        KEY, keep="first", maintain_order=True
    )
    minutes = (pl.col("bar_end") - pl.col("as_of")).dt.total_microseconds() // _MINUTE_US
    ends = ends.select(
        *KEY,
        actual_price="close",
        end_known="knowledge_time",
        hit_after=pl.when("reached").then(minutes).otherwise(0).cast(pl.Int16),
    )
    of_end = pl.col("kind").is_in(["price", "direction"]) | (pl.col("hit_after") > 0)
    return (
        predictions.join(ends, on=KEY, how="left", maintain_order="left")
        .join(seen, on=KEY, how="left", maintain_order="left")
        .with_columns(
            pl.col("hit_after").fill_null(0),
            known=pl.when(of_end)
            .then("end_known")
            .otherwise(pl.when("complete").then("all_known")),
            actual_return=(pl.col("actual_price") / pl.col("reference_price")).log(),
            realised_volatility=pl.when(pl.col("kind") == "volatility").then(
                (pl.col("volatility") / pl.col("horizon")).sqrt()
            ),
        )
    )


def _reached() -> pl.Expr:
    """Whether a bar reaches the target, by its range or its close as the rule says."""
    by_close = pl.col("hit_rule") == "close"
    high = pl.when(by_close).then("close").otherwise("high")
    low = pl.when(by_close).then("close").otherwise("low")
    above = pl.col("side") == "above"
    reached = pl.when(above).then(high >= pl.col("target_price"))
    return reached.otherwise(low <= pl.col("target_price")).fill_null(value=False)


def _starts_from_the_last_price(predictions: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """KEY and starts: whether S0 is the close of the last bar that had ended at as_of, to TOLERANCE."""
    ended = bars.select("symbol", "bar_end", last_close="close").sort("bar_end")
    found = predictions.sort("as_of").join_asof(
        ended,
        left_on="as_of",
        right_on="bar_end",
        by="symbol",
        tolerance="1d",
        check_sortedness=False,
    )
    near = (pl.col("reference_price") / pl.col("last_close") - 1).abs() <= TOLERANCE
    return found.select(*KEY, starts=near.fill_null(value=False))
