"""Windows of due days over outcomes, summed for all report days at once.

A window's numbers are the same bits whether its report day is computed alone or among thousands:
rows are sorted by their keys, or by everything they hold where these do not tell them apart,
summed per due day, and the due days of a window are added one after the other. No cumulative sums
are differenced.

The dates that n_eff is computed over are due days: decision days shifted by the horizon, as
due_day is the last session of a prediction, also where its outcome is known earlier.
Rows that fall due `horizon` sessions apart share no session, and a window holds whole dates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.numerics.row_order import places, runs
from predtrack_assets.domain.numerics.types import Days, Floats, Ints
from predtrack_assets.domain.statistics.effective_size import effective_sample_sizes

N = TypeVar("N", np.float64, np.int64)

CELL = ["model_id", "kind", "event", "horizon"]
IDENTITY = ["symbol", "trading_day"]  # of a prediction among those of a cell and due day
CHUNK = 1 << 20  # values held at once by a vectorised pass
_PLACE = "place among the rows"


@dataclass(frozen=True)
class Period:
    """A rule that gives each report day (datetime64[D], the window's last day) a first day."""

    name: str
    starts: Callable[[Days], Days]


def rolling(name: str, days: int) -> Period:
    """The last `days` calendar days, the report day included."""
    return Period(name, lambda ends: ends - np.timedelta64(days - 1, "D"))


def _monday(days: Days) -> Days:
    """The Monday of each day's ISO week; day 0, 1970-01-01, was a Thursday."""
    ordinals = days.astype(np.int64)
    return (ordinals - (ordinals + 3) % 7).astype("datetime64[D]")


PERIODS = {
    p.name: p
    for p in (
        Period("daily", lambda ends: ends),
        Period("weekly", _monday),
        rolling("rolling_30d", 30),
        rolling("rolling_365d", 365),
        Period("monthly", lambda ends: ends.astype("datetime64[M]").astype("datetime64[D]")),
        Period("quarterly", lambda ends: ends.astype("datetime64[3M]").astype("datetime64[D]")),
        Period("yearly", lambda ends: ends.astype("datetime64[Y]").astype("datetime64[D]")),
        Period("to_date", lambda ends: np.full_like(ends, np.datetime64("1900-01-01"))),
    )
}


def period_named(name: str) -> Period:
    """The period of that name; raises ValueError for an unknown one."""
    if name not in PERIODS:
        raise ValueError(f"unknown period {name!r}, one of {sorted(PERIODS)}")
    return PERIODS[name]


@dataclass(frozen=True)
class Windows:
    """The R pairs of a cell (one combination of keys) and a report day that have rows.

    rows: the N outcomes sorted by cell and due day; date (N,): index of each row's cell and due
    day among the G that occur; cells: one row of keys per cell; cell, report (R,): indices into
    cells and report days; dates, slices (2, R): where each window begins and ends among the G
    dates and the N rows.
    """

    rows: pl.DataFrame
    date: Ints
    cells: pl.DataFrame
    cell: Ints
    report: Ints
    dates: Ints
    slices: Ints
    period: str
    starts: Days
    ends: Days

    def __len__(self) -> int:
        return self.cell.size

    def per_date(
        self, values: Floats | None = None, group: Ints | None = None, groups: int = 1
    ) -> Floats:
        """Sums (G,) of row values (N,) per date, in row order; of ones by default.

        group (N,): which of `groups` each row belongs to, for sums (groups, G) of each on its own.
        """
        size = int(self.date[-1]) + 1 if self.date.size else 0
        if group is None:
            return np.asarray(np.bincount(self.date, values, size), np.float64)
        of_group = np.bincount(self.date * groups + group, values, size * groups)
        return of_group.reshape(size, groups).T.astype(np.float64)

    def sums(self, columns: Sequence[Floats]) -> Floats:
        """Sums (K, R) over each window of K columns of per-date values (G,)."""
        table = np.column_stack(columns)
        out = np.zeros((len(self), len(columns)))
        for part in self.chunks(max(len(columns), 1)):
            for index, inside in self._lags(part):
                out[part] += np.where(inside[:, None], table[index], 0.0)
        return np.ascontiguousarray(out.T)

    def effective_sizes(self, sums: Floats, counts: Floats, squares: Floats) -> Floats:
        """Effective sample sizes (R,) of the mean of what sums, counts, squares (G,) add up."""
        horizons = self.cells["horizon"].to_numpy().astype(np.int64)[self.cell]
        (total,) = self.sums([squares])
        out = np.zeros(len(self))
        for part in self.chunks(64):
            lags = list(self._lags(part))
            n = np.array([np.where(inside, counts[i], 0.0) for i, inside in lags])
            s = np.array([np.where(inside, sums[i], 0.0) for i, inside in lags])
            out[part] = effective_sample_sizes(s, n, horizons[part], total[part])
        return out

    def padded(self, values: NDArray[N], part: slice, fill: float) -> tuple[NDArray[N], Ints]:
        """Row values (N,) of some windows as (windows, longest), filled up, and their lengths."""
        first, stop = self.slices[:, part]
        steps = np.arange((stop - first).max(initial=0))
        index = np.minimum(first[:, None] + steps, max(values.size - 1, 0))
        return np.where(steps < (stop - first)[:, None], values[index], fill), stop - first

    def chunks(self, width: int) -> Iterator[slice]:
        """Slices of the windows such that `width` values for each stay within bounds."""
        step = max(CHUNK // max(width, 1) // 4, 1)
        return (slice(at, min(at + step, len(self))) for at in range(0, len(self), step))

    def labels(self) -> dict[str, pl.Series]:
        """Key and period columns (R,) of the result."""
        keys = self.cells[self.cell]
        return {
            **{name: keys[name] for name in keys.columns},
            "period": pl.repeat(self.period, len(self), dtype=pl.String, eager=True),
            "period_start": pl.Series(self.starts[self.report]).cast(pl.Date),
            "period_end": pl.Series(self.ends[self.report]).cast(pl.Date),
        }

    def _lags(self, part: slice) -> Iterator[tuple[Ints, NDArray[np.bool_]]]:
        """For the 1st, 2nd, ... date of each window: its index, and whether there is one."""
        first, stop = self.dates[:, part]
        for lag in range((stop - first).max(initial=0)):
            inside = first + lag < stop
            yield np.where(inside, first + lag, 0), inside


def windows(
    rows: pl.DataFrame, keys: list[str], report_days: Days, period: str, day: str = "due_day"
) -> Windows:
    """The windows of `rows` (columns keys and `day` among others) for sorted report days.

    report_days: datetime64[D]; day: the column that windows are cut by. Raises ValueError for an
    unknown period.
    """
    ends = np.asarray(report_days, "datetime64[D]")
    starts = period_named(period).starts(ends)
    if ends.size:
        rows = rows.filter(pl.col(day).is_between(starts.min(), ends.max()))
    rows = rows[:0] if not ends.size else rows
    rows, of_keys = _in_order(rows, keys, day)
    cell, new_cell = runs(of_keys)
    date, new_date = runs(places(rows, [day], within=cell))
    at = (cell[new_date] << 32) + _ordinals(rows[day].to_numpy()[new_date])
    row_of = np.append(new_date, len(rows))

    base = (np.arange(cell.max(initial=-1) + 1) << 32)[:, None]
    low = np.searchsorted(at, base + _ordinals(starts))
    high = np.searchsorted(at, base + _ordinals(ends), side="right")
    cells, report = np.nonzero(high > low)
    dates = np.stack([low[cells, report], high[cells, report]])
    return Windows(
        rows=rows,
        date=date,
        cells=rows.select(keys)[new_cell].cast({pl.Enum: pl.String}),
        cell=cells,
        report=report,
        dates=dates,
        slices=row_of[dates],
        period=period,
        starts=starts,
        ends=ends,
    )


def totals(
    rows: pl.DataFrame, keys: list[str], name: str, report_days: Days, period: str
) -> pl.DataFrame:
    """Sum of one column of whole numbers per window, with the window's labels."""
    view = windows(rows, keys, report_days, period)
    (total,) = view.sums([view.per_date(column(view.rows, name))])
    return pl.DataFrame({**view.labels(), name: total.astype(np.int64)})


def scored(outcomes: pl.DataFrame) -> pl.DataFrame:
    """The validated rows of events; raises ValueError where one lacks outcome or probability."""
    rows = outcomes.filter(pl.col("status") == "validated", pl.col("event").is_not_null())
    unusable = rows.filter(
        pl.col("occurred").is_null() | ~pl.col("confidence").is_between(0, 1).fill_null(False)
    )
    if len(unusable):
        raise ValueError(f"{len(unusable)} validated rows without outcome or probability")
    return rows


def column(rows: pl.DataFrame, name: str) -> Floats:
    """A column as float64 (N,), null as NaN."""
    return rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def table(columns: dict[str, pl.Series | Floats | Ints], keys: list[str]) -> pl.DataFrame:
    """The result frame: NaN becomes null, sorted by keys."""
    return pl.DataFrame(columns).with_columns(pl.selectors.float().fill_nan(None)).sort(keys)


def _in_order(rows: pl.DataFrame, keys: list[str], day: str) -> tuple[pl.DataFrame, Ints]:
    """Rows sorted by keys, day and all else they hold, and the places of their keys.

    Symbol and trading day tell rows of a cell apart as a rule; only if not, all columns are compared.
    """
    identity = [name for name in IDENTITY if name in rows.columns and name not in (*keys, day)]
    of_keys = places(rows, keys)
    code = places(rows, [day, *identity], within=of_keys)
    step = np.diff(code)
    if (step <= 0).any():
        order = np.argsort(code, kind="stable")
        if (np.diff(code[order]) == 0).any():
            rest = [name for name in rows.columns if name not in (*keys, day, *identity)]
            rows = rows.with_columns(pl.Series(_PLACE, code))
            rows = rows.sort([_PLACE, *rest], nulls_last=True).drop(_PLACE)
            return rows, places(rows, keys)
        rows, of_keys = rows[order], of_keys[order]
    return rows, of_keys


def _ordinals(days: Days) -> Ints:
    """Days since 1970-01-01."""
    return days.astype("datetime64[D]").astype(np.int64)
