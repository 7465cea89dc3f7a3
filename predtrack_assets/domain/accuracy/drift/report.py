"""Drift of a family of columns as of a report day: windows, distances, and who drifted among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.accuracy.drift.block_permutation import (
    STATISTICS,
    Column,
    Drift,
    arrangements,
    drift,
    seed_of,
)
from predtrack_assets.domain.numerics.types import Days, Floats
from predtrack_assets.domain.statistics.multiple_testing import benjamini_hochberg

Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]

MIN_REFERENCE = 3  # current windows
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
    """A column over time: session (n,), sorted, of each of the values (n,), NaN where missing.

    labels: subject, name and, of a prediction, model_id, kind, horizon.
    """

    labels: Mapping[str, str | int]
    session: Ints
    values: Floats


def drift_report(
    family: Sequence[Observed], sessions: Days, day: np.datetime64, windows: Windows
) -> pl.DataFrame:
    """Rows of accuracy.drift_metrics for a family of columns as of `day`, one of the sorted sessions.

    The windows end on `day` and begin with the family's first day, if that is later: nothing is
    reported while the reference has fewer than LEAST_REFERENCE current windows.
    """
    end = int(np.searchsorted(sessions, day)) + 1
    cuts = [np.searchsorted(o.session, [end - windows.sessions, end]) for o in family]
    firsts = [int(o.session[a]) for o, (a, b) in zip(family, cuts, strict=True) if b > a]
    start = min(firsts, default=end)
    size = end - start
    if size < (1 + MIN_REFERENCE) * windows.current:
        return pl.DataFrame()
    span = sessions[start:end]
    places: dict[int, Ints] = {}  # features share theirs
    for o, (a, b) in zip(family, cuts, strict=True):
        places.setdefault(id(o.session), o.session[a:b] - start)
    columns = [
        Column(o.values[a:b], places[id(o.session)]) for o, (a, b) in zip(family, cuts, strict=True)
    ]
    sets = arrangements(size, windows.current, windows.block, DRAWS, seed_of(str(day), size))
    found = drift(columns, sets, windows.level)
    tested = _tested(found)
    which, column = np.nonzero(tested)
    p_value = found.p_value[which, column]
    adjusted = np.concatenate([_adjusted(p[t]) for p, t in zip(found.p_value, tested, strict=True)])
    is_share = which == STATISTICS.index("missing")
    own = size - windows.current
    return pl.DataFrame(
        {
            **{name: [family[int(i)].labels[name] for i in column] for name in family[0].labels},
            "statistic": [STATISTICS[i] for i in which],
            "value": found.value[which, column],
            "reference_value": np.where(is_share, found.missing[column], np.nan),
            "critical_value": found.critical[which, column],
            "critical_value_iid": found.critical_iid[which, column],
            "p_value": p_value,
            "p_adjusted": adjusted,
            "drifted": adjusted <= windows.level,
            "n_reference": np.where(is_share, found.rows[0, column], found.valid[0, column]),
            "n_current": np.where(is_share, found.rows[1, column], found.valid[1, column]),
            "is_estimate": False,
            "as_of_day": span[-1].item(),
            "reference_start": span[0].item(),
            "reference_end": span[own - 1].item(),
            "current_start": span[own].item(),
            "current_end": span[-1].item(),
        }
    )


def _tested(found: Drift) -> Bools:
    """Which columns have which statistic (4, F).

    What is nowhere missing is not tested for it, and so does not dilute the tests of what is.
    """
    tested = ~np.isnan(found.value)
    tested[STATISTICS.index("missing")] &= (found.valid < found.rows).any(axis=0)
    return tested


def _adjusted(p_value: Floats) -> Floats:
    """Benjamini-Hochberg; p n / n may be a bit less than p."""
    return np.maximum(benjamini_hochberg(p_value), p_value)
