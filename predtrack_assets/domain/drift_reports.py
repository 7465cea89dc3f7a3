"""Drift of a family of columns as of a report day: windows, distances, and who drifted among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.calendar import Days
from predtrack_assets.domain.drift import STATISTICS, Column, Drift, arrangements, drift, seed_of
from predtrack_assets.domain.symbol_accuracy import benjamini_hochberg

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_REFERENCE = 3  # current windows
DRAWS = 999


@dataclass(frozen=True)
class Windows:
    """Sessions in the current window, in the reference before it, and in a block of the null.

    level: false discovery rate among the columns of a family, per report and statistic.
    """

    current: int
    reference: int
    block: int
    level: float

    @property
    def sessions(self) -> int:
        return self.current + self.reference


@dataclass(frozen=True)
class Observed:
    """A column over time. days: sorted datetime64[D] (n,); values: float64 (n,), NaN where missing.

    labels: subject, name and, of a prediction, model_id, kind, horizon.
    """

    labels: Mapping[str, str | int]
    days: Days
    values: Floats


def drift_report(
    family: Sequence[Observed], sessions: Days, day: np.datetime64, windows: Windows
) -> pl.DataFrame:
    """Rows of accuracy.drift_metrics for a family of columns as of `day`, one of the sessions.

    The windows end on `day` and begin with the family's first day, if that is later: nothing is
    reported while the reference has fewer than LEAST_REFERENCE current windows.
    """
    end = int(np.searchsorted(sessions, day)) + 1
    earliest = sessions[max(end - windows.sessions, 0)]
    cuts = [np.searchsorted(o.days, [earliest, day + 1]) for o in family]
    firsts = [o.days[a] for o, (a, b) in zip(family, cuts, strict=True) if b > a]
    start = int(np.searchsorted(sessions, min(firsts))) if firsts else end
    size = end - start
    if size < (1 + LEAST_REFERENCE) * windows.current:
        return pl.DataFrame()
    span = sessions[start:end]
    columns = [
        Column(o.values[a:b], np.searchsorted(span, o.days[a:b]))
        for o, (a, b) in zip(family, cuts, strict=True)
    ]
    sets = arrangements(size, windows.current, windows.block, DRAWS, seed_of(str(day), size))
    found = drift(columns, sets, windows.level)
    parts = [_rows(family, found, i, windows.level) for i in range(len(STATISTICS))]
    own = size - windows.current
    ends = {
        "as_of_day": span[-1],
        "reference_start": span[0],
        "reference_end": span[own - 1],
        "current_start": span[own],
        "current_end": span[-1],
    }
    return pl.concat(parts).with_columns(
        pl.lit(value=False).alias("is_estimate"),
        *(pl.lit(bound.item()).alias(name) for name, bound in ends.items()),
    )


def _rows(family: Sequence[Observed], found: Drift, which: int, level: float) -> pl.DataFrame:
    """The columns that have this statistic, Benjamini-Hochberg applied across them."""
    share = STATISTICS[which] == "missing"
    size = found.rows if share else found.valid
    value = found.value[which]
    # What is nowhere missing is not tested for it, and so does not dilute what is.
    tested = ~np.isnan(value) & ~(share & (found.valid == found.rows).all(axis=0))
    p_value = found.p_value[which, tested]
    adjusted = np.maximum(benjamini_hochberg(p_value), p_value)  # p n / n may be a bit less than p
    chosen = [o.labels for o, asked in zip(family, tested, strict=True) if asked]
    labels = pl.DataFrame(
        chosen, schema={c: t for c, t in _LABELS.items() if c in family[0].labels}
    )
    return labels.with_columns(
        pl.lit(STATISTICS[which]).alias("statistic"),
        pl.Series("value", value[tested]),
        pl.Series("reference_value", np.where(share, found.missing, np.nan)[tested]),
        pl.Series("critical_value", found.critical[which, tested]),
        pl.Series("critical_value_iid", found.critical_iid[which, tested]),
        pl.Series("p_value", p_value),
        pl.Series("p_adjusted", adjusted),
        pl.Series("drifted", adjusted <= level),
        pl.Series("n_reference", size[0, tested]),
        pl.Series("n_current", size[1, tested]),
    )


_LABELS = {
    "subject": pl.String,
    "name": pl.String,
    "model_id": pl.String,
    "kind": pl.String,
    "horizon": pl.Int64,
}
