"""Do events happen as often as they were said to? Measures of one set of forecasts, and per window.

p are probabilities in [0, 1], y outcomes 0/1, both (n,); n_eff is their effective sample size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain import scores
from predtrack_assets.domain.intervals import add_rows, normal_quantile, wilson
from predtrack_assets.domain.windows import CELL, Days, Windows, column, scored, table, windows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BUCKETS = 10
MIN_EFFECTIVE = 100  # below, no statement about quality
GOOD, MODERATE = 0.05, 0.10  # limits on the upper bound of the RMS calibration error
ROWS_PER_BUCKET = 10  # effective rows that an equal-mass bucket must have
UPPER_LEVEL = 0.90


class BucketTable(NamedTuple):
    """Equal-width buckets, the last one closed; NaN where a bucket is empty. All (n_buckets,)."""

    low: Floats
    high: Floats
    rows: Ints
    hits: Ints
    mean_confidence: Floats
    hit_rate: Floats
    error: Floats


class Corp(NamedTuple):
    """Mean Brier score = miscalibration - discrimination + uncertainty."""

    miscalibration: float
    discrimination: float
    uncertainty: float


def bucket_table(p: ArrayLike, y: ArrayLike, n_buckets: int = BUCKETS) -> BucketTable:
    """Mean confidence, hit rate and their absolute difference per equal-width bucket of p."""
    p, y = _forecasts(p, y)
    bucket = _bucket(p, n_buckets)
    count, hits, confidence = (
        np.bincount(bucket, weights=w, minlength=n_buckets) for w in (np.ones_like(p), y, p)
    )
    with np.errstate(invalid="ignore"):
        mean, rate = confidence / count, hits / count
    edges = np.arange(n_buckets + 1) / n_buckets
    whole = (count.astype(np.int64), hits.astype(np.int64))
    return BucketTable(edges[:-1], edges[1:], *whole, mean, rate, np.abs(mean - rate))


def ece(p: ArrayLike, y: ArrayLike, n_buckets: int = BUCKETS) -> float:
    """Expected calibration error: bucket errors weighted by rows (Naeini et al. 2015)."""
    weights, errors = _bucket_errors(p, y, n_buckets)
    return float(weights @ errors)


def rmsce(p: ArrayLike, y: ArrayLike, n_buckets: int = BUCKETS) -> float:
    """Root mean squared calibration error over the rows' buckets."""
    weights, errors = _bucket_errors(p, y, n_buckets)
    return float(np.sqrt(weights @ np.square(errors)))


def mce(p: ArrayLike, y: ArrayLike, n_buckets: int = BUCKETS) -> float:
    """Maximum calibration error over the buckets that have rows."""
    return float(_bucket_errors(p, y, n_buckets)[1].max())


