"""Do events happen as often as they were said to? Measures of one set of forecasts, and per window.

p are probabilities in [0, 1], y outcomes 0/1, both (n,); n_eff is their effective sample size.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from predtrack_assets.domain import scores
from predtrack_assets.domain.calls import came_true
from predtrack_assets.domain.corp import RESAMPLES, consistency_p_value, corp_of_sorted
from predtrack_assets.domain.equal_mass import EqualMass, equal_mass, ordered, probability
from predtrack_assets.domain.intervals import add_rows, wilson
from predtrack_assets.domain.windows import (
    CELL,
    IDENTITY,
    Days,
    Windows,
    column,
    scored,
    table,
    totals,
    windows,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MEASURED = ["status", "confidence", "occurred"]
SCORES = ["score", "score_no_change", "score_climatology", "crps", "crps_no_change"]
BUCKETS = 10
PART = 1 << 16  # rows summed at once
MIN_EFFECTIVE = 100  # below, no statement about quality
GOOD, MODERATE = 0.05, 0.10  # limits on the upper bound of the RMS calibration error
THREADS = 2  # of tests
TESTED = ("weekly", "monthly")  # periods whose calibration is tested: those that come to an end


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
    """Mean confidence, hit rate and their absolute difference per equal-width bucket of p."""
    p, y = _forecasts(p, y)
    (missed, hits), confidence = _bucket_totals(p, y, n_buckets)
    count = missed + hits
    with np.errstate(invalid="ignore"):
        mean, rate = confidence / count, hits / count
    edges = np.arange(n_buckets + 1) / n_buckets
    return BucketTable(edges[:-1], edges[1:], count, hits, mean, rate, np.abs(mean - rate))


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
    """
    found = _equal_mass_of(p, y, n_eff)
    return float(np.sqrt(max(found.squared[0], 0.0))), float(found.upper[0])


def calibration_quality(n_eff: ArrayLike, rms_upper: ArrayLike) -> NDArray[np.str_]:
    """'insufficient_data' below 100 effective rows, else 'good', 'moderate' or 'poor'.

    Judged by the upper bound of the RMS calibration error: below 0.05, below 0.10, or not.
    """
    n_eff, upper = np.asarray(n_eff, np.float64), np.asarray(rms_upper, np.float64)
    known = n_eff >= MIN_EFFECTIVE
    choices = ["insufficient_data", "good", "moderate"]
    return np.select([~known, upper < GOOD, upper < MODERATE], choices, "poor")


def equal_mass_ece(p: ArrayLike, y: ArrayLike, n_eff: float | None = None) -> float:
    """ECE over the equal-mass buckets of `debiased_squared_error` in place of equally wide ones."""
    return float(_equal_mass_of(p, y, n_eff).ece[0])


def corp(p: ArrayLike, y: ArrayLike) -> tuple[float, float, float]:
    """Miscalibration, discrimination and uncertainty of the Brier score, as in `corp.Corp`."""
    keys = np.sort(ordered(*_forecasts(p, y)))
    parts = corp_of_sorted(probability(keys), keys & 1, np.zeros(keys.size, np.int64), 1)
    return parts[0].item(), parts[1].item(), parts[2].item()


