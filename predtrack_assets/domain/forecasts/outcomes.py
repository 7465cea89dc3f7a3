"""Outcomes of predictions, resolved when they fall due, in the shares of the day they were made."""

from __future__ import annotations

import numpy as np
import polars as pl

from predtrack_assets.domain.forecasts.identity import KEY
from predtrack_assets.domain.market.panel import Panel
from predtrack_assets.domain.models.forecast import (
    QUANTILE_LEVELS,
    QUANTILE_NAMES,
    no_change_within_5pct,
    normal_quantiles,
)
from predtrack_assets.domain.statistics.first_passage import hit_probability
from predtrack_assets.domain.statistics.scoring_rules import crps_from_quantiles, qlike
from predtrack_assets.domain.time.calendar import Calendar, as_of_array

IDENTITY = ("model_id", "kind", "event", "symbol", "trading_day", "horizon", "due_day")
# Why a prediction is not scored.
NOT_THE_CLOSE = "reference_price_is_not_the_close"
NOT_THE_HORIZON = "due_day_is_not_the_horizons"
NOT_FINITE = "loss_is_not_finite"
NOT_BY_ITS_MODEL = "not_written_by_the_run_of_its_model"
WITHDRAWN = "withdrawn_before_anything_was_known"
ERRORS = ("accuracy_pct", "relative_error", "log_error", "days_error")
OUTCOMES: dict[str, pl.DataType] = {
    "model_id": pl.String(),
    "kind": pl.String(),
    "event": pl.String(),
    "symbol": pl.String(),
    "trading_day": pl.Date(),
    "as_of": pl.Datetime("us", "UTC"),
    "horizon": pl.Int16(),
    "horizon_unit": pl.String(),
    "due_day": pl.Date(),
    "resolved_day": pl.Date(),
    "status": pl.String(),
    "confidence": pl.Float64(),
    "occurred": pl.Boolean(),
    "within_band": pl.Boolean(),
    "actual_price": pl.Float64(),
    "actual_return": pl.Float64(),
    "actual_days": pl.Int16(),
    "accuracy_pct": pl.Float64(),
    "relative_error": pl.Float64(),
    "log_error": pl.Float64(),
    "error_direction": pl.String(),
    "days_error": pl.Float64(),
    "error_category": pl.String(),
    "brier": pl.Float64(),
    "brier_no_change": pl.Float64(),
    "brier_climatology": pl.Float64(),
    "crps": pl.Float64(),
    "crps_no_change": pl.Float64(),
    "realised_volatility": pl.Float64(),
    "qlike": pl.Float64(),
    "qlike_no_change": pl.Float64(),
    "reason": pl.String(),
    "knowledge_time": pl.Datetime("us", "UTC"),
}


def resolve(
    predictions: pl.DataFrame,
    panel: Panel,
    exchange: Calendar,
    days: np.ndarray,
    opens: np.datetime64,
    expire_after: int,
    restate: bool = False,
) -> pl.DataFrame:
    """Outcomes that became known at the end of one of the trading days `days` (datetime64[D]).

    predictions: rows of one exchange with the columns of forecasts.PREDICTIONS; a `reason` that
    is not null says why a row is not scored: it expires on the day that its result is known. So
    does one whose loss is no finite number, and, on its due day, one whose due day is another
    session than that of its horizon.
    panel: bars on the exchange's sessions from the earliest decision day through days[-1], as known
    at its end.
    opens: first calendar day whose news belongs to days[0]; other closed days belong to the next.
    restate: also give what was known before `opens`, as of days[0], because bars or actions were
    corrected then. A prediction whose bar is still missing `expire_after` sessions after its due
    day has expired. Returns the columns of OUTCOMES in the order of the table's key, which is the
    quickest to write; pending predictions have no row.
    """
    if "reason" not in predictions.columns:
        predictions = predictions.with_columns(reason=pl.lit(None, pl.String))
    predictions = predictions.filter(
        pl.col("symbol").is_in(panel.symbols.tolist())
        & (pl.col("trading_day") >= panel.sessions[0])
    )
    if predictions.is_empty():
        return pl.DataFrame(schema=OUTCOMES)
    resolved = pl.concat(
        _resolve_horizon(group, panel, exchange, expire_after)
        for _, group in predictions.group_by("horizon", maintain_order=True)
    )
    known = resolved["resolved_day"].to_numpy().astype("datetime64[D]")
    chosen = (known <= days[-1]) & ((known >= opens) | restate)
    resolved_day = days[np.searchsorted(days, known[chosen])]
    return score_results(
        resolved.filter(chosen).with_columns(pl.Series("resolved_day", resolved_day).cast(pl.Date))
    ).sort(KEY)


