"""Does accuracy depend on the market's regime? Each regime against all others, clustered by date.

The regime is that of the decision day, as it was known then. Rows of one date share the market, so
a date is one observation; outcomes of h > 1 sessions overlap, so 2h successive dates are one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.day_sums import merged
from predtrack_assets.domain.accuracy.report_windows import (
    CELL,
    Windows,
    column,
    table,
    windows,
)
from predtrack_assets.domain.numerics.types import Days, Floats, Ints
from predtrack_assets.domain.statistics.effective_size import wilson

REGIMES = ("bull", "bear", "sideways", "volatile")
MIN_CLUSTERS = 10  # of the regime and of the others; below, nothing is tested
SIGNIFICANT = 0.05


def accuracy_correlation(sums: pl.DataFrame, report_days: Days, period: str) -> pl.DataFrame:
    """One row per model, kind, event, horizon, window and regime that has validated outcomes.

    sums: as `day_sums` gives them; report_days: sorted datetime64[D], the windows' last days;
    period: a name in report_windows.PERIODS. The difference of two rates is the slope of a
    regression on the regime's indicator, its standard error clustered (Liang & Zeger 1986, with the
    usual G/(G-1) (N-1)/(N-2), and `overlap_factor`), t with the fewer clusters of both sides less
    one degrees of freedom. The point-biserial correlation is that slope rescaled, so its p-value is
    the same. n_eff is that of all reports, the regime's dates taken as they follow each other.
    Raises ValueError for an unknown period.
    """
    counts = (
        merged(sums, [*CELL, "market_regime"], ["scored", "correct_calls"])
        .filter(pl.col("market_regime").is_in(REGIMES), pl.col("scored") > 0)
        .rename({"scored": "n", "correct_calls": "hits"})
        .cast({"n": pl.Float64, "hits": pl.Float64})
    )
    view = windows(counts, [*CELL, "market_regime"], report_days, period)
    per_date = [column(view.rows, name) for name in ("n", "hits")]
    n, hits = view.sums(per_date)
    n_eff = view.effective_sizes(per_date[1], per_date[0], per_date[1])
    low, high = wilson(hits / n, n_eff)
    rates = {
        **view.labels(),
        "sample_size": n.astype(np.int64),
        "dates": np.diff(view.dates, axis=0)[0],
        "n_eff": n_eff,
        "accuracy_rate": hits / n,
        "accuracy_low": low,
        "accuracy_high": high,
    }
    keys = [*CELL, "market_regime"]
    on = [*keys, "period_end"]
    contrasts = _contrasts(counts, report_days, period)
    return table(rates, on).join(contrasts, on=on, how="left", maintain_order="left")


def overlap_factor(horizon: int) -> float:
    """Variance of a mean over dates / what clusters of 2 x horizon dates see of it.

    Outcomes that are sums over sessions have the autocorrelation 1 - k/horizon; where a cluster
    ends, it is cut off: a sixth of the variance for long horizons, nothing for one session.
    """
    if horizon == 1:
        return 1.0
    lags = range(1, horizon)
    seen = 1 + 2 * sum((1 - k / horizon) * (1 - k / (2 * horizon)) for k in lags)
    return horizon / seen


def _contrasts(counts: pl.DataFrame, report_days: Days, period: str) -> pl.DataFrame:
    """Each regime against the others, for every cell, window and regime, with rows in it or not."""
    from scipy.special import stdtr

    sums = [
        pl.col(what).filter(pl.col("market_regime") == regime).sum().alias(f"{what}_{regime}")
        for what in ("n", "hits")
        for regime in REGIMES
    ]
    view = windows(counts.group_by(*CELL, "due_day").agg(sums), CELL, report_days, period)
    per_date = np.array(
        [column(view.rows, name) for name in view.rows.columns[-2 * len(REGIMES) :]]
    )
    n, hits = view.sums(list(per_date)).reshape(2, len(REGIMES), len(view))
    others, other_hits = n.sum(axis=0) - n, hits.sum(axis=0) - hits
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, baseline = hits / n, other_hits / others
        share, pooled = n / (n + others), (hits + other_hits) / (n + others)
        slope = rate - baseline
        correlation = slope * np.sqrt(share * (1 - share) / (pooled * (1 - pooled)))
        found = _clustered(view, per_date, (n, rate), (others, baseline))
        fewer = np.minimum(found.inside, found.outside)
        tested = (fewer >= MIN_CLUSTERS) & (found.variance > 0)
        error = np.where(tested, np.sqrt(found.variance), np.nan)
        statistic = slope / error
    degrees = np.where(tested, fewer - 1, np.nan)
    p_value = 2 * stdtr(degrees, -np.abs(statistic))
    verdict = np.where(slope > 0, "better", "worse")
    verdict = np.where(p_value < SIGNIFICANT, verdict, "indistinguishable")
    regime = np.repeat(REGIMES, len(view))
    labels = view.labels()
    frames = {
        **{name: pl.concat([labels[name]] * len(REGIMES)) for name in (*CELL, "period_end")},
        "market_regime": pl.Series(regime, dtype=pl.String),
        "baseline_sample_size": others.ravel().astype(np.int64),
        "baseline_dates": found.other_dates.ravel(),
        "baseline_accuracy": baseline.ravel(),
        "outperformance": slope.ravel(),
        "correlation_coefficient": np.clip(correlation, -1, 1).ravel(),
        "standard_error": error.ravel(),
        "t_statistic": statistic.ravel(),
        "degrees_of_freedom": pl.Series(degrees.ravel(), nan_to_null=True).cast(pl.Int64),
        "p_value": p_value.ravel(),
        "conclusion": np.where(tested, verdict, "insufficient_data").ravel(),
    }
    return pl.DataFrame(frames).with_columns(pl.selectors.float().fill_nan(None))


class _Clustered(NamedTuple):
    """Variance of the slope; clusters with rows in the regime and with others; dates with others.

    All (regimes, R).
    """

    variance: Floats
    inside: Ints
    outside: Ints
    other_dates: Ints


def _clustered(
    view: Windows, per_date: Floats, regime: tuple[Floats, Floats], others: tuple[Floats, Floats]
) -> _Clustered:
    """Sandwich variance of the difference of two rates.

    per_date (2 regimes, G): rows, then hits, per regime and date; regime, others: rows and rate of
    either side, each (regimes, R). Cluster after cluster, date after date: the same bits always.
    """
    size = (len(REGIMES), len(view))
    variance, score = np.zeros(size), np.zeros(size)
    within, beyond = np.zeros(size, bool), np.zeros(size, bool)
    inside, outside, other_dates = (np.zeros(size, np.int64) for _ in range(3))
    horizons = view.cells["horizon"].to_numpy().astype(np.int64)[view.cell]
    length = np.where(horizons > 1, 2 * horizons, 1)
    first, stop = view.dates
    for lag in range((stop - first).max(initial=0)):
        there = first + lag < stop
        rows, hits = np.where(there, per_date[:, np.where(there, first + lag, 0)], 0.0).reshape(
            2, *size
        )
        other_rows, other_hits = rows.sum(axis=0) - rows, hits.sum(axis=0) - hits
        begins = lag % length == 0
        variance += np.where(begins, np.square(score), 0.0)
        inside += begins & within
        outside += begins & beyond
        step = (hits - regime[1] * rows) / regime[0]
        step -= (other_hits - others[1] * other_rows) / others[0]
        score = np.where(begins, 0.0, score) + np.where(there, step, 0.0)
        within = (within & ~begins) | (rows > 0)
        beyond = (beyond & ~begins) | (other_rows > 0)
        other_dates += other_rows > 0
    variance += np.square(score)
    clusters = -(-(stop - first) // length)
    n = regime[0] + others[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        variance *= clusters / (clusters - 1) * (n - 1) / (n - 2)
    different, which = np.unique(horizons, return_inverse=True)
    variance *= np.array([overlap_factor(int(h)) for h in different])[which]
    return _Clustered(variance, inside + within, outside + beyond, other_dates)
