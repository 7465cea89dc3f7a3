"""Judging a daily bar: rejected with one reason, or accepted as good or suspect.

Reasons, the first that applies in this order: malformed_symbol, exchange_not_known, missing_value,
not_finite, non_positive_price, high_below_low, ohlc_inconsistent, negative_volume, future_day,
outside_the_calendar, not_a_session, duplicate_disagrees (every copy), duplicate_identical (every
copy but one).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.market.actions import LOOKBACK, PRICES, total_returns

BARS = pl.Schema(
    {
        "symbol": pl.String,
        "trading_day": pl.Date,
        "open": pl.Float64,
        "high": pl.Float64,
        "low": pl.Float64,
        "close": pl.Float64,
        "volume": pl.Float64,
    }
)
ACCEPTED = pl.Schema([*BARS.items(), ("quality", pl.String()), ("flag", pl.String())])
REJECTS = pl.Schema(
    {
        "symbol": pl.String,
        "trading_day": pl.Date,
        "reason": pl.String,
        "payload": pl.String,
    }
)
PREVIOUS = pl.Schema({"symbol": pl.String, "trading_day": pl.Date, "close": pl.Float64})

REASONS = (
    "malformed_symbol",
    "exchange_not_known",
    "missing_value",
    "not_finite",
    "non_positive_price",
    "high_below_low",
    "ohlc_inconsistent",
    "negative_volume",
    "future_day",
    "outside_the_calendar",
    "not_a_session",
    "duplicate_disagrees",
    "duplicate_identical",
)
FLAGS = ("jump", "range", "stale")

SYMBOL_PATTERN = r"^\^?[A-Z0-9][A-Z0-9.&=-]{0,18}$"
"""Upper-case vendor symbols: BRK-B, BHP.AX, ^GSPC, EURUSD=X, BTC-USD; at most 20 characters."""

_NO_VOLUME = ("index", "volatility", "fx", "fund")
_FLOAT_NOISE = 1e-6
_GOOD, _SUSPECT = pl.lit("good"), pl.lit("suspect")
_KEY = ("symbol", "trading_day")


@dataclass(frozen=True)
class Screened:
    """accepted: ACCEPTED sorted by symbol and day; rejects: REJECTS. Together every input row."""

    accepted: pl.DataFrame
    rejects: pl.DataFrame


def screen(
    bars: pl.DataFrame,
    *,
    routes: pl.DataFrame,
    sessions: Mapping[str, NDArray[np.datetime64]],
    last_complete: date,
    previous: pl.DataFrame,
    traded: Collection[str],
    actions: pl.DataFrame,
    max_jump: float,
) -> Screened:
    """Sorts bars into accepted (good, suspect) and rejected.

    An accepted bar is good, or suspect with a flag: see `flagged`.

    An open or close outside [low, high] by at most 1e-6 of it is clipped; a missing volume of an
    index or a currency is 0.

    Args:
        bars: BARS, as traded, any order.
        routes: symbol, exchange (null: not known), asset_class (all String), one row per symbol of
            `bars`; classes 'index', 'volatility', 'fx' and 'fund' have no volume.
        sessions: exchange to its session dates, datetime64[D]; must cover the days of `bars`.
        last_complete: the last day whose bars are final; later ones are future_day.
        previous: PREVIOUS, the last stored close per symbol before the bars; may be empty.
        traded: symbols with a volume on any day before the bars.
        actions: ACTIONS that cover the days from `previous` on.
        max_jump: natural log units.

    Raises:
        ValueError: an exchange has no sessions.

    >>> day = date(2024, 1, 2)
    >>> prices = [("A", day, 10.0, 11.0, 9.0, 10.5, 1e6), ("B", day, 10.0, 9.0, 11.0, 10.0, 1e6)]
    >>> bars = pl.DataFrame(prices, BARS, orient="row")
    >>> routes = pl.DataFrame({"symbol": ["A", "B"], "exchange": "XNYS", "asset_class": "stock"})
    >>> from predtrack_assets.domain.market.actions import empty_actions
    >>> found = screen(
    ...     bars, routes=routes, sessions={"XNYS": np.array([day], "datetime64[D]")},
    ...     last_complete=day, previous=empty_previous(), traded=(), actions=empty_actions(), max_jump=0.5,
    ... )
    >>> found.accepted["symbol"].to_list(), found.rejects["reason"].to_list()
    (['A'], ['high_below_low'])
    """
    if bars.is_empty():
        return Screened(pl.DataFrame(schema=ACCEPTED), pl.DataFrame(schema=REJECTS))
    marked = _mark_sessions(bars.select(list(BARS)), routes, sessions)
    marked = marked.with_columns(_filled_volume(), pl.col([*PRICES, "volume"]).name.prefix("raw_"))
    marked = marked.with_columns(_reason(last_complete).alias("reason"))
    rejected = marked.filter(pl.col("reason").is_not_null())
    kept = marked.filter(pl.col("reason").is_null())
    twins, kept = _split_duplicates(kept)
    accepted = flagged(_clip(kept), previous, traded, actions, max_jump)
    return Screened(accepted, _as_rejects(pl.concat([rejected, twins])))


def _mark_sessions(
    bars: pl.DataFrame, routes: pl.DataFrame, sessions: Mapping[str, NDArray[np.datetime64]]
) -> pl.DataFrame:
    """Adds exchange, asset_class, is_session, and is_covered by the exchange's calendar."""
    routed = bars.join(
        routes.select("symbol", "exchange", "asset_class"),
        on="symbol",
        how="left",
        maintain_order="left",
    )
    well_formed = routed.filter(pl.col("symbol").str.contains(SYMBOL_PATTERN))
    exchanges = well_formed["exchange"].drop_nulls().unique().sort().to_list()
    unknown = [e for e in exchanges if e not in sessions]
    if unknown:
        raise ValueError(f"no sessions given for {', '.join(unknown)}")
    open_days = pl.concat(
        [
            pl.DataFrame(schema={"exchange": pl.String, "trading_day": pl.Date}),
            *(
                pl.DataFrame({"trading_day": sessions[e].astype("datetime64[D]")}).select(
                    pl.lit(e).alias("exchange"), pl.col("trading_day").cast(pl.Date)
                )
                for e in exchanges
            ),
        ]
    ).with_columns(is_session=pl.lit(True))
    spans = pl.DataFrame(
        [(e, *sessions[e][[0, -1]].tolist()) for e in exchanges],
        schema={"exchange": pl.String, "calendar_first": pl.Date, "calendar_last": pl.Date},
        orient="row",
    )
    covered = pl.col("trading_day").is_between("calendar_first", "calendar_last")
    return (
        routed.join(open_days, on=["exchange", "trading_day"], how="left", maintain_order="left")
        .join(spans, on="exchange", how="left", maintain_order="left")
        .with_columns(pl.col("is_session").fill_null(False), is_covered=covered)
        .drop("calendar_first", "calendar_last")
    )