def closes_at(panel: Panel, cells: pl.DataFrame) -> np.ndarray:
    """Closes of the cells (symbol, trading_day) known on their day, float64, NaN where there is none."""
    days = cells["trading_day"].to_numpy().astype("datetime64[D]")
    names = cells["symbol"].to_numpy()
    row = np.searchsorted(panel.symbols, names).clip(max=len(panel.symbols) - 1)
    column = np.searchsorted(panel.sessions, days).clip(max=len(panel.sessions) - 1)
    there = (panel.symbols[row] == names) & (panel.sessions[column] == days)
    there &= panel.known_day[row, column] <= days
    return np.where(there, panel.close[row, column], np.nan)


def _resolve_horizon(
    predictions: pl.DataFrame, panel: Panel, exchange: Calendar, expire_after: int
) -> pl.DataFrame:
    """Attach result columns to the predictions of one horizon; resolved_day is null while pending."""
    horizon = int(predictions["horizon"][0])
    rows = np.searchsorted(panel.symbols, predictions["symbol"].to_numpy())
    start = np.searchsorted(panel.sessions, predictions["trading_day"].to_numpy())
    result = _Walk(panel, predictions, rows, start, horizon)
    due = predictions["due_day"].to_numpy().astype("datetime64[D]")
    expiry = exchange.offset_or_nat(due, expire_after)  # NaT: the calendar ends, so it waits
    last_session = panel.sessions[-1]
    known = ~np.isnat(result.known_day)
    # Of another hand: the day it names is not that many sessions later, so that it cannot be judged.
    astray = due != exchange.offset_or_nat(panel.sessions[start], horizon)
    reason = pl.when(pl.Series(astray)).then(pl.lit(NOT_THE_HORIZON))
    predictions = predictions.with_columns(reason=pl.coalesce("reason", reason))
    result.known_day[astray] = np.maximum(result.known_day, due)[astray]
    scored = known & predictions["reason"].is_null().to_numpy()
    ended = known | (expiry <= last_session)
    resolved_day = np.where(known, result.known_day, expiry)
    return predictions.with_columns(
        pl.Series("resolved_day", np.where(ended, resolved_day, np.datetime64("NaT"))).cast(
            pl.Date
        ),
        pl.Series("status", np.where(scored, "validated", "expired")),
        pl.Series("hit_after", result.hit_after, dtype=pl.Int16),
        pl.Series("actual_price", result.price),
        pl.Series("actual_return", result.total_return),
        _realised_volatility(panel, predictions, rows, start, horizon),
    )


def _realised_volatility(
    panel: Panel, predictions: pl.DataFrame, rows: np.ndarray, start: np.ndarray, horizon: int
) -> pl.Series:
    """sqrt(sum of squared log returns / horizon) over (D, T] of the volatility predictions, splits undone.

    A return over sessions without a bar stands for all of them, so the sum is that of the period.
    """
    chosen = np.flatnonzero((predictions["kind"] == "volatility").to_numpy())
    rows, start = rows[chosen], start[chosen]
    width = panel.close.shape[1]
    before = predictions["reference_price"].to_numpy()[chosen]
    shares, squares = np.ones(len(chosen)), np.zeros(len(chosen))
    for k in range(1, horizon + 1):
        at = (rows, np.minimum(start + k, width - 1))
        inside = start + k < width
        shares = np.where(inside, shares * panel.split[at], shares)
        close = panel.close[at] * shares
        known = inside & np.isfinite(close)
        squares += np.where(known, np.square(np.log(np.where(known, close, before) / before)), 0.0)
        before = np.where(known, close, before)
    realised = np.full(len(predictions), np.nan)
    realised[chosen] = np.sqrt(squares / horizon)
    return pl.Series("realised_volatility", realised)


