"""Calibration of predicted probabilities: buckets, ECE, debiased errors, tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain.numerics.types import Floats, Ints
from predtrack_assets.domain.statistics.corp import RESAMPLES, consistency_p_value, corp_of_sorted
from predtrack_assets.domain.statistics.equal_mass import (
    EqualMass,
    equal_mass,
    ordered,
    probability,
)

BUCKETS = 10
PART = 1 << 16  # rows summed at once
MIN_EFFECTIVE = 100  # below, no statement about quality


GOOD, MODERATE = 0.05, 0.10  # limits on the upper bound of the RMS calibration error


class BucketTable(NamedTuple):
    """Equal-width buckets, the last one closed; NaN where a bucket is empty. All (n_buckets,)."""

    low: Floats
    high: Floats
    rows: Ints
    hits: Ints
    mean_confidence: Floats
    hit_rate: Floats
    error: Floats


def bucket_table(p: ArrayLike, y: ArrayLike, n_buckets: int = BUCKETS) -> BucketTable:
    """Mean confidence, hit rate and their absolute difference per equal-width bucket of p.

    >>> table = bucket_table([0.62, 0.68, 0.91], [1, 0, 1])
    >>> table.rows.tolist(), round(float(table.hit_rate[6]), 2)
    ([0, 0, 0, 0, 0, 0, 2, 0, 0, 1], 0.5)
    """
    p, y = _forecasts(p, y)
    (missed, hits), confidence = _bucket_totals(p, y, n_buckets)
    count = missed + hits
    with np.errstate(invalid="ignore"):
        mean, rate = confidence / count, hits / count
    edges = np.arange(n_buckets + 1) / n_buckets
    return BucketTable(edges[:-1], edges[1:], count, hits, mean, rate, np.abs(mean - rate))


def ece(p: ArrayLike, y: ArrayLike, n_buckets: int = BUCKETS) -> float:
    """Expected calibration error: bucket errors weighted by rows (Naeini et al. 2015).

    >>> round(ece([0.6, 0.6, 0.9, 0.9], [1, 0, 1, 1]), 3)
    0.1
    """
    weights, errors = _bucket_errors(p, y, n_buckets)
    return float(weights @ errors)


def rmsce(p: ArrayLike, y: ArrayLike, n_buckets: int = BUCKETS) -> float:
    """Root mean squared calibration error over the rows' buckets.

    >>> round(rmsce([0.6, 0.6, 0.9, 0.9], [1, 0, 1, 1]), 3)
    0.1
    """
    weights, errors = _bucket_errors(p, y, n_buckets)
    return float(np.sqrt(weights @ np.square(errors)))


def mce(p: ArrayLike, y: ArrayLike, n_buckets: int = BUCKETS) -> float:
    """Maximum calibration error over the buckets that have rows.

    >>> round(mce([0.6, 0.6, 0.9, 0.9], [1, 0, 1, 1]), 3)
    0.1
    """
    return float(_bucket_errors(p, y, n_buckets)[1].max())


def calibration_curve(
    p: ArrayLike, y: ArrayLike, n_buckets: int = BUCKETS, strategy: str = "uniform"
) -> tuple[Floats, Floats]:
    """(hit rate, mean confidence) per non-empty bucket; strategy 'uniform' or 'quantile'.

    >>> rate, confidence = calibration_curve([0.2, 0.2, 0.9, 0.9], [0, 1, 1, 1])
    >>> rate.tolist(), confidence.tolist()
    ([0.5, 1.0], [0.2, 0.9])
    """
    from sklearn import calibration as sklearn_calibration

    p, y = _forecasts(p, y)
    rate, confidence = sklearn_calibration.calibration_curve(
        y, p, n_bins=n_buckets, strategy=strategy
    )
    return rate, confidence


def debiased_squared_error(p: ArrayLike, y: ArrayLike, n_eff: float | None = None) -> float:
    """Squared calibration error without the part that sampling alone would show; may be negative.

    sum_b n_b/n [(ybar_b - pbar_b)^2 - ybar_b (1 - ybar_b) / (m_b - 1)] over equal-mass buckets
    (Kumar, Liang & Ma 2019), m_b = n_b n_eff / n the bucket's effective rows: n_b by default.
    There are 10 buckets, or fewer so that each has 10 effective rows; ties share a bucket. The
    divisor is at least 1.

    >>> round(debiased_squared_error([0.5] * 20, [1, 0] * 10), 4)
    -0.0132
    """
    return float(_equal_mass_of(p, y, n_eff).squared[0])


def rms_calibration_error(
    p: ArrayLike, y: ArrayLike, n_eff: float | None = None
) -> tuple[float, float]:
    """Debiased RMS calibration error, clipped at 0, and its one-sided upper 90 % bound (<= 1).

    With the true error theta the estimate is about normal with variance 4 a theta + 2 c,
    a = sum w_b^2 v_b, c = sum w_b^2 v_b^2, w_b = n_b/n, v_b the variance of ybar_b with m_b
    effective rows, two hits and two misses added to it. The bound is the theta at which the
    estimate is z = 1.28 deviations low (Wilson's inversion). Errors that cancel within a bucket
    are not seen.

    >>> error, upper = rms_calibration_error([0.5] * 400, [1, 0] * 200)
    >>> error, round(upper, 3)
    (0.0, 0.066)
    """
    found = _equal_mass_of(p, y, n_eff)
    return float(np.sqrt(max(found.squared[0], 0.0))), float(found.upper[0])


def calibration_quality(n_eff: ArrayLike, rms_upper: ArrayLike) -> NDArray[np.str_]:
    """'insufficient_data' below 100 effective rows, else 'good', 'moderate' or 'poor'.

    Judged by the upper bound of the RMS calibration error: below 0.05, below 0.10, or not.

    >>> calibration_quality([40, 400, 400], [0.02, 0.02, 0.2]).tolist()
    ['insufficient_data', 'good', 'poor']
    """
    n_eff, upper = np.asarray(n_eff, np.float64), np.asarray(rms_upper, np.float64)
    known = n_eff >= MIN_EFFECTIVE
    choices = ["insufficient_data", "good", "moderate"]
    return np.select([~known, upper < GOOD, upper < MODERATE], choices, "poor")


def equal_mass_ece(p: ArrayLike, y: ArrayLike, n_eff: float | None = None) -> float:
    """ECE over the equal-mass buckets of `debiased_squared_error` in place of equally wide ones.

    >>> round(equal_mass_ece([0.6, 0.6, 0.9, 0.9], [1, 0, 1, 1]), 3)
    0.0
    """
    return float(_equal_mass_of(p, y, n_eff).ece[0])


def corp(p: ArrayLike, y: ArrayLike) -> tuple[float, float, float]:
    """Miscalibration, discrimination and uncertainty of the Brier score, as in `corp.Corp`.

    >>> miscalibration, discrimination, uncertainty = corp([0.2, 0.2, 0.8, 0.8], [0, 0, 1, 1])
    >>> round(miscalibration - discrimination + uncertainty, 3)  # the mean Brier score
    0.04
    """
    keys = np.sort(ordered(*_forecasts(p, y)))
    parts = corp_of_sorted(probability(keys), keys & 1, np.zeros(keys.size, np.int64), 1)
    return parts[0].item(), parts[1].item(), parts[2].item()


def consistency_test(
    p: ArrayLike, y: ArrayLike, n_eff: float | None = None, seed: int = 0, reps: int = RESAMPLES
) -> float:
    """p-value of 'p is calibrated' from the CORP miscalibration, as in `corp.consistency_p_value`.

    >>> consistency_test([0.9] * 100, [1, 0] * 50) < 0.01  # half of the events at 90 %
    True
    """
    p, y = _forecasts(p, y)
    rows = p.size if n_eff is None else max(round(n_eff), 1)
    return consistency_p_value(p, y.astype(np.int64), rows, seed, reps)


def platt(decision: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """(A, B) of P(y = 1) = 1 / (1 + exp(A f + B)) fitted to decision values f (n,).

    With Platt's smoothed targets (Platt 1999, in the stable form of Lin, Lin & Weng 2007).

    >>> a, b = platt([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1])
    >>> a < 0  # a larger decision value makes y = 1 likelier
    True
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    f, y = np.asarray(decision, np.float64), np.asarray(y) > 0
    hits, misses = int(y.sum()), int((~y).sum())
    target = np.where(y, (hits + 1) / (hits + 2), 1 / (misses + 2))

    def loss(ab: Floats) -> tuple[float, Floats]:
        z = ab[0] * f + ab[1]
        residual = target - expit(-z)
        gradient = np.array([residual @ f, residual.sum()])
        return float(np.sum(np.logaddexp(0, z) - (1 - target) * z)), gradient

    start = np.array([0.0, np.log((misses + 1) / (hits + 1))])
    fit = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-10})
    return float(fit.x[0]), float(fit.x[1])