def calibration_curve(
    p: ArrayLike, y: ArrayLike, n_buckets: int = BUCKETS, strategy: str = "uniform"
) -> tuple[Floats, Floats]:
    """(hit rate, mean confidence) per non-empty bucket; strategy 'uniform' or 'quantile'."""
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
    """
    return float(_equal_mass_of(p, y, n_eff)[0][0])


def rms_calibration_error(
    p: ArrayLike, y: ArrayLike, n_eff: float | None = None
) -> tuple[float, float]:
    """Debiased RMS calibration error, clipped at 0, and its one-sided upper 90 % bound (<= 1).

    With the true error theta the estimate is about normal with variance 4 a theta + 2 c,
    a = sum w_b^2 v_b, c = sum w_b^2 v_b^2, w_b = n_b/n, v_b the variance of ybar_b with m_b
    effective rows, two hits and two misses added to it. The bound is the theta at which the
    estimate is z = 1.28 deviations low (Wilson's inversion). Errors that cancel within a bucket
    are not seen.
    """
    squared, upper = _equal_mass_of(p, y, n_eff)
    return float(np.sqrt(max(squared[0], 0.0))), float(upper[0])


def calibration_quality(n_eff: ArrayLike, rms_upper: ArrayLike) -> NDArray[np.str_]:
    """'insufficient_data' below 100 effective rows, else 'good', 'moderate' or 'poor'.

    Judged by the upper bound of the RMS calibration error: below 0.05, below 0.10, or not.
    """
    n_eff, upper = np.asarray(n_eff, np.float64), np.asarray(rms_upper, np.float64)
    known = n_eff >= MIN_EFFECTIVE
    choices = ["insufficient_data", "good", "moderate"]
    return np.select([~known, upper < GOOD, upper < MODERATE], choices, "poor")


def corp(p: ArrayLike, y: ArrayLike) -> Corp:
    """CORP decomposition of the Brier score (Dimitriadis, Gneiting & Jordan 2021)."""
    p, y = _forecasts(p, y)
    recalibrated = np.mean(scores.brier(_isotonic(p, y), y))
    uncertainty = np.mean(scores.brier(np.full(y.size, y.mean()), y))
    miscalibration = np.mean(scores.brier(p, y)) - recalibrated
    return Corp(float(miscalibration), float(uncertainty - recalibrated), float(uncertainty))


def consistency_p_value(p: ArrayLike, y: ArrayLike, reps: int = 999, seed: int = 0) -> float:
    """p-value of 'p is calibrated': how often y* ~ Bernoulli(p) is as miscalibrated as y.

    Consistency resampling (Broecker & Smith 2007) of the CORP miscalibration. Rows are taken as
    independent: dependent ones make it too small.
    """
    p, y = _forecasts(p, y)
    draws = np.random.default_rng(seed).random((reps, p.size)) < p
    observed = corp(p, y).miscalibration
    as_bad = sum(corp(p, draw).miscalibration >= observed for draw in draws)
    return (1 + as_bad) / (1 + reps)


def platt(decision: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """(A, B) of P(y = 1) = 1 / (1 + exp(A f + B)) fitted to decision values f (n,).

    With Platt's smoothed targets (Platt 1999, in the stable form of Lin, Lin & Weng 2007).
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


def calibration_metrics(outcomes: pl.DataFrame, report_days: Days, period: str) -> pl.DataFrame:
    """One row per model, kind, event, horizon, window and non-empty bucket (limits in per cent).

    outcomes: the columns model_id, kind, event, horizon, due_day, status, confidence, occurred;
    report_days: sorted datetime64[D], the windows' last days; period: a name in windows.PERIODS.
    Interval: Wilson on the bucket's share of the window's n_eff. Expired rows are left out.
    Raises ValueError for an unknown period or a validated row without outcome or probability.
    """
    view = windows(scored(outcomes).select(*CELL, *_MEASURED), CELL, report_days, period)
    count, hits, confidence = _bucket_sums(view)
    n_eff = _effective_sizes(view)
    share = n_eff / np.maximum(count.sum(axis=0), 1)
    bucket, window = np.nonzero(count)
    n, k, c = (a[bucket, window] for a in (count, hits, confidence))
    low, high = wilson(k / n, n * share[window])
    names = pl.Series([f"{10 * b}-{10 * b + 10}" for b in range(BUCKETS)], dtype=pl.String)
    result = {
        **{name: values[window] for name, values in view.labels().items()},
        "confidence_bucket": names[bucket],
        "bucket_low": bucket * 100 // BUCKETS,
        "bucket_high": (bucket + 1) * 100 // BUCKETS,
        "prediction_count": n.astype(np.int64),
        "accurate_count": k.astype(np.int64),
        "expected_accuracy": c / n,
        "actual_accuracy": k / n,
        "calibration_error": np.abs(c / n - k / n),
        "actual_low": low,
        "actual_high": high,
    }
    return table(result, [*CELL, "period_end", "bucket_low"])


def calibration_summary(
    outcomes: pl.DataFrame, due: pl.DataFrame, report_days: Days, period: str
) -> pl.DataFrame:
    """One row per model, kind, event, horizon and window in which any outcome falls.

    outcomes, report_days, period, errors: as for `calibration_metrics`, with the columns score,
    score_no_change, score_climatology, crps, crps_no_change beside them; due: model_id, kind,
    horizon, due_day, n. Each skill compares the rows that have both scores. coverage is validated
    over due, null where nothing was due.
    """
    measured = scored(outcomes).select(*CELL, *_MEASURED, *_SCORES)
    view = windows(measured, CELL, report_days, period)
    columns = {**view.labels(), **_rates(view), **_scores(view)}
    labels = ["period", "period_start", "period_end"]
    asked = ["model_id", "kind", "horizon"]
    horizon = pl.col("horizon").cast(outcomes.schema["horizon"])
    fallen = due.select(*asked, "due_day", due="n").with_columns(horizon)
    events = outcomes.filter(pl.col("event").is_not_null())
    expired = events.select(*CELL, "due_day", expired=pl.col("status") == "expired")
    result = (
        _totals(expired, CELL, "expired", report_days, period)
        .join(table(columns, [*CELL, "period_end"]), on=[*CELL, *labels], how="left")
        .join(_totals(fallen, asked, "due", report_days, period), on=[*asked, *labels], how="left")
        .with_columns(pl.col("n", "due").fill_null(0), pl.col("n_eff").fill_null(0.0))
        .with_columns(
            pl.col("calibration_quality").fill_null("insufficient_data"),
            coverage=pl.when(pl.col("due") > 0).then(pl.col("n") / pl.col("due")),
        )
    )
    lead = [*CELL, *labels, "n", "n_eff", "due", "expired", "coverage"]
    return result.select(*lead, pl.exclude(lead)).sort([*CELL, "period_end"])


_MEASURED = ["due_day", "confidence", "occurred"]
_SCORES = ["score", "score_no_change", "score_climatology", "crps", "crps_no_change"]


def _forecasts(p: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    p, y = np.asarray(p, np.float64), np.asarray(y, np.float64)
    if p.ndim != 1 or p.shape != y.shape or not p.size:
        raise ValueError(f"p {p.shape} and y {y.shape} are not two equally long lists")
    if not (np.all((p >= 0) & (p <= 1)) and np.all((y == 0) | (y == 1))):
        raise ValueError("p must be probabilities and y outcomes 0 or 1")
    return p, y


def _bucket(p: Floats, n_buckets: int) -> Ints:
    """Bucket of each probability: 0.3 belongs to 30-40 and 1.0 to the last."""
    return np.searchsorted(np.arange(1, n_buckets) / n_buckets, p, side="right")


def _bucket_errors(p: ArrayLike, y: ArrayLike, n_buckets: int) -> tuple[Floats, Floats]:
    """Weights and errors of the buckets that have rows."""
    buckets = bucket_table(p, y, n_buckets)
    filled = buckets.rows > 0
    return buckets.rows[filled] / buckets.rows.sum(), buckets.error[filled]


def _isotonic(p: Floats, y: Floats) -> Floats:
    from sklearn.isotonic import IsotonicRegression

    # By rank: forecasts a rounding error apart would be taken for one, and then for none.
    rank = np.unique(p, return_inverse=True)[1]
    return IsotonicRegression().fit_transform(rank, y)


def _equal_mass_of(p: ArrayLike, y: ArrayLike, n_eff: float | None) -> tuple[Floats, Floats]:
    p, y = _forecasts(p, y)
    sizes = np.array([p.size])
    return _equal_mass(
        _ordered(p, y)[None], sizes, sizes * 1.0 if n_eff is None else np.array([float(n_eff)])
    )


def _ordered(p: Floats, y: Floats) -> Ints:
    """Probability and outcome in one number, so that a plain sort orders both.

    Doubles >= 0 order like their bits; the last bit of the probability gives way to the outcome.
    """
    return (p + 0.0).view(np.int64) & ~1 | (y > 0)


def _equal_mass(keys: Ints, size: Ints, n_eff: Floats) -> tuple[Floats, Floats]:
    """Debiased squared error and upper RMS bound (R,) of keys (R, L), filled with the maximum."""
    keys = np.sort(keys, axis=1)
    position = np.arange(keys.shape[1])
    inside = position < size[:, None]
    hits = np.cumsum(np.where(inside, keys & 1, 0), axis=1)
    confidence = np.cumsum(np.where(inside, (keys & ~1).view(np.float64), 0.0), axis=1)
    tied = np.diff(keys >> 1, axis=1, prepend=-1) == 0
    tie_start = np.maximum.accumulate(np.where(tied, 0, position), axis=1)

    n_buckets = np.clip(n_eff // ROWS_PER_BUCKET, 1, BUCKETS).astype(np.int64)
    squared, a, c = np.zeros(len(size)), np.zeros(len(size)), np.zeros(len(size))
    z2 = normal_quantile(UPPER_LEVEL) ** 2
    row = np.arange(len(size))
    start = np.zeros(len(size), np.int64)
    for bucket in range(1, BUCKETS + 1):
        nominal = np.minimum(bucket * size // n_buckets, size)
        stop = np.where(nominal < size, tie_start[row, np.minimum(nominal, size - 1)], size)
        n = stop - start
        m = np.maximum(n, 1)
        rate, said = (_between(total, row, start, stop) / m for total in (hits, confidence))
        effective = m * n_eff / size
        weight = n / size
        noise = rate * (1 - rate) / np.maximum(effective - 1, 1)
        squared += weight * (np.square(rate - said) - noise)
        smooth = (rate * effective + 2) / (effective + 4)
        variance = smooth * (1 - smooth) / effective
        a += np.square(weight) * variance
        c += np.square(weight * variance)
        start = stop
    centre = np.maximum(squared, 0.0) + 2 * a * z2
    spread = np.sqrt(np.square(centre) - np.square(np.maximum(squared, 0.0)) + 2 * c * z2)
    return squared, np.sqrt(np.minimum(centre + spread, 1.0))


def _between(totals: Floats | Ints, row: Ints, start: Ints, stop: Ints) -> Floats:
    """Sum of the entries start .. stop - 1 of each row, from its running totals."""
    upper, lower = (np.where(i > 0, totals[row, np.maximum(i - 1, 0)], 0) for i in (stop, start))
    return (upper - lower).astype(np.float64)


def _effective_sizes(view: Windows) -> Floats:
    y = column(view.rows, "occurred")
    hits, counts = view.per_date(y), view.per_date(np.ones_like(y))
    return view.effective_sizes(hits, counts, hits)


def _bucket_sums(view: Windows) -> Floats:
    """Rows, hits and summed confidence as (3, BUCKETS, R)."""
    p, y = column(view.rows, "confidence"), column(view.rows, "occurred")
    bucket = _bucket(p, BUCKETS)
    chosen = [(bucket == b) * values for values in (np.ones_like(p), y, p) for b in range(BUCKETS)]
    return view.sums([view.per_date(values) for values in chosen]).reshape(3, BUCKETS, -1)


def _rates(view: Windows) -> dict[str, pl.Series | Floats | Ints]:
    """Accuracy with its interval, and calibration, per window."""
    count, hits, confidence = _bucket_sums(view)
    n, k, said = (add_rows(totals) for totals in (count, hits, confidence))
    filled = np.maximum(count, 1)
    errors = np.abs(confidence / filled - hits / filled)
    n_eff = _effective_sizes(view)
    low, high = wilson(k / n, n_eff)

    keys = _ordered(column(view.rows, "confidence"), column(view.rows, "occurred"))
    squared, upper = np.zeros(len(view)), np.zeros(len(view))
    first, stop = view.slices
    for part in view.chunks(int((stop - first).max(initial=1))):
        filled_keys, size = view.padded(keys, part, np.iinfo(np.int64).max)
        squared[part], upper[part] = _equal_mass(filled_keys, size, n_eff[part])
    return {
        "n": n.astype(np.int64),
        "n_eff": n_eff,
        "accuracy_rate": k / n,
        "accuracy_low": low,
        "accuracy_high": high,
        "mean_confidence": said / n,
        "ece": add_rows(count * errors) / n,
        "rms_calibration_error": np.sqrt(np.maximum(squared, 0.0)),
        "rms_calibration_upper": upper,
        "calibration_quality": pl.Series(calibration_quality(n_eff, upper), dtype=pl.String),
    }


def _scores(view: Windows) -> dict[str, pl.Series | Floats | Ints]:
    """Mean scores, and skills over the rows that have both scores, per window."""
    values = {name: column(view.rows, name) for name in _SCORES}

    def means(*names: str) -> Floats:
        known = ~np.isnan([values[name] for name in names]).any(axis=0)
        parts = [
            np.where(known, v, 0.0)
            for v in (np.ones(known.size), *(values[name] for name in names))
        ]
        n, *totals = view.sums([view.per_date(part) for part in parts])
        return np.array(totals) / np.where(n > 0, n, np.nan)

    (brier,) = means("score")
    beside_no_change, no_change = means("score", "score_no_change")
    beside_climatology, climatology = means("score", "score_climatology")
    (crps,) = means("crps")
    beside_crps, crps_no_change = means("crps", "crps_no_change")
    return {
        "brier": brier,
        "brier_no_change": no_change,
        "brier_climatology": climatology,
        "skill_vs_no_change": scores.skill(beside_no_change, no_change),
        "skill_vs_climatology": scores.skill(beside_climatology, climatology),
        "crps": crps,
        "crps_no_change": crps_no_change,
        "crps_skill": scores.skill(beside_crps, crps_no_change),
    }


def _totals(
    rows: pl.DataFrame, keys: list[str], name: str, report_days: Days, period: str
) -> pl.DataFrame:
    """Sum of one column per window, with the window's labels."""
    view = windows(rows, keys, report_days, period)
    (total,) = view.sums([view.per_date(column(view.rows, name))])
    return pl.DataFrame({**view.labels(), name: total.astype(np.int64)})