def _filled_volume() -> pl.Expr:
    no_volume = pl.col("volume").is_null() & pl.col("asset_class").is_in(_NO_VOLUME)
    return pl.when(no_volume).then(0.0).otherwise(pl.col("volume")).alias("volume")


def _reason(last_complete: date) -> pl.Expr:
    """The first applicable reason of a single row, or null."""
    numbers = [*PRICES, "volume"]
    slack_low = pl.col("low") * (1 - _FLOAT_NOISE)
    slack_high = pl.col("high") * (1 + _FLOAT_NOISE)
    outside = pl.any_horizontal(
        (pl.col(c) < slack_low) | (pl.col(c) > slack_high) for c in ("open", "close")
    )
    tests: dict[str, pl.Expr] = {
        "malformed_symbol": ~pl.col("symbol").str.contains(SYMBOL_PATTERN).fill_null(False),
        "exchange_not_known": pl.col("exchange").is_null(),
        "missing_value": pl.any_horizontal(pl.col(c).is_null() for c in ["trading_day", *numbers]),
        "not_finite": ~pl.all_horizontal(pl.col(c).is_finite() for c in numbers),
        "non_positive_price": pl.any_horizontal(pl.col(c) <= 0 for c in PRICES),
        "high_below_low": pl.col("high") < slack_low,
        "ohlc_inconsistent": outside,
        "negative_volume": pl.col("volume") < 0,
        "future_day": pl.col("trading_day") > last_complete,
        "outside_the_calendar": ~pl.col("is_covered"),
        "not_a_session": ~pl.col("is_session"),
    }
    return pl.coalesce(pl.when(test).then(pl.lit(reason)) for reason, test in tests.items())