def _forecasts(p: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    p, y = np.asarray(p, np.float64), np.asarray(y, np.float64)
    if p.ndim != 1 or p.shape != y.shape or not p.size:
        raise ValueError(f"p {p.shape} and y {y.shape} are not two equally long lists")
    if not (p.min() >= 0 and p.max() <= 1 and np.all((y == 0) | (y == 1))):
        raise ValueError("p must be probabilities and y outcomes 0 or 1")
    return p, y


def _bucket(p: Floats, n_buckets: int) -> Ints:
    """Bucket of each probability: 0.3 belongs to 30-40 and 1.0 to the last."""
    return np.searchsorted(np.arange(1, n_buckets) / n_buckets, p, side="right")


def _bucket_totals(p: Floats, y: Floats, n_buckets: int) -> tuple[Ints, Floats]:
    """Rows per outcome and bucket (2, n_buckets), and summed confidence (n_buckets,).

    As `_bucket` says, but faster: multiplied, and corrected where that rounds across an edge; in
    parts that stay in the processor's cache.
    """
    edges = np.arange(n_buckets + 1) / n_buckets
    above = np.append(edges[1:-1], np.inf)
    rows, confidence = np.zeros(2 * n_buckets, np.int64), np.zeros(n_buckets)
    for first in range(0, p.size, PART):
        part = p[first : first + PART]
        bucket = np.minimum((part * n_buckets).astype(np.int64), n_buckets - 1)
        bucket -= part < edges[bucket]
        bucket += part >= above[bucket]
        confidence += np.bincount(bucket, weights=part, minlength=n_buckets)
        bucket += n_buckets * (y[first : first + PART] == 1)
        rows += np.bincount(bucket, minlength=2 * n_buckets)
    return rows.reshape(2, n_buckets), confidence


def _bucket_errors(p: ArrayLike, y: ArrayLike, n_buckets: int) -> tuple[Floats, Floats]:
    """Weights and errors of the buckets that have rows."""
    buckets = bucket_table(p, y, n_buckets)
    filled = buckets.rows > 0
    return buckets.rows[filled] / buckets.rows.sum(), buckets.error[filled]


def _equal_mass_of(p: ArrayLike, y: ArrayLike, n_eff: float | None) -> EqualMass:
    p, y = _forecasts(p, y)
    sizes = np.array([p.size])
    keys = np.sort(ordered(p, y))[None]
    return equal_mass(keys, sizes, sizes * 1.0 if n_eff is None else np.array([float(n_eff)]))
