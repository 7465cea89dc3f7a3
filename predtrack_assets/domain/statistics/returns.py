"""Statistics of a strategy's periodic returns: ratios, drawdowns, and how far a Sharpe can be trusted.

returns: simple returns per period (..., T), after cost, no NaN; the last axis is time. Results
have the shape of the leading axes. NaN where a statistic is not defined.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain.numerics.types import Floats
from predtrack_assets.domain.statistics.effective_size import normal_quantile

PERIODS = 252  # trading days a year
EULER_GAMMA = 0.5772156649015329


class Moments(NamedTuple):
    """Per-period Sharpe ratio (std with n - 1), skewness and kurtosis (3 for a normal), n periods."""

    sharpe: Floats
    skewness: Floats
    kurtosis: Floats
    n: Floats


def sharpe(returns: ArrayLike, risk_free: ArrayLike = 0.0, periods: int = PERIODS) -> Floats:
    """mean / std * sqrt(periods) of the excess over risk_free, std with n - 1 (Sharpe 1994).

    >>> round(float(sharpe([0.02, -0.01, 0.02, -0.01], periods=1)), 3)
    0.289
    """
    excess = _floats(returns) - _floats(risk_free)
    n = excess.shape[-1]
    if n < 2:
        return np.full(excess.shape[:-1], np.nan)
    mean, deviation = excess.mean(axis=-1), excess.std(axis=-1, ddof=1)
    # Equal returns differ by rounding only; their ratio would be a number without meaning.
    flat = deviation <= 1e-12 * np.abs(excess).max(axis=-1, initial=0.0)
    return _ratio(mean, np.where(flat, 0.0, deviation)) * np.sqrt(periods)


def sortino(returns: ArrayLike, target: ArrayLike = 0.0, periods: int = PERIODS) -> Floats:
    """mean / downside deviation * sqrt(periods) of the excess over target (Sortino & Price 1994).

    The downside deviation is the root mean square of min(excess, 0) over all periods; infinite
    ratio where nothing fell short and something was gained.

    >>> round(float(sortino([0.02, -0.01, 0.02, -0.01], periods=1)), 3)
    0.707
    """
    excess = _floats(returns) - _floats(target)
    if excess.shape[-1] < 2:
        return np.full(excess.shape[:-1], np.nan)
    mean = excess.mean(axis=-1)
    downside = np.sqrt(np.mean(np.square(np.minimum(excess, 0)), axis=-1))
    ratio = _ratio(mean, downside)
    return np.where((downside == 0) & (mean > 0), np.inf, ratio) * np.sqrt(periods)


def annual_return(returns: ArrayLike, periods: int = PERIODS) -> Floats:
    """Compound annual growth rate; NaN without returns.

    >>> round(float(annual_return([0.1, 0.1], periods=1)), 3)
    0.1
    """
    r = _floats(returns)
    if r.shape[-1] == 0:
        return np.full(r.shape[:-1], np.nan)
    return np.prod(1 + r, axis=-1) ** (periods / r.shape[-1]) - 1


def drawdowns(returns: ArrayLike) -> Floats:
    """Fraction (..., T) lost since the highest wealth so far, the start included; 0 at a peak.

    >>> drawdowns([0.1, -0.5, 0.2]).round(2).tolist()
    [0.0, 0.5, 0.4]
    """
    wealth = np.cumprod(1 + _floats(returns), axis=-1)
    return 1 - wealth / np.maximum(np.maximum.accumulate(wealth, axis=-1), 1.0)


def max_drawdown(returns: ArrayLike) -> Floats:
    """Largest loss from a peak, as a positive fraction in [0, 1]; NaN without returns.

    >>> float(max_drawdown([0.1, -0.5, 0.2]))
    0.5
    """
    fallen = drawdowns(returns)
    return fallen.max(axis=-1) if fallen.shape[-1] else np.full(fallen.shape[:-1], np.nan)


def drawdown_duration(returns: ArrayLike) -> NDArray[np.int64]:
    """Longest run of periods that ended below an earlier peak.

    >>> int(drawdown_duration([0.1, -0.5, 0.2, 2.0]))
    2
    """
    below = drawdowns(returns) > 1e-12
    position = np.arange(1, below.shape[-1] + 1)
    last_peak = np.maximum.accumulate(np.where(below, 0, position), axis=-1)
    return np.where(below, position - last_peak, 0).max(axis=-1, initial=0)


def calmar(returns: ArrayLike, periods: int = PERIODS) -> Floats:
    """Compound annual return over maximum drawdown (Young 1991); NaN without a drawdown.

    >>> round(float(calmar([0.1, -0.05, 0.1], periods=1)), 2)
    0.95
    """
    return _ratio(annual_return(returns, periods), max_drawdown(returns))


def profit_factor(returns: ArrayLike) -> Floats:
    """Sum of gains over sum of losses; NaN when there is no losing period.

    >>> float(profit_factor([0.5, -0.25, 0.25]))
    3.0
    """
    r = _floats(returns)
    return _ratio(np.maximum(r, 0).sum(axis=-1), np.maximum(-r, 0).sum(axis=-1))


def win_rate(returns: ArrayLike) -> Floats:
    """Share of gains among the periods that gained or lost; NaN when none did.

    >>> float(win_rate([0.1, -0.1, 0.0, 0.2, 0.1]))
    0.75
    """
    r = _floats(returns)
    return _ratio((r > 0).sum(axis=-1) * 1.0, (r != 0).sum(axis=-1) * 1.0)


def moments(returns: ArrayLike) -> Moments:
    """Moments of the returns that the probabilistic Sharpe ratio needs.

    >>> found = moments([0.02, -0.01, 0.02, -0.01])
    >>> round(float(found.sharpe), 3), float(found.n)
    (0.289, 4.0)
    """
    r = _floats(returns)
    centred = r - r.mean(axis=-1, keepdims=True)
    m2, m3, m4 = (np.mean(centred**k, axis=-1) for k in (2, 3, 4))
    return Moments(
        sharpe(r, periods=1),
        _ratio(m3, m2**1.5),
        _ratio(m4, m2**2),
        np.full(r.shape[:-1], float(r.shape[-1])),
    )


def sharpe_error(m: Moments) -> Floats:
    """Standard error of the per-period Sharpe ratio (Mertens 2002), returns independent in time.

    >>> round(float(sharpe_error(Moments(*map(np.array, (0.1, 0.0, 3.0, 253))))), 4)
    0.0632
    """
    spread = 1 - m.skewness * m.sharpe + (m.kurtosis - 1) / 4 * np.square(m.sharpe)
    return np.sqrt(_ratio(np.maximum(spread, 0.0), np.asarray(m.n - 1, np.float64)))


def probabilistic_sharpe(m: Moments, benchmark: ArrayLike = 0.0) -> Floats:
    """P(true Sharpe > benchmark), both per period (Bailey & Lopez de Prado 2012).

    >>> round(float(probabilistic_sharpe(Moments(*map(np.array, (0.1, 0.0, 3.0, 253))))), 3)
    0.943
    """
    from scipy.special import ndtr

    return ndtr(_ratio(m.sharpe - _floats(benchmark), sharpe_error(m)))


def expected_max_sharpe(variance: ArrayLike, trials: ArrayLike) -> Floats:
    """Expected largest Sharpe ratio of `trials` strategies without skill, per period.

    variance: of the trials' per-period Sharpe ratios. sqrt(V) ((1 - gamma) Phi^-1(1 - 1/N) + gamma
    Phi^-1(1 - 1/(N e))) of Bailey & Lopez de Prado (2014); 0 for a single trial.

    >>> round(float(expected_max_sharpe(variance=0.01, trials=100)), 3)
    0.253
    """
    from scipy.special import ndtri

    n = np.maximum(_floats(trials), 1.0)
    with np.errstate(invalid="ignore"):
        largest = (1 - EULER_GAMMA) * ndtri(1 - 1 / n) + EULER_GAMMA * ndtri(1 - 1 / (n * np.e))
        return np.where(n > 1, np.sqrt(_floats(variance)) * largest, 0.0)


def deflated_sharpe(m: Moments, variance: ArrayLike, trials: ArrayLike) -> Floats:
    """P(true Sharpe > 0) after the best of `trials` was chosen (Bailey & Lopez de Prado 2014).

    >>> year = Moments(*map(np.array, (0.1, 0.0, 3.0, 253)))
    >>> round(float(deflated_sharpe(year, variance=0.004, trials=100)), 3)  # luck would have done it
    0.171
    """
    return probabilistic_sharpe(m, expected_max_sharpe(variance, trials))


def minimum_track_record(m: Moments, benchmark: ArrayLike = 0.0, level: float = 0.95) -> Floats:
    """Periods needed before PSR(benchmark) reaches `level`; infinite where it never will.

    >>> year = Moments(*map(np.array, (0.1, 0.0, 3.0, 253)))
    >>> round(float(minimum_track_record(year)))
    273
    """
    gap = m.sharpe - _floats(benchmark)
    spread = 1 - m.skewness * m.sharpe + (m.kurtosis - 1) / 4 * np.square(m.sharpe)
    with np.errstate(divide="ignore"):
        needed = 1 + spread * np.square(normal_quantile(level) / gap)
    return np.where(gap > 0, needed, np.inf)


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, np.float64)


def _ratio(top: ArrayLike, bottom: ArrayLike) -> Floats:
    """top / bottom, NaN where bottom is 0."""
    top, bottom = np.broadcast_arrays(_floats(top), _floats(bottom))
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)
