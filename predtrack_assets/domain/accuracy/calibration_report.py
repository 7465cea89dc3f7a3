"""Do events happen as often as they were said to? Measures of one set of forecasts, and per window.

p are probabilities in [0, 1], y outcomes 0/1, both (n,); n_eff is their effective sample size.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.report_windows import (
    CELL,
    IDENTITY,
    Windows,
    column,
    scored,
    table,
    totals,
    windows,
)
from predtrack_assets.domain.forecasts.hits import correct_call
from predtrack_assets.domain.numerics.types import Days, Floats, Ints
from predtrack_assets.domain.statistics import scoring_rules
from predtrack_assets.domain.statistics.calibration import (
    BUCKETS,
    MIN_EFFECTIVE,
    _bucket,
    calibration_quality,
)
from predtrack_assets.domain.statistics.corp import consistency_p_value, corp_of_sorted
from predtrack_assets.domain.statistics.effective_size import add_rows, wilson
from predtrack_assets.domain.statistics.equal_mass import (
    equal_mass,
    ordered,
    probability,
)

MEASURED = ["status", "confidence", "occurred"]
SCORES = ["score", "score_no_change", "score_climatology", "crps", "crps_no_change"]
THREADS = 2  # of tests
TESTED = ("weekly", "monthly")  # periods whose calibration is tested: those that come to an end


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
    y = column(view.rows.select(accurate=correct_call()), "accurate")
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
        "skill_vs_no_change": scoring_rules.skill(beside_no_change, no_change),
        "skill_vs_climatology": scoring_rules.skill(beside_climatology, climatology),
        "crps": crps,
        "crps_no_change": crps_no_change,
        "crps_skill": scoring_rules.skill(beside_crps, crps_no_change),
    }
