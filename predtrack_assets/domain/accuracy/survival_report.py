"""How long until a target is touched: Kaplan-Meier curves of predictions beside first passage.

A batch is what was predicted in a window of decision days, all of it. What is not settled by the
report day is censored at the last session that was seen, because hits are known early and misses
late: a rate over settled predictions alone flatters.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.accuracy.report_windows import Windows, column, windows
from predtrack_assets.domain.numerics.types import Days, Floats, Ints
from predtrack_assets.domain.statistics.effective_size import (
    effective_sample_sizes,
)
from predtrack_assets.domain.statistics.first_passage import hit_probability
from predtrack_assets.domain.statistics.kaplan_meier import kaplan_meier
from predtrack_assets.domain.time.calendar import calendar

Bools = NDArray[np.bool_]

KEYS = ["model_id", "horizon"]
CURVES: dict[str, pl.DataType] = {
    "model_id": pl.String(),
    "horizon": pl.Int64(),
    "period": pl.String(),
    "period_start": pl.Date(),
    "period_end": pl.Date(),
    "session": pl.Int64(),
    "n": pl.Int64(),
    "n_eff": pl.Float64(),
    "at_risk": pl.Int64(),
    "hits": pl.Int64(),
    "censored": pl.Int64(),
    "survival": pl.Float64(),
    "survival_low": pl.Float64(),
    "survival_high": pl.Float64(),
    "predicted_survival": pl.Float64(),
    "baseline_survival": pl.Float64(),
}


def survival_curves(
    predictions: pl.DataFrame, bars: pl.DataFrame, report_days: Days, period: str
) -> pl.DataFrame:
    """One row per model, horizon (the deadline), window of decision days and session up to it.

    predictions: model_id, horizon, symbol, exchange, trading_day, due_day, confidence,
    reference_price, sigma, target_price, and of the outcome, null while there is none: status,
    resolved_day, occurred, actual_days. bars: symbol, trading_day of every bar that is known since
    the first decision day. Both as known at the last of report_days, sorted datetime64[D], and
    within them nothing became known after its own day. period: a name in windows.PERIODS.

    n counts predictions, n_eff what those seen for a session are worth: the effective sample size
    of their martingale residuals over decision days. predicted_survival is 1 - the mean confidence,
    at the deadline; baseline_survival that of first passage of a driftless price. Raises ValueError
    for an unknown period or exchange.
    """
    bars = bars.join(predictions.select("symbol", "exchange").unique(), on="symbol")
    bars = _numbered(bars)
    parts = [pl.DataFrame(schema=CURVES)]
    for (horizon,), part in predictions.group_by("horizon", maintain_order=True):
        view = windows(_numbered(part), KEYS, report_days, period, day="trading_day")
        parts.append(_curves(view, bars, int(str(horizon))))
    keys = [*KEYS, "period_end", "session"]
    return pl.concat(parts).with_columns(pl.selectors.float().fill_nan(None)).sort(keys)


class _Paths:
    """What was seen of each prediction (N,) of a view by a report day."""

    def __init__(self, view: Windows, bars: pl.DataFrame, horizon: int) -> None:
        rows = view.rows
        symbols = np.concatenate([rows["symbol"].to_numpy(), bars["symbol"].to_numpy()])
        codes = np.unique(symbols, return_inverse=True)[1]
        keys = (codes[len(rows) :] << 32) + _ordinals(bars["trading_day"])
        order = np.argsort(keys, kind="stable")
        # In front stands one of no symbol, so that there is always a bar before.
        self._bars = np.append(-1, keys[order])
        self._sessions = np.append(0, bars["ordinal"].to_numpy()[order])
        self._symbol = codes[: len(rows)]
        self._decided, self._due = rows["ordinal"].to_numpy(), _ordinals(rows["due_day"])
        validated = (rows["status"] == "validated").fill_null(False).to_numpy()
        never = np.iinfo(np.int64).max
        resolved = _ordinals(rows["resolved_day"].fill_null(rows["due_day"]))
        self._settled = np.where(validated, resolved, never)
        self._hit = rows["occurred"].fill_null(False).to_numpy()
        self._after = rows["actual_days"].fill_null(horizon).cast(pl.Int64).to_numpy()
        self._horizon = horizon

    def by(self, row: Ints, day: Ints) -> tuple[Ints, Bools]:
        """Sessions seen of some predictions by the end of a day each, and whether a hit ended them.

        A prediction that is not settled has been seen up to the last bar until its due day, which
        cannot be that of the due day itself: it would have been settled by it.
        """
        settled = self._settled[row] <= day
        limit = (self._symbol[row] << 32) + np.minimum(day, self._due[row])
        at = np.searchsorted(self._bars, limit, side="right") - 1
        known = self._bars[at] >> 32 == self._symbol[row]
        seen = np.where(known, self._sessions[at] - self._decided[row], 0)
        seen = np.clip(seen, 0, self._horizon - 1)
        return np.where(settled, self._after[row], seen), settled & self._hit[row]


def _curves(view: Windows, bars: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """The rows of CURVES of one horizon."""
    hits, censored = np.zeros((2, len(view), horizon + 1), np.int64)
    n_eff = np.zeros(len(view))
    if len(view):
        paths = _Paths(view, bars, horizon)
        dates = int(np.diff(view.dates, axis=0).max())
        for part in view.chunks(max(int(np.diff(view.slices, axis=0).max()), dates, horizon)):
            hits[part], censored[part], n_eff[part] = _counts(view, part, paths, horizon, dates)
    total = (hits + censored).sum(axis=1)
    at_risk = total[:, None] - np.cumsum(hits + censored, axis=1)[:, :-1]
    seen = at_risk[:, 0]
    curves = kaplan_meier(hits[:, 1:], at_risk, n_eff / np.maximum(seen, 1))
    predicted, baseline = _expected(view, total, horizon)
    window, session = (i.ravel() for i in np.indices((len(view), horizon)))
    columns = {
        **{name: values[window] for name, values in view.labels().items()},
        "session": session + 1,
        "n": total[window],
        "n_eff": n_eff[window],
        "at_risk": at_risk.ravel(),
        "hits": hits[:, 1:].ravel(),
        "censored": censored[:, 1:].ravel(),
        "survival": curves.survival.ravel(),
        "survival_low": curves.low.ravel(),
        "survival_high": curves.high.ravel(),
        "predicted_survival": np.where(session + 1 == horizon, predicted[window], np.nan),
        "baseline_survival": baseline.ravel(),
    }
    return pl.DataFrame(columns).select(pl.col(name).cast(dtype) for name, dtype in CURVES.items())


def _counts(
    view: Windows, part: slice, paths: _Paths, horizon: int, dates: int
) -> tuple[Ints, Ints, Floats]:
    """Hits and censored (C, H + 1) by the sessions they were seen for, and n_eff (C,)."""
    first, stop = view.slices[:, part]
    size = stop - first
    window = np.repeat(np.arange(size.size), size)
    row = np.arange(size.sum()) + (first - np.cumsum(size) + size)[window]
    time, hit = paths.by(row, _ordinals(pl.Series(view.ends))[view.report[part]][window])

    cell = window * (horizon + 1) + time
    shape = (size.size, horizon + 1)
    hits, censored = (
        np.bincount(cell[chosen], minlength=shape[0] * shape[1]).reshape(shape)
        for chosen in (hit, ~hit)
    )
    ended = hits + censored
    at_risk = ended[:, ::-1].cumsum(axis=1)[:, ::-1]
    hazard = np.cumsum(hits / np.maximum(at_risk, 1), axis=1)  # Nelson-Aalen

    # Martingale residuals: what happened less what was to be expected in the sessions seen.
    used = time > 0
    residual = np.where(used, hit - hazard.ravel()[cell], 0.0).astype(np.float64)
    date = view.date[row] - view.dates[0, part][window]
    grid = date * size.size + window

    def total(values: Floats, of: Ints, cells: int) -> Floats:
        return np.asarray(np.bincount(of, values, cells), np.float64)

    square = total(np.square(residual), window, size.size)
    sums, counts = (
        total(values, grid, dates * size.size).reshape(dates, size.size)
        for values in (residual, used.astype(np.float64))
    )
    horizons = np.full(size.size, horizon)
    return hits, censored, effective_sample_sizes(sums, counts, horizons, square)


def _expected(view: Windows, total: Ints, horizon: int) -> tuple[Floats, Floats]:
    """Mean survival at the deadline as predicted (R,), and by first passage at 1 .. H (R, H)."""
    names = ("confidence", "reference_price", "sigma", "target_price")
    predicted, reference, sigma, target = (column(view.rows, name) for name in names)
    distance = np.log(target / reference)
    stays = [
        1 - hit_probability(distance, sigma, float(t), -(sigma**2) / 2)
        for t in range(1, horizon + 1)
    ]
    sums = view.sums([view.per_date(values) for values in (1 - predicted, *stays)])
    means = sums / np.maximum(total, 1)
    return means[0], means[1:].T


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """With the number of each trading day among its exchange's sessions, as `ordinal`."""
    days = rows["trading_day"].to_numpy().astype("datetime64[D]")
    exchange = rows["exchange"].to_numpy()
    ordinal = np.zeros(len(rows), np.int64)
    for name in rows["exchange"].unique():
        own = exchange == name
        ordinal[own] = np.searchsorted(calendar(name).sessions, days[own], side="right")
    return rows.with_columns(pl.Series("ordinal", ordinal))


def _ordinals(days: pl.Series) -> Ints:
    """Days since 1970-01-01."""
    return days.to_numpy().astype("datetime64[D]").astype(np.int64)
