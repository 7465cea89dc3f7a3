"""The distribution of price forecast errors: bias, spread, shape, tails and outliers."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain.accuracy.report_windows import IDENTITY, column, table, windows
from predtrack_assets.domain.numerics.row_order import places
from predtrack_assets.domain.numerics.types import Days, Floats, Ints

PERCENTILES = (10, 25, 50, 75, 90)
MAD_TO_SD = 1.4826  # for a normal distribution
OUTLIER_MADS = 5
OUTLIER_SDS = 3


def error_statistics(errors: ArrayLike) -> dict[str, float]:
    """The statistics of one set of signed errors (n,), n >= 1, by their column names.

    sample_size; p10_error .. p90_error and abs_p10 .. abs_p90: percentiles of the errors and of
    their absolute values (linear interpolation); mean_error (the bias); std_error with n - 1;
    skewness g1 = m3 / m2^1.5 (a shape, not a bias); outlier_count_mad: abs(e - median) >
    5 * 1.4826 * MAD; outlier_count: beyond 3 standard deviations of the mean. NaN where a
    statistic needs more rows or a spread.
    """
    values = np.asarray(errors, np.float64)
    found = _statistics(values[None], np.array([values.size]))
    return {name: float(value[0]) for name, value in found.items()}


def error_distribution(outcomes: pl.DataFrame, report_days: Days, period: str) -> pl.DataFrame:
    """One row per model, kind 'price', horizon and window with validated outcomes.

    outcomes: the columns model_id, kind, horizon, symbol, trading_day, due_day, status,
    relative_error; report_days: sorted datetime64[D], the windows' last days; period: a name in
    windows.PERIODS. A prediction counts once, however many events it has. Columns as in
    `error_statistics`. Raises ValueError for an unknown period.
    """
    keys = ["model_id", "kind", "horizon"]
    rows = outcomes.filter(
        pl.col("status") == "validated",
        pl.col("kind") == "price",
        pl.col("relative_error").is_finite(),
    ).select(*keys, "due_day", *IDENTITY, "relative_error")
    place = np.sort(places(rows, rows.columns[:-1]))
    if (np.diff(place) == 0).any():  # of several events, or of two values, which both count
        rows = rows.unique()
    view = windows(rows, keys, report_days, period)
    errors = column(view.rows, "relative_error")
    first, stop = view.slices
    parts = []
    for part in view.chunks(int((stop - first).max(initial=1))):
        values, size = view.padded(errors, part, np.inf)
        parts.append(_statistics(values, size))
    empty = _statistics(np.zeros((0, 1)), np.zeros(0, np.int64))
    found = {name: np.concatenate([p[name] for p in [empty, *parts]]) for name in empty}
    return table({**view.labels(), **found}, [*keys, "period_end"])


def _statistics(values: Floats, size: Ints) -> dict[str, Floats | Ints]:
    """Statistics (R,) of the first `size` values of each row of values (R, L)."""
    inside = np.arange(values.shape[1]) < size[:, None]
    mean = _row_sums(values, inside) / size
    deviation = np.where(inside, values - mean[:, None], 0.0)
    # Where all values are equal, what the mean's rounding leaves is no spread.
    deviation[np.abs(deviation).max(axis=1) <= 1e-12 * np.abs(mean)] = 0.0
    squares = np.square(deviation)
    m2 = _row_sums(squares, inside) / size
    m3 = _row_sums(squares * deviation, inside) / size
    with np.errstate(divide="ignore", invalid="ignore"):
        std = np.sqrt(m2 * size / (size - 1))
        skewness = m3 / (m2 * np.sqrt(m2))

    signed = np.sort(np.where(inside, values, np.inf), axis=1)
    absolute = np.sort(np.where(inside, np.abs(values), np.inf), axis=1)
    median = _percentile(signed, size, 50)
    distance = np.where(inside, np.abs(values - median[:, None]), np.inf)
    mad = _percentile(np.sort(distance, axis=1), size, 50)
    far = inside & (distance > OUTLIER_MADS * MAD_TO_SD * mad[:, None])
    beyond = inside & (np.abs(deviation) > OUTLIER_SDS * std[:, None])
    return {
        "sample_size": size,
        **{f"p{q}_error": _percentile(signed, size, q) for q in PERCENTILES},
        **{f"abs_p{q}": _percentile(absolute, size, q) for q in PERCENTILES},
        "mean_error": mean,
        "std_error": std,
        "skewness": skewness,
        "outlier_count_mad": far.sum(axis=1),
        "outlier_count": beyond.sum(axis=1),
    }


def _percentile(ordered: Floats, size: Ints, percent: int) -> Floats:
    """Percentile (R,) of sorted rows (R, L) by linear interpolation (Hyndman & Fan type 7)."""
    position = (size - 1) * percent / 100
    low = np.floor(position).astype(np.int64)
    row = np.arange(len(ordered))
    lower, upper = ordered[row, low], ordered[row, np.minimum(low + 1, size - 1)]
    return lower + (upper - lower) * (position - low)


def _row_sums(values: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Sum (R,) of each row's values inside, left to right, whatever fills the rest."""
    rows = np.nonzero(inside)[0]
    return np.asarray(np.bincount(rows, values[inside], len(values)), np.float64)