def consistency_test(
    p: ArrayLike, y: ArrayLike, n_eff: float | None = None, seed: int = 0, reps: int = RESAMPLES
) -> float:
    """p-value of 'p is calibrated' from the CORP miscalibration, as in `corp.consistency_p_value`."""
    p, y = _forecasts(p, y)
    rows = p.size if n_eff is None else max(round(n_eff), 1)
    return consistency_p_value(p, y.astype(np.int64), rows, seed, reps)


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

    outcomes: the columns model_id, kind, event, horizon, due_day, symbol, trading_day, status,
    confidence, occurred; report_days: sorted datetime64[D], the windows' last days; period: a name
    in windows.PERIODS.
    Interval: Wilson on the bucket's share of the window's n_eff. Expired rows are left out.
    Raises ValueError for an unknown period or a validated row without outcome or probability.
    """
    rows = scored(outcomes).select(*CELL, "due_day", *IDENTITY, *MEASURED)
    view = windows(rows, CELL, report_days, period)
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
    rows = scored(outcomes).select(*CELL, "due_day", *IDENTITY, *MEASURED, *SCORES)
    view = windows(rows, CELL, report_days, period)
    columns = {**view.labels(), **_rates(view), **_scores(view)}
    labels = ["period", "period_start", "period_end"]
    asked = ["model_id", "kind", "horizon"]
    horizon = pl.col("horizon").cast(outcomes.schema["horizon"])
    fallen = due.select(*asked, "due_day", due="n").with_columns(horizon)
    events = outcomes.filter(pl.col("event").is_not_null())
    expired = events.select(*CELL, "due_day", expired=pl.col("status") == "expired")
    result = (
        totals(expired, CELL, "expired", report_days, period)
        .join(table(columns, [*CELL, "period_end"]), on=[*CELL, *labels], how="left")
        .join(totals(fallen, asked, "due", report_days, period), on=[*asked, *labels], how="left")
        .with_columns(pl.col("n", "due").fill_null(0), pl.col("n_eff").fill_null(0.0))
        .with_columns(
            pl.col("calibration_quality").fill_null("insufficient_data"),
            coverage=pl.when(pl.col("due") > 0).then(pl.col("n") / pl.col("due")),
        )
    )
    lead = [*CELL, *labels, "n", "n_eff", "due", "expired", "coverage"]
    return result.select(*lead, pl.exclude(lead)).sort([*CELL, "period_end"])


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


def _effective_sizes(view: Windows) -> Floats:
    hits, counts = view.per_date(column(view.rows, "occurred")), view.per_date()
    return view.effective_sizes(hits, counts, hits)


def _residual_sizes(view: Windows) -> Floats:
    """Effective sizes (R,) of y - p: a calibrated p takes with it what makes the days of y differ."""
    residual = column(view.rows, "occurred") - column(view.rows, "confidence")
    squares = view.per_date(np.square(residual))
    return view.effective_sizes(view.per_date(residual), view.per_date(), squares)


def _bucket_sums(view: Windows) -> Floats:
    """Rows, hits and summed confidence as (3, BUCKETS, R)."""
    p, y = column(view.rows, "confidence"), column(view.rows, "occurred")
    bucket = _bucket(p, BUCKETS)
    parts = [view.per_date(values, bucket, BUCKETS) for values in (None, y, p)]
    return view.sums(list(np.concatenate(parts))).reshape(3, BUCKETS, -1)


def _rates(view: Windows) -> dict[str, pl.Series | Floats | Ints]:
    """Rates with their intervals, and calibration, per window."""
    count, hits, confidence = _bucket_sums(view)
    n, k, said = (add_rows(totals) for totals in (count, hits, confidence))
    filled = np.maximum(count, 1)
    errors = np.abs(confidence / filled - hits / filled)
    n_eff = _effective_sizes(view)
    low, high = wilson(k / n, n_eff)

    return {
        "n": n.astype(np.int64),
        "n_eff": n_eff,
        "event_rate": k / n,
        "event_low": low,
        "event_high": high,
        **_accuracy(view, n),
        "mean_confidence": said / n,
        "ece": add_rows(count * errors) / n,
        **_calibration(view, _residual_sizes(view)),
    }


def _accuracy(view: Windows, n: Floats) -> dict[str, Floats]:
    """Share of calls that came true, with an interval on the effective size of the calls."""
    y = column(view.rows.select(accurate=came_true()), "accurate")
    hits, counts = view.per_date(y), view.per_date(np.ones_like(y))
    (right,) = view.sums([hits])
    low, high = wilson(right / n, view.effective_sizes(hits, counts, hits))
    return {"accuracy_rate": right / n, "accuracy_low": low, "accuracy_high": high}


def _calibration(view: Windows, n_eff: Floats) -> dict[str, pl.Series | Floats | Ints]:
    """What a window's forecasts say once they are in order: equal-mass errors and CORP parts.

    n_eff: of the residuals.
    """
    keys = ordered(column(view.rows, "confidence"), column(view.rows, "occurred"))
    squared, upper, gaps, *parts = np.full((6, len(view)), np.nan)
    first, stop = view.slices
    for chunk in view.chunks(int((stop - first).max(initial=1))):
        filled, size = view.padded(keys, chunk, np.iinfo(np.int64).max)
        filled.sort(axis=1)
        squared[chunk], upper[chunk], gaps[chunk] = equal_mass(filled, size, n_eff[chunk])
        flat = filled[np.arange(filled.shape[1]) < size[:, None]]
        p = probability(flat)
        found = corp_of_sorted(p, flat & 1, np.repeat(np.arange(size.size), size), size.size)
        for values, of_chunk in zip(parts, found, strict=True):
            values[chunk] = of_chunk
    return {
        "ece_equal_mass": gaps,
        "squared_calibration_error": squared,
        "rms_calibration_error": np.sqrt(np.maximum(squared, 0.0)),
        "rms_calibration_upper": upper,
        "calibration_quality": pl.Series(calibration_quality(n_eff, upper), dtype=pl.String),
        **dict(zip(("miscalibration", "discrimination", "uncertainty"), parts, strict=True)),
        "consistency_p_value": _p_values(view, n_eff),
    }


def _p_values(view: Windows, n_eff: Floats) -> Floats:
    """Consistency tests (R,) where a period has ended and holds enough rows, elsewhere NaN."""
    found = np.full(len(view), np.nan)
    if view.period not in TESTED:
        return found
    p, y = (column(view.rows, name) for name in ("confidence", "occurred"))
    hits, labels = y.astype(np.int64), pl.DataFrame(view.labels())

    def test(i: int) -> float:
        key = "|".join(map(str, labels.row(i)))
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
        own = slice(*view.slices[:, i])
        return consistency_p_value(p[own], hits[own], round(n_eff[i]), seed)

    enough = np.flatnonzero(n_eff >= MIN_EFFECTIVE)
    with ThreadPoolExecutor(
        THREADS
    ) as pool:  # drawing is compiled: it leaves the interpreter alone
        found[enough] = list(pool.map(test, enough.tolist()))
    return found


def _scores(view: Windows) -> dict[str, pl.Series | Floats | Ints]:
    """Mean scores, and skills over the rows that have both scores, per window."""
    values = {name: column(view.rows, name) for name in SCORES}

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
