"""Is the challenger better than the champion? A betting e-process, which may be looked at any day.

d_t in [-1, 1] is the paired score difference of decision date t, positive where the challenger
was better. A gambler who stakes a share lambda_t in [0, 1/2] of the capital on d_t > 0, chosen
before d_t is known, multiplies it by 1 + lambda_t d_t. If the challenger is no better, the
capital reaches 20 with probability at most 1/20, whenever one stops (Ville's inequality).
Sources: Waudby-Smith & Ramdas 2024, Henzi & Ziegel 2022, Choe & Ramdas 2023; lags: Arnold, Henzi
& Ziegel 2023.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain.numerics.types import Floats

ALPHA = 0.05
PROMOTE_AT = 1 / ALPHA  # where one test is all there is
REJECT_AT = 1 / ALPHA
MAX_STAKE = 0.5  # largest stake
PRIOR_DAYS = 20.0  # how much evidence the gambler wants before staking much

RUNNING, PROMOTED, REJECTED = "running", "promoted", "rejected"


def threshold(batch: int, tests: int) -> float:
    """E-value that promotes in one of `tests` tests which begin together, in the batch numbered `batch`.

    20 * batch * (batch + 1) * tests. The m-th batch spends alpha / (m (m + 1)), which adds up to
    alpha over any number of batches (alpha spending: Foster & Stine 2008, Tian & Ramdas 2021), in
    equal parts (Bonferroni). So of all tests ever, dependent as they may be and looked at on any
    day, one promotes a treatment that is no better with probability at most 0.05. 20 times the
    number of tests so far would not do: tests that begin one by one spend 0.05 (1 + 1/2 + 1/3 ...).

    >>> threshold(batch=1, tests=1), threshold(batch=2, tests=3)
    (40.0, 360.0)
    """
    return PROMOTE_AT * batch * (batch + 1) * tests


def known_dates(days: ArrayLike, known: ArrayLike) -> NDArray[np.int64]:
    """How many of the first dates have a known result at the end of each decision day (T,).

    days: decision days (T,), sorted; known: days on which their results were known, sorted.

    >>> known_dates([1, 2, 3, 4], known=[2, 3, 6, 7]).tolist()
    [0, 1, 2, 2]
    """
    seen = np.searchsorted(np.asarray(known), np.asarray(days), side="right")
    return np.minimum(seen, np.arange(seen.size))


def stakes(d: ArrayLike, horizon: int = 1, seen: NDArray[np.int64] | None = None) -> Floats:
    """Stake (..., T) on each date, from the results known at its decision, as in `e_process`.

    Growth-optimal to second order, mean / second moment of the past, shrunk toward no stake.

    >>> stakes([0.5, 0.5, -0.1, 0.5]).round(3).tolist()  # nothing is known at the first date
    [0.0, 0.095, 0.182, 0.23]
    """
    d = np.asarray(d, np.float64)
    seen = _seen(d.shape[-1], horizon) if seen is None else seen
    sums = np.zeros((2, *d.shape[:-1], d.shape[-1] + 1))
    sums[..., 1:] = np.cumsum(np.stack([d, np.square(d)]), axis=-1)
    sums = sums[..., seen]
    typical = np.where(seen > 0, sums[1] / np.maximum(seen, 1), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        stake = sums[0] / (sums[1] + PRIOR_DAYS * typical)
    return np.clip(np.nan_to_num(stake, nan=0.0), 0.0, MAX_STAKE)


def e_process(d: ArrayLike, horizon: int = 1, seen: NDArray[np.int64] | None = None) -> Floats:
    """Evidence E (..., T) that the mean of d is positive, after the result of each date.

    d: (..., T) in [-1, 1], in date order. seen: results known at the decision of each date, the
    first so many (see `known_dates`); default: each is known `horizon` dates after its own. The
    mean of `horizon` processes that take turns; a date on which none of them knows the result of
    its last one is left out. Raises ValueError for differences outside [-1, 1].

    >>> e_process([0.5] * 40)[[0, 9, 39]].round(2).tolist()
    [1.0, 4.35, 3512.15]
    """
    d = np.asarray(d, np.float64)
    if not np.all(np.abs(d) <= 1 + 1e-9):
        raise ValueError("score differences must be scaled to [-1, 1]")
    growth = np.log1p(stakes(d, horizon, seen) * d)
    process = np.arange(d.shape[-1]) % horizon if seen is None else _turns(seen, horizon)
    capital = np.zeros_like(d)
    for each in range(min(horizon, d.shape[-1])):
        capital += np.exp(np.cumsum(np.where(process == each, growth, 0.0), axis=-1))
    return (capital + max(horizon - d.shape[-1], 0)) / horizon


def _seen(dates: int, horizon: int) -> NDArray[np.int64]:
    return np.maximum(np.arange(dates) - horizon + 1, 0)


def _turns(seen: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
    """Which of `horizon` processes each date (T,) belongs to; -1: all of them still wait."""
    process = np.full(seen.size, -1)
    taken: list[int] = []
    for date, known in enumerate(seen.tolist()):  # each turn depends on those before
        if len(taken) < horizon or taken[-horizon] < known:
            process[date] = len(taken) % horizon
            taken.append(date)
    return process
