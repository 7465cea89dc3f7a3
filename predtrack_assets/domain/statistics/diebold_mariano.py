"""Is one forecaster better than another? Tests and intervals of a mean loss difference.

Differences are averaged over symbols per date first: one value per date, in date order. They are
autocorrelated, because the outcomes of h sessions overlap, and the usual t-test does not know it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from predtrack_assets.domain.numerics.types import Floats, Ints
from predtrack_assets.domain.statistics.effective_size import add_rows

ORDINATES = 3  # periodogram ordinates in the long-run variance
MIN_BLOCKS = 11.5  # horizons of dates: 12 rounded, so that a year of 248 sessions tests h = 21


class DieboldMariano(NamedTuple):
    """statistic: positive where the mean difference is; p_value: two-sided. NaN where refused."""

    statistic: float
    p_value: float


def diebold_mariano(differences: ArrayLike, horizon: int) -> DieboldMariano:
    """Test of a zero mean of the loss differences (T,) of forecasts `horizon` sessions ahead.

    Diebold and Mariano (1995) with fixed smoothing: the long-run variance is the mean of the first
    m = 3 periodogram ordinates, the statistic follows t with 2m degrees of freedom (Coroneo and
    Iacone 2020). Refused below 11.5 horizons of dates, and where all differences are equal.

    >>> test = diebold_mariano(np.sin(np.arange(60.0)) + 0.5, horizon=1)
    >>> test.statistic > 0, test.p_value < 0.01
    (True, True)
    """
    d = np.asarray(differences, np.float64)[:, None]
    statistic, p_value = diebold_mariano_of(d, np.array([len(d)]), np.array([horizon]))
    return DieboldMariano(float(statistic[0]), float(p_value[0]))


def diebold_mariano_of(differences: Floats, dates: Ints, horizons: Ints) -> tuple[Floats, Floats]:
    """`diebold_mariano` of R series at once: differences (T, R); dates, horizons (R,).

    The dates of a series come first in its column and zeros fill the rest. Returns statistics and
    p-values (R,); a column's are the same bits whatever stands beside it.

    >>> differences = np.random.default_rng(0).normal(size=(60, 2))
    >>> statistic, p_value = diebold_mariano_of(differences, np.array([60, 60]), np.array([1, 21]))
    >>> np.isnan(statistic).tolist()  # 60 dates are too few for 21 sessions ahead
    [False, True]
    """
    from scipy.special import stdtr

    n = np.maximum(dates, 1)
    mean = add_rows(differences) / n
    lengths, which = np.unique(dates, return_inverse=True)
    waves = np.array([_waves(int(t), len(differences)) for t in lengths])
    variance = np.zeros(dates.size)
    for wave in range(waves.shape[1]):
        part = add_rows(waves[which, wave].T * differences)
        variance += np.square(part) / n / ORDINATES
    level = add_rows(np.square(differences)) / n
    enough = (dates >= MIN_BLOCKS * horizons) & (variance > 1e-24 * level)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(enough, np.sqrt(n) * mean / np.sqrt(variance), np.nan)
    return statistic, 2 * stdtr(2.0 * ORDINATES, -np.abs(statistic))


@cache
def _waves(dates: int, width: int) -> tuple[tuple[float, ...], ...]:
    """Cosine and sine at the first Fourier frequencies, in plain floats for equal bits everywhere.

    The periodogram ordinate j times 2 pi is the sum of the two squared sums, over T.
    """
    rest = (0.0,) * (width - dates)
    angles = [[2 * math.pi * j * t / dates for t in range(dates)] for j in range(1, ORDINATES + 1)]
    return tuple((*map(f, angle), *rest) for angle in angles for f in (math.cos, math.sin))


def mean_interval(
    mean: ArrayLike, deviation: ArrayLike, n_eff: ArrayLike, blocks: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Two-sided interval (low, high) of a mean of dependent rows.

    mean +- t deviation / sqrt(n_eff): deviation, the rows' standard deviation; t with blocks - 1
    degrees of freedom, blocks = dates / horizon: what n_eff itself was estimated from. NaN below
    two blocks.

    >>> low, high = mean_interval(0.02, deviation=0.1, n_eff=100, blocks=50)
    >>> round(float(low), 4), round(float(high), 4)
    (-0.0001, 0.0401)
    """
    from scipy.special import stdtrit

    mean, deviation, n_eff, blocks = np.broadcast_arrays(
        *(np.asarray(a, np.float64) for a in (mean, deviation, n_eff, blocks))
    )
    degrees = np.where(blocks >= 2, blocks - 1, np.nan)
    half = stdtrit(degrees, (1 + level) / 2) * deviation / np.sqrt(n_eff)
    return mean - half, mean + half