class _Walk:
    """Walk each prediction's path from its decision session to its result.

    known_day: datetime64[D], NaT while pending. hit_after: sessions to the touch, 0 if none.
    price: price of the result in the basis of the decision day. total_return: with dividends.
    """

    def __init__(
        self,
        panel: Panel,
        predictions: pl.DataFrame,
        rows: np.ndarray,
        start: np.ndarray,
        horizon: int,
    ) -> None:
        n, width = len(rows), panel.close.shape[1]
        timed = (predictions["kind"] == "time_to_hit").to_numpy()
        above = (predictions["side"] == "above").fill_null(False).to_numpy()
        by_close = (predictions["hit_rule"] == "close").fill_null(False).to_numpy()
        target = predictions["target_price"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        reference = predictions["reference_price"].to_numpy()

        self.known_day = np.full(n, np.datetime64("NaT"), dtype="datetime64[D]")
        self.hit_after = np.zeros(n, dtype=np.int64)
        self.price = np.full(n, np.nan)
        self.total_return = np.full(n, np.nan)
        shares, income = np.ones(n), np.zeros(n)
        for k in range(1, horizon + 1):
            column = np.minimum(start + k, width - 1)
            inside = start + k < width
            at = (rows, column)
            shares = np.where(inside, shares * panel.split[at], shares)
            income = np.where(inside, income + panel.dividend[at] * shares, income)
            close = np.where(inside, panel.close[at] * shares, np.nan)
            high = np.where(by_close, close, panel.high[at] * shares)
            low = np.where(by_close, close, panel.low[at] * shares)
            reached = np.where(above, high >= target, low <= target) & timed & inside
            ends = np.isfinite(close) & (self.hit_after == 0) & (reached | (k == horizon))
            self.hit_after = np.where(ends & reached, k, self.hit_after)
            self.known_day = np.where(
                ends, np.maximum(panel.known_day[at], panel.sessions[column]), self.known_day
            )
            self.price = np.where(ends, close, self.price)
            with np.errstate(invalid="ignore"):
                gain = np.log((close + income) / reference)
            self.total_return = np.where(ends, gain, self.total_return)


def score_results(resolved: pl.DataFrame) -> pl.DataFrame:
    """Turn results into events, errors and scores beside those of the baselines: columns of OUTCOMES.

    resolved: predictions with status, resolved_day, hit_after (units of the horizon, 0: no hit),
    actual_price, actual_return, realised_volatility, reason. knowledge_time is 24:00 UTC of
    resolved_day where no such column is given. Rows whose loss is no finite number expire.
    """
    scored = _results(resolved)
    own = pl.when(pl.col("kind") == "volatility").then("qlike").otherwise("brier")
    finite = pl.all_horizontal(pl.col(name).is_finite() | pl.col(name).is_null() for name in ERRORS)
    has_score = (own.is_finite() & finite).fill_null(value=False)
    void = scored.select((pl.col("status") == "validated") & ~has_score).to_series()
    if not void.any():
        return scored
    return _results(
        resolved.with_columns(
            status=pl.when(void).then(pl.lit("expired")).otherwise("status"),
            reason=pl.when(void).then(pl.lit(NOT_FINITE)).otherwise("reason"),
        )
    )


def _results(resolved: pl.DataFrame) -> pl.DataFrame:
    validated = pl.col("status") == "validated"
    price, timed = pl.col("kind") == "price", pl.col("kind") == "time_to_hit"
    predicted, actual = pl.col("predicted_price"), pl.col("actual_price")
    spread = pl.col("sigma") * pl.col("horizon").cast(pl.Float64).sqrt()
    hit = pl.col("hit_after") > 0
    error = (predicted - actual) / actual
    frame = resolved.with_columns(
        pl.when(validated & ~timed | (validated & hit)).then(actual).alias("actual_price"),
        pl.when(validated)
        .then(
            pl.when(price)
            .then(error.abs() <= 0.05)
            .when(timed)
            .then(hit)
            .when(pl.col("kind") == "direction")
            .then(actual > pl.col("reference_price"))
        )
        .alias("occurred"),
        pl.when(validated & price)
        .then((actual / predicted).log().abs() <= spread)
        .alias("within_band"),
        pl.when(validated).then(pl.col("actual_return")).alias("actual_return"),
        pl.when(validated & hit).then(pl.col("hit_after")).alias("actual_days"),
        pl.when(validated & price).then(error).alias("relative_error"),
        pl.when(validated & price).then((predicted / actual).log()).alias("log_error"),
        pl.when(validated).then(pl.col("realised_volatility").fill_nan(None)),
    ).with_columns(
        (100 * (1 - pl.col("relative_error").abs())).alias("accuracy_pct"),
        pl.when(pl.col("relative_error") > 0)
        .then(pl.lit("overestimated"))
        .when(pl.col("relative_error") < 0)
        .then(pl.lit("underestimated"))
        .when(pl.col("relative_error") == 0)
        .then(pl.lit("exact"))
        .alias("error_direction"),
        (pl.col("actual_days") - pl.col("predicted_days")).alias("days_error"),
    )
    frame = frame.with_columns(_error_category(), *_scores(frame))
    if "knowledge_time" not in frame.columns:
        known = pl.Series("knowledge_time", as_of_array(frame["resolved_day"].to_numpy()))
        frame = frame.with_columns(known.dt.replace_time_zone("UTC"))
    return frame.select(pl.col(name).cast(dtype) for name, dtype in OUTCOMES.items())


def _error_category() -> pl.Expr:
    """Category of a time-to-hit result: document A's words on the error in sessions."""
    days = pl.col("days_error")
    category = (
        pl.when(days.abs() <= 1)
        .then(pl.lit("on_time"))
        .when(days.abs() <= 5)
        .then(pl.when(days < 0).then(pl.lit("slightly_early")).otherwise(pl.lit("slightly_late")))
        .otherwise(pl.when(days < 0).then(pl.lit("early")).otherwise(pl.lit("late")))
    )
    missed = (pl.col("kind") == "time_to_hit") & pl.col("occurred").not_()
    return (
        pl.when(missed)
        .then(pl.lit("missed"))
        .when(days.is_not_null())
        .then(category)
        .alias("error_category")
    )


def _scores(frame: pl.DataFrame) -> list[pl.Series]:
    """Brier of the event, CRPS of the price, QLIKE of the volatility: the model's and baselines'."""
    occurred = frame["occurred"].cast(pl.Float64)
    no_change = pl.Series(_no_change_probability(frame))
    brier = {
        "brier": frame["confidence"],
        "brier_no_change": no_change,
        "brier_climatology": frame["climatology"],
    }
    columns = [((p - occurred) ** 2).alias(name) for name, p in brier.items()]

    quantiles = frame.select(QUANTILE_NAMES).to_numpy()
    reference, sigma = frame["reference_price"].to_numpy(), frame["sigma"].to_numpy()
    actual = frame["actual_price"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    realised = np.log(actual / reference)
    spread = sigma * np.sqrt(frame["horizon"].to_numpy().astype(float))
    still = normal_quantiles(np.zeros_like(spread), spread)
    priced = frame["q50"].is_not_null()
    for name, q in (("crps", quantiles), ("crps_no_change", still)):
        values = pl.Series(name, crps_from_quantiles(q, QUANTILE_LEVELS, realised))
        scored = priced & values.is_finite()
        columns.append(pl.select(pl.when(scored).then(values)).to_series().alias(name))
    for name, predicted in (("qlike", "predicted_volatility"), ("qlike_no_change", "sigma")):
        loss = pl.Series(qlike(_numbers(frame[predicted]), _numbers(frame["realised_volatility"])))
        columns.append(loss.fill_nan(None).alias(name))
    return columns


def _numbers(values: pl.Series) -> np.ndarray:
    """float64, null as NaN."""
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _no_change_probability(frame: pl.DataFrame) -> np.ndarray:
    """What the no-change forecaster would have predicted for each row's own event."""
    sigma = frame["sigma"].to_numpy()
    horizon = frame["horizon"].to_numpy().astype(float)
    reference = frame["reference_price"].to_numpy()
    spread = sigma * np.sqrt(horizon)
    median = frame["q50"].cast(pl.Float64).fill_null(0.0).to_numpy()
    distance = np.log(frame["target_price"].cast(pl.Float64).fill_null(1.0).to_numpy() / reference)
    kind = frame["kind"].to_numpy()
    hit = hit_probability(distance, sigma, horizon, -(sigma**2) / 2)
    return np.select(
        [kind == "price", kind == "time_to_hit"],
        [no_change_within_5pct(median, spread), hit],
        default=0.5,
    )
