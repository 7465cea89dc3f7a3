"""Which splits a vendor's prices are adjusted for already: compared, never assumed."""

from __future__ import annotations

import polars as pl

from predtrack_assets.domain.market.actions import LOOKBACK

_TELLING_SPLIT = 0.18  # abs log: 6 for 5 and larger; smaller ones pass for a day's move


def splits_in_prices(
    closes: pl.DataFrame, splits: pl.DataFrame, *, otherwise: bool = True
) -> pl.DataFrame:
    """The splits that a vendor's prices before them are already adjusted for.

    The step of the close over the ex-date tells: one near 1 / ratio is as traded, one near 1 is
    adjusted. A split without a close on or after it is in no price yet.

    Args:
        closes: symbol, trading_day, close of the vendor; unusable closes are left out.
        splits: ACTIONS of kind 'split'.
        otherwise: whether a split is contained of which the step does not tell, as it is small or
            the close between both.

    Returns:
        The rows of `splits` that are contained, in their order.

    Examples:
        A 2:1 split over which the close halves is in no price before it; where the close moves
        on, it is in all of them.

        >>> from datetime import date
        >>> from predtrack_assets.domain.market.actions import ACTIONS
        >>> days = [date(2023, 8, 10), date(2023, 8, 11)]
        >>> split = ("ABC", days[1], "split", 2.0, False)
        >>> splits = pl.DataFrame([split], schema=ACTIONS, orient="row")
        >>> closes = pl.DataFrame({"symbol": ["ABC"] * 2, "trading_day": days, "close": [100.0, 51.0]})
        >>> splits_in_prices(closes, splits).height
        0
        >>> adjusted = closes.with_columns(close=pl.Series([50.0, 51.0]))
        >>> splits_in_prices(adjusted, splits).height
        1
    """
    steps = _steps_over(closes, splits)
    size = pl.col("value").log()
    moved = pl.col("close").log() - pl.col("before").log()
    tells = size.abs() >= _TELLING_SPLIT
    traded = tells & ((moved + size).abs() < size.abs() / 4)
    adjusted = tells & (moved.abs() < size.abs() / 4)
    contained = (
        pl.when(pl.col("close").is_null())
        .then(False)
        .when(traded)
        .then(False)
        .when(adjusted)
        .then(True)
        .otherwise(otherwise)
    )
    return steps.filter(contained).select(splits.columns)


def _steps_over(closes: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """`splits` with the close on or after the ex-date, and `before`, the one before it."""
    usable = closes.filter(pl.col("close").is_finite() & (pl.col("close") > 0))
    keyed = usable.select("symbol", "trading_day", "close").sort("trading_day")
    dated = splits.with_row_index("_row").sort("ex_date")
    after = dated.join_asof(
        keyed,
        left_on="ex_date",
        right_on="trading_day",
        by="symbol",
        strategy="forward",
        check_sortedness=False,
    )
    before = dated.join_asof(
        keyed,
        left_on="ex_date",
        right_on="trading_day",
        by="symbol",
        strategy="backward",
        allow_exact_matches=False,
        tolerance=LOOKBACK,
        check_sortedness=False,
    ).select("_row", pl.col("close").alias("before"))
    return after.join(before, on="_row", how="left").sort("_row")
