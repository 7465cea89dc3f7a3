"""What a strategy sees on a day, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.numerics.types import Floats


class Forecast(NamedTuple):
    """A prediction of the day. q50: median log return, NaN where the kind has none."""

    probability: float
    q50: float
    sigma: float


@dataclass(frozen=True)
class View:
    """Everything is as known at 24:00 UTC of `day`; arrays hold the last `lookback` trading days.

    symbols: (S,), sorted, those of the universe with a bar on the day. returns: (S, T) simple total
    returns since the bar before, NaN without a bar or with none in the ten days before it. high,
    low: (S, T), of the bar, as a multiple of its close. market: (T,) returns of the benchmark.
    forecasts: symbol, model_id, kind, horizon, confidence, q50, sigma, of the day. champions: of
    kind and horizon, the model in force. previous_month_end: last of the T days that lie in an
    earlier month, as a column; what is fitted is fitted on days up to it, once a month.
    """

    day: date
    symbols: NDArray[np.str_]
    returns: Floats
    high: Floats
    low: Floats
    market: Floats
    previous_month_end: int
    forecasts: pl.DataFrame
    champions: Mapping[tuple[str, int], str] = field(default_factory=dict)


class Signals(NamedTuple):
    """One answer per symbol of the view, in its order.

    score: the higher the more wanted, NaN where there is no score. direction: 1 long, 0 out, -1
    short. probability: of being right, or NaN. exposure: share of equity to deploy over all. hedge:
    where it is not NaN, the weight of a symbol relative to the others in place of an allocation's.
    trials: candidates that were searched for this answer; chosen: what the search found.
    """

    score: Floats
    direction: NDArray[np.int8]
    probability: Floats
    exposure: float = 1.0
    hedge: Floats | None = None
    trials: int = 0
    chosen: tuple[str, ...] = ()


def long_only(score: Floats, held: NDArray[np.bool_], exposure: float = 1.0) -> Signals:
    """Signals that are long in `held` and out of the rest."""
    direction = np.where(held & np.isfinite(score), 1, 0).astype(np.int8)
    return Signals(score, direction, np.full(score.size, np.nan), exposure)


def best(score: Floats, share: float) -> NDArray[np.bool_]:
    """The highest `share` of the finite scores, one at least; of equal ones the first.

    >>> best(np.array([1.0, np.nan, 3.0, 3.0, 0.0]), 0.5).tolist()
    [False, False, True, True, False]
    """
    known = np.isfinite(score)
    count = min(max(1, int(share * known.sum() + 1e-9)), int(known.sum()))
    order = np.argsort(np.where(known, -score, np.inf), kind="stable")
    chosen = np.zeros(score.size, dtype=bool)
    chosen[order[:count]] = True
    return chosen
