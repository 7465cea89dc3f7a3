"""Calibration: do events occur as often as predicted? Measures of one set of forecasts, and per window.

p are probabilities in [0, 1], y outcomes 0/1, both (n,); n_eff is their effective sample size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.day_sums import COUNTS, EVENT_SUMS, merged
from predtrack_assets.domain.accuracy.report_windows import (
    CELL,
    IDENTITY,
    Windows,
    column,
    scored,
    table,
    windows,
)
from predtrack_assets.domain.numerics.types import Days, Floats, Ints
from predtrack_assets.domain.statistics import scoring_rules
from predtrack_assets.domain.statistics.calibration import (
    BUCKETS,
    MIN_EFFECTIVE,
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
THREADS = 2  # of tests
TESTED = ("weekly", "monthly")  # periods whose calibration is tested: those that come to an end
_BUCKETS = [f"bucket_{b}_{name}" for name in ("n", "hits", "confidence") for b in range(BUCKETS)]
_BRIER = ("no_change", "climatology")
_SCORES = [f"brier_{b}_{name}" for b in _BRIER for name in ("n", "loss", "loss_baseline")]
_SCORES += [f"crps_no_change_{name}" for name in ("n", "loss", "loss_baseline")]
_SCORES += ["crps_n", "crps_loss"]


def calibration_metrics(
    sums: pl.DataFrame, report_days: Days, period: str, by: Sequence[str] = ()
) -> pl.DataFrame:
    """One row per model, kind, event, horizon, window and non-empty bucket (limits in per cent).

    sums: as `day_sums` gives them; report_days: sorted datetime64[D], the windows' last days;
    period: a name in report_windows.PERIODS; by: slices (market_regime, origin) to tell apart.
    Interval: Wilson on the bucket's share of the window's n_eff. Expired rows are left out.
    Raises ValueError for an unknown period.
    """
    keys = [*CELL, *by]
    view = _scored_windows(sums, keys, report_days, period)
    count, hits, confidence = _bucket_sums(view)
    share = _effective_sizes(view, "hits") / np.maximum(count.sum(axis=0), 1)
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
    return table(result, [*keys, "period_end", "bucket_low"])


def event_rates(
    sums: pl.DataFrame, report_days: Days, period: str, by: Sequence[str] = ()
) -> pl.DataFrame:
    """One row per model, kind, event, horizon and window in which any outcome falls.

    sums, report_days, period, by: as for `calibration_metrics`. Rates with their intervals, ECE,
    scores and skills; each skill compares the rows that have both scores. coverage is validated
    over due, null where nothing was due.
    """
    keys = [*CELL, *by]
    view = _scored_windows(sums, keys, report_days, period)
    columns = {**view.labels(), **_rates(view), **_scores(view)}
    labels = ["period", "period_start", "period_end"]
    ended = merged(sums, keys, COUNTS).filter(pl.col("event").is_not_null())
    every = windows(ended, keys, report_days, period)
    due, validated, expired = every.sums([column(every.rows, name) for name in COUNTS])
    counts = {"due": due, "validated": validated, "expired": expired}
    counts = {name: values.astype(np.int64) for name, values in counts.items()}
    lead = [*keys, *labels, "n", "n_eff", "due", "expired", "coverage"]
    return (
        pl.DataFrame({**every.labels(), **counts})
        .filter(pl.col("validated") + pl.col("expired") > 0)
        .join(table(columns, [*keys, "period_end"]), on=[*keys, *labels], how="left")
        .with_columns(
            pl.col("n").fill_null(0),
            pl.col("n_eff").fill_null(0.0),
            coverage=pl.when(pl.col("due") > 0).then(pl.col("validated") / pl.col("due")),
        )
        .select(*lead, pl.exclude(*lead, "validated"))
        .sort([*keys, "period_end"])
    )


def calibration_summary(
    outcomes: pl.DataFrame, sums: pl.DataFrame, report_days: Days, period: str
) -> pl.DataFrame:
    """`event_rates`, and what sums cannot say: equal-mass errors, CORP parts, consistency tests.

    outcomes: CELL, due_day, symbol, trading_day and MEASURED; sums: of the same outcomes.
    Raises ValueError for an unknown period or a validated row without outcome or probability.
    """
    rows = scored(outcomes).select(*CELL, "due_day", *IDENTITY, *MEASURED)
    view = windows(rows, CELL, report_days, period)
    columns = {**view.labels(), **_calibration(view, _residual_sizes(view))}
    labels = ["period", "period_start", "period_end"]
    measured = table(columns, [*CELL, "period_end"])
    rates = event_rates(sums, report_days, period)
    return rates.join(measured, on=[*CELL, *labels], how="left").with_columns(
        pl.col("calibration_quality").fill_null("insufficient_data")
    )


def _scored_windows(sums: pl.DataFrame, keys: list[str], report_days: Days, period: str) -> Windows:
    """Windows of the due days on which any event was scored."""
    names = [*EVENT_SUMS, *_BUCKETS, *_SCORES]
    rows = merged(sums, keys, names).filter(pl.col("scored") > 0)
    return windows(rows, keys, report_days, period)


def _effective_sizes(view: Windows, name: str, squares: str | None = None) -> Floats:
    """Effective sizes (R,) of the mean of a column of sums; squares: of the values, if not 0 and 1."""
    sums, counts, total = (column(view.rows, c) for c in (name, "scored", squares or name))
    return view.effective_sizes(sums, counts, total)


def _residual_sizes(view: Windows) -> Floats:
    """Effective sizes (R,) of y - p: a calibrated p takes with it what makes the days of y differ."""
    residual = column(view.rows, "occurred") - column(view.rows, "confidence")
    squares = view.per_date(np.square(residual))
    return view.effective_sizes(view.per_date(residual), view.per_date(), squares)


def _bucket_sums(view: Windows) -> Floats:
    """Rows, hits and summed confidence as (3, BUCKETS, R)."""
    sums = view.sums([column(view.rows, name) for name in _BUCKETS])
    return sums.reshape(3, BUCKETS, -1)


def _rates(view: Windows) -> dict[str, pl.Series | Floats | Ints]:
    """Rates with their intervals, and ECE, per window."""
    count, hits, confidence = _bucket_sums(view)
    n, k, promised = (add_rows(totals) for totals in (count, hits, confidence))
    filled = np.maximum(count, 1)
    errors = np.abs(confidence / filled - hits / filled)
    n_eff = _effective_sizes(view, "hits")
    low, high = wilson(k / n, n_eff)
    (right,) = view.sums([column(view.rows, "correct_calls")])
    right_low, right_high = wilson(right / n, _effective_sizes(view, "correct_calls"))
    return {
        "n": n.astype(np.int64),
        "n_eff": n_eff,
        "event_rate": k / n,
        "event_low": low,
        "event_high": high,
        "accuracy_rate": right / n,
        "accuracy_low": right_low,
        "accuracy_high": right_high,
        "mean_confidence": promised / n,
        "ece": add_rows(count * errors) / n,
        "residual_n_eff": _effective_sizes(view, "residual", "squared_residual"),
    }


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
    ) as pool:  # drawing is machine code: it leaves the interpreter alone
        found[enough] = list(pool.map(test, enough.tolist()))
    return found


def _scores(view: Windows) -> dict[str, pl.Series | Floats | Ints]:
    """Mean scores, and skills over the rows that have both scores, per window."""
    names = ["scored", "squared_residual", *_SCORES]
    total = dict(zip(names, view.sums([column(view.rows, c) for c in names]), strict=True))

    def mean(loss: str, n: str) -> Floats:
        return total[loss] / np.where(total[n] > 0, total[n], np.nan)

    def beside(pair: str) -> tuple[Floats, Floats]:
        return mean(f"{pair}_loss", f"{pair}_n"), mean(f"{pair}_loss_baseline", f"{pair}_n")

    (own, no_change), (own_rows, climatology), (own_crps, crps) = (
        beside(pair) for pair in ("brier_no_change", "brier_climatology", "crps_no_change")
    )
    return {
        "brier": mean("squared_residual", "scored"),
        "brier_no_change": no_change,
        "brier_climatology": climatology,
        "skill_vs_no_change": scoring_rules.skill(own, no_change),
        "skill_vs_climatology": scoring_rules.skill(own_rows, climatology),
        "crps": mean("crps_loss", "crps_n"),
        "crps_no_change": crps,
        "crps_skill": scoring_rules.skill(own_crps, crps),
    }