def _split_duplicates(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rejected copies with their reason, one row per symbol and day)."""
    values = [*PRICES, "volume"]
    repeated = rows.filter(pl.struct(_KEY).is_duplicated())
    if repeated.is_empty():
        return repeated, rows
    disagree = pl.any_horizontal((pl.col(c).n_unique() > 1).over(_KEY) for c in values)
    repeated = repeated.with_columns(
        pl.when(disagree)
        .then(pl.lit("duplicate_disagrees"))
        .when(pl.int_range(pl.len()).over(_KEY) > 0)
        .then(pl.lit("duplicate_identical"))
        .alias("reason")
    )
    single = rows.filter(~pl.struct(_KEY).is_duplicated())
    first_copies = repeated.filter(pl.col("reason").is_null())
    return repeated.filter(pl.col("reason").is_not_null()), pl.concat([single, first_copies])


def _clip(rows: pl.DataFrame) -> pl.DataFrame:
    """Takes float noise out of [low, high]; rows beyond it were rejected before."""
    return rows.with_columns(pl.max_horizontal("high", "low").alias("high")).with_columns(
        pl.max_horizontal("low", pl.min_horizontal("high", c)).alias(c) for c in ("open", "close")
    )


def flagged(
    rows: pl.DataFrame,
    previous: pl.DataFrame,
    traded: Collection[str],
    actions: pl.DataFrame,
    max_jump: float,
) -> pl.DataFrame:
    """Bars judged by those before them: ACCEPTED, sorted by symbol and day.

    A bar is suspect with flag 'jump' when abs(total log return) from the previous close, after the
    actions between, exceeds `max_jump`; with 'range' when its high or low lies as far beyond both of
    these closes; with 'stale' when nothing traded of a symbol that has traded before and all four
    prices repeat that close (indices, fx and funds have no volume, so never). The previous close of
    a symbol's first bar comes from `previous`; one more than LOOKBACK days ago is not compared with.
    Thus a range gives what its days give.

    Args:
        rows: BARS and asset_class, one row per symbol and day.
        previous: PREVIOUS, a close per symbol before its first row; may be empty.
        traded: symbols with a volume on any day before the rows.
        actions: ACTIONS that cover the days from `previous` on.
        max_jump: natural log units.

    >>> days = [date(2024, 1, 2), date(2024, 1, 3)]
    >>> prices = [("A", day, p, p, p, p, 9.0) for day, p in zip(days, (10.0, 20.0))]
    >>> rows = pl.DataFrame(prices, BARS, orient="row").with_columns(asset_class=pl.lit("stock"))
    >>> from predtrack_assets.domain.market.actions import empty_actions
    >>> flagged(rows, empty_previous(), (), empty_actions(), max_jump=0.5)["flag"].to_list()
    [None, 'jump']
    """
    first_days = rows.group_by("symbol").agg(pl.col("trading_day").min().alias("first_day"))
    before = (
        previous.select(list(PREVIOUS))
        .join(first_days, on="symbol")
        .filter(pl.col("trading_day") < pl.col("first_day"))
        .select(list(PREVIOUS))
    )
    history = pl.concat(
        [
            before.with_columns(is_new=pl.lit(False)),
            rows.with_columns(is_new=pl.lit(True)),
        ],
        how="diagonal",
    )
    volumes = (pl.col("volume") > 0).fill_null(False).cum_max().shift(1).over("symbol")
    gap = pl.col("trading_day") - pl.col("trading_day").shift(1).over("symbol")
    history = history.sort("symbol", "trading_day").with_columns(
        traded=volumes.fill_null(False) | pl.col("symbol").is_in(list(traded)),
        near=gap <= LOOKBACK,
    )
    return (
        total_returns(history, actions)
        .filter(pl.col("is_new"))
        .with_columns(_flag(max_jump))
        .with_columns(quality=pl.when(pl.col("flag").is_null()).then(_GOOD).otherwise(_SUSPECT))
        .select(list(ACCEPTED))
    )


def _flag(max_jump: float) -> pl.Expr:
    """The first flag that applies to a bar beside the close before it, or null."""
    jump = (pl.col("log_return").abs() > max_jump) & pl.col("near")
    repeats = pl.all_horizontal(pl.col(c) == pl.col("prev_close") for c in PRICES)
    has_volume = pl.col("traded") & ~pl.col("asset_class").is_in(_NO_VOLUME)
    stale = (pl.col("volume") == 0) & repeats & pl.col("near") & has_volume
    tests = {"jump": jump, "range": _far_from_closes(max_jump), "stale": stale}
    flags = (pl.when(test).then(pl.lit(flag)) for flag, test in tests.items())
    return pl.coalesce(flags).alias("flag")


def _far_from_closes(max_jump: float) -> pl.Expr:
    """Whether the high lies above, or the low below, both closes of the day's move by more than
    `max_jump`; the close before in the day's units is close / exp(log_return)."""
    before = pl.when("near").then(pl.col("close") * (-pl.col("log_return")).exp())
    above = pl.col("high").log() - pl.max_horizontal("close", before).log()
    below = pl.min_horizontal("close", before).log() - pl.col("low").log()
    return (above > max_jump) | (below > max_jump)


