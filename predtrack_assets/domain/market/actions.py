"""Corporate actions: inferring them, undoing a vendor's adjustment, adjusting as of a day.

Conventions (CRSP): a split's value is new shares per old share; a dividend's is cash per share as
traded on the ex-date, after that day's split if there is one. Prices are as traded unless stated.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

import numpy as np
import polars as pl

ACTIONS = pl.Schema(
    {
        "symbol": pl.String,
        "ex_date": pl.Date,
        "kind": pl.String,  # 'split' | 'dividend'
        "value": pl.Float64,
        "inferred": pl.Boolean,
    }
)

LOOKBACK = timedelta(days=30)
"""How far back inference looks for the previous bar, so that no result depends on the window."""

PRICES = ("open", "high", "low", "close")

_FLOAT32_NOISE = 2e-6  # vendors compute adjusted closes in single precision
_LARGE_STEP = 0.1  # abs log of a step that the traded price must confirm
_SPLIT_SNAP = 0.01
_BY_SYMBOL = ("symbol", "trading_day")

Mode = Literal["splits", "total_return"]


def _split_ratios() -> np.ndarray:
    """Ratios that companies use, sorted: small p/q, n:1, and their inverses; (k,) float64."""
    small = [p / q for q in range(1, 5) for p in range(q + 1, 11) if p / q >= 1.2]
    large = [*range(2, 101), *range(105, 201, 5), *range(225, 501, 25), *range(550, 2001, 50)]
    ratios = np.unique(np.round([*small, *large], 12))
    return np.unique(np.concatenate([ratios, 1 / ratios]))


_RATIOS = _split_ratios()


def empty_actions() -> pl.DataFrame:
    """An ACTIONS frame without rows.

    >>> empty_actions().columns
    ['symbol', 'ex_date', 'kind', 'value', 'inferred']
    """
    return pl.DataFrame(schema=ACTIONS)


def decimals_of(values: pl.Series) -> int:
    """The number of decimals (0..9) to which the finite `values` are printed.

    >>> decimals_of(pl.Series([10.25, 11.5]))
    2
    """
    finite = values.drop_nulls().to_numpy()
    finite = finite[np.isfinite(finite)]
    for decimals in range(9):
        if np.allclose(finite, np.round(finite, decimals), rtol=1e-12, atol=1e-12):
            return decimals
    return 9


def infer_actions(
    bars: pl.DataFrame,
    *,
    as_traded: bool,
    splits: pl.DataFrame | None = None,
    decimals: int | None = None,
) -> pl.DataFrame:
    """Splits and dividends (ACTIONS, inferred) implied by the daily steps of adj_close / close.

    Between two bars the ratio moves by (1 - dividend / previous close) / split. A step beyond the
    rounding noise is a split where it is near a ratio that companies use and the traded price moved
    with it, else a dividend. Steps over more than 30 calendar days, up-steps that are no reverse
    split, steps that the next one takes back, and large steps that the price does not confirm are left alone.

    Args:
        bars: symbol String, trading_day Date, close, adj_close Float64; further columns ignored.
        as_traded: whether closes are as traded; if not, splits cannot be seen and dividends are
            in the units of the given closes.
        splits: known splits (ACTIONS); then none are inferred.
        decimals: decimals of adj_close; None takes them from `bars`, which makes the answer depend
            on the window at the margin of the noise.

    >>> bars = pl.DataFrame({"symbol": "A", "trading_day": [date(2024, 1, 2), date(2024, 1, 3)],
    ...                      "close": [100.0, 51.0], "adj_close": [50.0, 51.0]})
    >>> infer_actions(bars, as_traded=True).select("kind", "value").rows()
    [('split', 2.0)]
    """
    usable = (
        bars.select(*_BY_SYMBOL, "close", "adj_close")
        .filter(
            pl.all_horizontal(
                pl.col(c).is_finite() & (pl.col(c) > 0) for c in ("close", "adj_close")
            )
        )
        .unique(_BY_SYMBOL, keep="first", maintain_order=True)
        .sort(_BY_SYMBOL)
    )
    if decimals is None:
        decimals = decimals_of(usable["adj_close"])
    steps = _steps(usable, decimals)
    if splits is not None and not splits.is_empty():
        steps = _known_splits(steps, usable, splits)
    steps = _without_glitches(steps).filter((pl.col("step") - 1).abs() > pl.col("noise"))
    steps = _snap_to_splits(steps, enabled=as_traded and splits is None)
    moved = pl.col("close").log() - pl.col("prev_close").log() + pl.col("known").log()
    log_step = pl.col("step").log()
    confirmed = (log_step.abs() < _LARGE_STEP) | ((moved - log_step).abs() < moved.abs())
    steps = steps.filter(confirmed)
    rest = pl.col("step") * pl.col("split")  # what the split does not explain
    total_split = pl.col("split") * pl.col("known")
    found_splits = steps.filter(pl.col("split") != 1).select(
        *_action("split", pl.col("split"), inferred=True)
    )
    dividends = steps.filter(1 - rest > pl.col("noise")).select(
        *_action(
            "dividend", ((1 - rest) * pl.col("prev_close") / total_split).round(6), inferred=True
        )
    )
    return pl.concat([found_splits, dividends]).sort("symbol", "ex_date", "kind")


def _action(kind: str, value: pl.Expr, *, inferred: bool) -> list[pl.Expr]:
    """The columns of ACTIONS from a frame with symbol and trading_day."""
    return [
        pl.col("symbol"),
        pl.col("trading_day").alias("ex_date"),
        pl.lit(kind).alias("kind"),
        value.alias("value"),
        pl.lit(inferred).alias("inferred"),
    ]


def _steps(usable: pl.DataFrame, decimals: int) -> pl.DataFrame:
    """Per bar with a recent predecessor: step of the ratio, the noise of it, both closes."""
    ratio = pl.col("adj_close") / pl.col("close")
    half_unit = 0.5 * 10.0**-decimals / pl.col("adj_close")
    return (
        usable.with_columns(ratio=ratio, half_unit=half_unit)
        .with_columns(
            pl.col("close").shift(1).over("symbol").alias("prev_close"),
            pl.col("trading_day").shift(1).over("symbol").alias("prev_day"),
            (pl.col("ratio").shift(1).over("symbol") / pl.col("ratio")).alias("step"),
            (
                pl.col("half_unit") + pl.col("half_unit").shift(1).over("symbol") + _FLOAT32_NOISE
            ).alias("noise"),
        )
        .filter(pl.col("trading_day") - pl.col("prev_day") <= LOOKBACK)
        .with_columns(known=pl.lit(1.0))
        .drop("ratio", "half_unit", "prev_day")
    )


def _without_glitches(steps: pl.DataFrame) -> pl.DataFrame:
    """The steps without those that the next one takes back: one adj_close was wrong."""
    following, noise_there = (pl.col(c).shift(-1).over("symbol") for c in ("step", "noise"))
    taken_back = (pl.col("step") * following - 1).abs() <= pl.col("noise") + noise_there
    moves = (pl.col("step") - 1).abs() > pl.col("noise")
    return steps.filter(~(moves & taken_back).fill_null(False))


def _known_splits(steps: pl.DataFrame, usable: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Takes the known splits out of the steps."""
    events = _events_per_bar(usable, splits.filter(pl.col("kind") == "split"))
    joined = steps.join(events, on=_BY_SYMBOL, how="left", maintain_order="left")
    return joined.with_columns(known=pl.col("split_ratio").fill_null(1.0)).with_columns(
        step=pl.col("step") * pl.col("known")
    )