def raw_payload(columns: Mapping[str, str]) -> pl.Expr:
    """JSON object of strings, {name: column}; strings so that NaN and infinity survive JSON.

    >>> pl.DataFrame({"o": [1.5]}).select(raw_payload({"open": "o"}))["payload"].to_list()
    ['{"open":"1.5"}']
    """
    fields = [pl.col(column).cast(pl.String).alias(name) for name, column in columns.items()]
    return pl.struct(fields).struct.json_encode().alias("payload")


def _as_rejects(rows: pl.DataFrame) -> pl.DataFrame:
    columns = {"symbol": "symbol", "trading_day": "trading_day"}
    columns |= {c: f"raw_{c}" for c in (*PRICES, "volume")}
    return rows.select(
        pl.col("symbol").fill_null(""), "trading_day", "reason", raw_payload(columns)
    ).sort("symbol", "trading_day", "reason", "payload")


def empty_rejects() -> pl.DataFrame:
    """A REJECTS frame without rows.

    >>> empty_rejects().height
    0
    """
    return pl.DataFrame(schema=REJECTS)


def empty_previous() -> pl.DataFrame:
    """A PREVIOUS frame without rows.

    >>> empty_previous().columns
    ['symbol', 'trading_day', 'close']
    """
    return pl.DataFrame(schema=PREVIOUS)


def reason_counts(rejects: pl.DataFrame) -> dict[str, Any]:
    """Rejected rows per reason, for run metadata.

    >>> reason_counts(pl.DataFrame({"reason": ["future_day", "not_finite", "future_day"]}))
    {'future_day': 2, 'not_finite': 1}
    """
    counted = rejects.group_by("reason").len().sort("reason")
    return dict(zip(counted["reason"].to_list(), counted["len"].to_list(), strict=True))