def _snap_to_splits(steps: pl.DataFrame, *, enabled: bool) -> pl.DataFrame:
    """Adds `split`: the ratio that the step stands for, 1.0 for none."""
    if not enabled or steps.is_empty():
        return steps.with_columns(split=pl.lit(1.0))
    implied = 1 / steps["step"].to_numpy()
    after = np.clip(np.searchsorted(_RATIOS, implied), 1, len(_RATIOS) - 1)
    below, above = _RATIOS[after - 1], _RATIOS[after]
    nearest = np.where(implied - below < above - implied, below, above)
    # A dividend on the same day makes the step smaller, so the implied ratio larger; never smaller.
    excess = implied / nearest - 1
    is_split = (excess > -steps["noise"].to_numpy() - 1e-4) & (excess < _SPLIT_SNAP)
    return steps.with_columns(split=pl.Series(np.where(is_split, nearest, 1.0)))


def _events_per_bar(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Actions collected on the first bar on or after their ex-date.

    Returns symbol, trading_day, split_ratio (product of the splits) and cash (dividends per share
    held before those splits). Only actions after the previous bar count; `bars` are sorted.
    """
    keyed = bars.select(*_BY_SYMBOL, pl.col("trading_day").alias("bar_day")).sort("trading_day")
    on_bar = (
        actions.select("symbol", "ex_date", "kind", "value")
        .sort("ex_date")
        .join_asof(
            keyed.rename({"trading_day": "_day"}),
            left_on="ex_date",
            right_on="_day",
            by="symbol",
            strategy="forward",
            check_sortedness=False,
        )
        .filter(pl.col("bar_day").is_not_null())
        .sort("symbol", "ex_date", pl.col("kind") == "dividend", "value")
    )
    split = pl.when(pl.col("kind") == "split").then("value").otherwise(1.0)
    return (
        on_bar.with_columns(split.alias("ratio"))
        .with_columns(pl.col("ratio").cum_prod().over("symbol", "bar_day").alias("held"))
        .group_by("symbol", pl.col("bar_day").alias("trading_day"))
        .agg(
            pl.col("ratio").product().alias("split_ratio"),
            (pl.col("value") * pl.col("held"))
            .filter(pl.col("kind") == "dividend")
            .sum()
            .alias("cash"),
        )
    )


def total_returns(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Bars sorted by symbol and day, with prev_close and log_return (null on the first bar).

    log_return = ln((close * split_ratio + cash) / prev_close), prev_close as traded. The value of
    a bar depends on it, its predecessor and the actions between them alone.

    >>> days = [date(2024, 1, 2), date(2024, 1, 3)]
    >>> bars = pl.DataFrame({"symbol": "A", "trading_day": days, "close": [100.0, 51.0]})
    >>> split = pl.DataFrame([("A", days[1], "split", 2.0, False)], ACTIONS, orient="row")
    >>> total_returns(bars, split)["log_return"].round(4).to_list()
    [None, 0.0198]
    """
    ordered = bars.sort(_BY_SYMBOL)
    ordered = ordered.with_columns(pl.col("close").shift(1).over("symbol").alias("prev_close"))
    relevant = actions.join(bars.select("symbol").unique(), on="symbol", how="semi")
    if relevant.is_empty():
        growth = pl.col("close") / pl.col("prev_close")
        return ordered.with_columns(growth.log().alias("log_return"))
    events = _events_per_bar(ordered, relevant)
    growth = (
        pl.col("close") * pl.col("split_ratio").fill_null(1.0) + pl.col("cash").fill_null(0.0)
    ) / (pl.col("prev_close"))
    return (
        ordered.join(events, on=_BY_SYMBOL, how="left", maintain_order="left")
        .with_columns(growth.log().alias("log_return"))
        .drop("split_ratio", "cash")
    )


def daily_returns(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Total log return per bar from consecutive as-traded closes and the actions between them.

    Args:
        bars: symbol, trading_day, close Float64 as traded, one row per symbol and day.
        actions: ACTIONS known to the caller; dividends and splits after the last bar are ignored.

    Returns:
        symbol String, trading_day Date, log_return Float64 (natural log), sorted; a symbol's first
        bar has no return and no row.

    >>> days = [date(2024, 1, 2), date(2024, 1, 3)]
    >>> bars = pl.DataFrame({"symbol": "A", "trading_day": days, "close": [100.0, 51.0]})
    >>> split = pl.DataFrame([("A", days[1], "split", 2.0, False)], ACTIONS, orient="row")
    >>> daily_returns(bars, split)["log_return"].round(4).to_list()
    [0.0198]
    """
    return (
        total_returns(bars.select(*_BY_SYMBOL, "close"), actions)
        .filter(pl.col("prev_close").is_not_null())
        .select(*_BY_SYMBOL, "log_return")
    )


def split_factor(bars: pl.DataFrame, splits: pl.DataFrame, as_of: date | None = None) -> pl.Series:
    """Product of the splits after each bar's day, up to and including `as_of` (None: all).

    Args:
        bars: symbol, trading_day; any order, which the result keeps.
        splits: ACTIONS; other kinds are ignored.

    Returns:
        Float64 series: new shares as of `as_of` per share on the bar's day.

    >>> days = [date(2024, 1, 2), date(2024, 1, 3)]
    >>> bars = pl.DataFrame({"symbol": "A", "trading_day": days, "close": [100.0, 51.0]})
    >>> split = pl.DataFrame([("A", days[1], "split", 2.0, False)], ACTIONS, orient="row")
    >>> split_factor(bars, split).to_list()
    [2.0, 1.0]
    """
    known = splits.filter(pl.col("kind") == "split")
    if as_of is not None:
        known = known.filter(pl.col("ex_date") <= as_of)
    known = known.join(bars.select("symbol").unique(), on="symbol", how="semi")
    if known.is_empty():
        return pl.repeat(1.0, bars.height, dtype=pl.Float64, eager=True).alias("split_factor")
    return _factor_after(bars, known.select("symbol", "ex_date", "value"))


def _factor_after(bars: pl.DataFrame, steps: pl.DataFrame) -> pl.Series:
    """Product of `value` over the steps with ex_date after each bar's day, latest first."""
    cumulative = (
        steps.sort("symbol", "ex_date", "value", descending=[False, True, False])
        .with_columns(pl.col("value").cum_prod().over("symbol").alias("split_factor"))
        .group_by("symbol", "ex_date")
        .agg(pl.col("split_factor").last())
        .sort("ex_date")
    )
    return (
        bars.select(*_BY_SYMBOL)
        .with_row_index("_row")
        .with_columns(pl.col("trading_day").dt.offset_by("1d").alias("_next"))
        .sort("_next")
        .join_asof(
            cumulative,
            left_on="_next",
            right_on="ex_date",
            by="symbol",
            strategy="forward",
            check_sortedness=False,
        )
        .sort("_row")["split_factor"]
        .fill_null(1.0)
    )


def round_price(price: pl.Expr) -> pl.Expr:
    """Prices to about six digits: what survives single precision, so that a refetch after a later
    split gives the same as-traded number. Two decimals from 1,000, four from 10.

    >>> pl.DataFrame({"p": [1234.5678, 12.345678]}).select(round_price(pl.col("p")))["p"].to_list()
    [1234.57, 12.3457]
    """
    rounded = pl.when(price >= 1000).then(price.round(2)).when(price >= 10).then(price.round(4))
    return rounded.otherwise(price.round_sig_figs(6))


def unadjust(bars: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """As-traded prices and volumes from a split-adjusted series.

    Args:
        bars: symbol, trading_day, any of open, high, low, close, volume; other columns are kept.
        splits: every split after the bars that the vendor has adjusted for (ACTIONS).

    Returns:
        The same rows in the same order; prices times, volume divided by, the later splits. Rows
        without a later split are untouched, others rounded by `round_price` and to whole shares.

    >>> days = [date(2024, 1, 2), date(2024, 1, 3)]
    >>> bars = pl.DataFrame({"symbol": "A", "trading_day": days, "close": [100.0, 51.0]})
    >>> split = pl.DataFrame([("A", days[1], "split", 2.0, False)], ACTIONS, orient="row")
    >>> unadjust(bars.with_columns(close=pl.Series([50.0, 51.0])), split)["close"].to_list()
    [100.0, 51.0]
    """
    factor = split_factor(bars, splits)
    if bool((factor == 1.0).all()):
        return bars
    scaled = bars.with_columns(factor.alias("_factor"))
    changed = pl.col("_factor") != 1.0
    columns = [
        pl.when(changed)
        .then(round_price(pl.col(c) * pl.col("_factor")))
        .otherwise(pl.col(c))
        .alias(c)
        for c in PRICES
        if c in bars.columns
    ]
    if "volume" in bars.columns:
        whole = (pl.col("volume") / pl.col("_factor")).round(0)
        columns.append(pl.when(changed).then(whole).otherwise(pl.col("volume")).alias("volume"))
    return scaled.with_columns(columns).drop("_factor")


def adjust(
    bars: pl.DataFrame, actions: pl.DataFrame, as_of: date, mode: Mode = "splits"
) -> pl.DataFrame:
    """Bars adjusted on read, as of a day: only actions with ex_date <= as_of are used.

    Args:
        bars: BARS as traded; a subset of the price and volume columns will do, but total_return
            needs close and the bar before each ex-date.
        actions: ACTIONS.
        mode: 'splits' divides prices by later splits; 'total_return' also takes out dividends by
            1 - dividend / previous close (CRSP). Volume is multiplied by splits in both.

    Returns:
        The same rows and columns in the same order.

    >>> days = [date(2024, 1, 2), date(2024, 1, 3)]
    >>> bars = pl.DataFrame({"symbol": "A", "trading_day": days, "close": [100.0, 51.0]})
    >>> split = pl.DataFrame([("A", days[1], "split", 2.0, False)], ACTIONS, orient="row")
    >>> adjust(bars, split, as_of=days[1])["close"].to_list()
    [50.0, 51.0]
    """
    shares = split_factor(bars, actions, as_of)
    price_factor = 1 / shares
    if mode == "total_return":
        price_factor = price_factor * _dividend_factor(bars, actions, as_of)
    columns = [(pl.col(c) * price_factor).alias(c) for c in PRICES if c in bars.columns]
    if "volume" in bars.columns:
        columns.append((pl.col("volume") * shares).alias("volume"))
    return bars.with_columns(columns)


def _dividend_factor(bars: pl.DataFrame, actions: pl.DataFrame, as_of: date) -> pl.Series:
    """Product of 1 - cash / previous close over later ex-dates, one per bar."""
    known = actions.filter(pl.col("ex_date") <= as_of).join(
        bars.select("symbol").unique(), on="symbol", how="semi"
    )
    ordered = bars.select(*_BY_SYMBOL, "close").sort(_BY_SYMBOL)
    steps = (
        _events_per_bar(ordered, known)
        .join(
            ordered.with_columns(pl.col("close").shift(1).over("symbol").alias("prev_close")),
            on=_BY_SYMBOL,
        )
        .filter((pl.col("cash") > 0) & (pl.col("cash") < pl.col("prev_close")))
        .select(
            "symbol",
            pl.col("trading_day").alias("ex_date"),
            (1 - pl.col("cash") / pl.col("prev_close")).alias("value"),
        )
    )
    return _factor_after(bars, steps).alias("dividend_factor")
