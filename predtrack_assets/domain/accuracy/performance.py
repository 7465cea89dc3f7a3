"""How good a model is beside each baseline: proper scores, skill, intervals and tests per window.

A row of the result is one model, kind, horizon, window, score and baseline. Losses are added up per
due day first, so a window costs as many numbers as it has dates.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.accuracy.report_windows import Windows, column, table, windows
from predtrack_assets.domain.numerics.types import Days, Floats
from predtrack_assets.domain.statistics.diebold_mariano import diebold_mariano_of, mean_interval
from predtrack_assets.domain.statistics.scoring_rules import log_score_of_brier, skill

CELL = ["model_id", "kind", "horizon"]
SERIES = [*CELL, "score", "baseline"]
DRIFT = "drift"  # its rows are in the ledger; what they score is no column of other models' rows

# Score, baseline: the columns of a model's loss and of the baseline's on the same row.
COMPARISONS = {
    ("brier", "no_change"): ("brier", "brier_no_change"),
    ("brier", "climatology"): ("brier", "brier_climatology"),
    ("brier", DRIFT): ("brier", "brier_drift"),
    ("log_score", "no_change"): ("log_score", "log_score_no_change"),
    ("log_score", "climatology"): ("log_score", "log_score_climatology"),
    ("log_score", DRIFT): ("log_score", "log_score_drift"),
    ("crps", "no_change"): ("crps", "crps_no_change"),
    ("crps", DRIFT): ("crps", "crps_drift"),
    ("qlike", "no_change"): ("qlike", "qlike_no_change"),
}
LOSSES = ["score", "score_no_change", "score_climatology"]
LOSSES += ["crps", "crps_no_change", "qlike", "qlike_no_change"]
_IDENTITY = ["kind", "horizon", "symbol", "trading_day"]
_SUMS = ["n", "loss", "loss_baseline", "difference", "squares"]


def performance_analytics(outcomes: pl.DataFrame, report_days: Days, period: str) -> pl.DataFrame:
    """One row per model, kind, horizon, window, score and baseline that have both losses.

    outcomes: the columns model_id, kind, horizon, symbol, trading_day, due_day, status, score,
    score_no_change, score_climatology, crps, crps_no_change, qlike, qlike_no_change; report_days:
    sorted datetime64[D], the windows' last days; period: a name in windows.PERIODS.
    mean_difference is baseline minus model: positive where the model is better. `drift` is compared
    where both speak about the same thing: the price's distribution and the direction. Raises
    ValueError for an unknown period.
    """
    return performance_of(losses_per_date(outcomes), report_days, period)


def performance_of(losses: pl.DataFrame, report_days: Days, period: str) -> pl.DataFrame:
    """`performance_analytics` of what `losses_per_date` found, which serves every period."""
    view = windows(losses, SERIES, report_days, period)
    per_date = [column(view.rows, name) for name in _SUMS]
    n, loss, baseline, difference, squares = view.sums(per_date)
    n_eff = view.effective_sizes(per_date[3], per_date[0], per_date[4])
    mean = difference / n
    deviation = np.sqrt(np.maximum(squares / n - np.square(mean), 0.0))
    dates = np.diff(view.dates, axis=0)[0]
    horizons = view.cells["horizon"].to_numpy().astype(np.int64)[view.cell]
    low, high = mean_interval(mean, deviation, n_eff, dates / horizons)
    statistic, p_value = _tests(view, per_date[3] / per_date[0], dates, horizons)
    columns = {
        **view.labels(),
        "n": n.astype(np.int64),
        "n_eff": n_eff,
        "dates": dates,
        "mean_score": loss / n,
        "mean_score_baseline": baseline / n,
        "skill": skill(loss / n, baseline / n),
        "mean_difference": mean,
        "difference_low": low,
        "difference_high": high,
        "dm_statistic": statistic,
        "dm_p_value": p_value,
    }
    return table(columns, [*SERIES, "period_end"])


def losses_per_date(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Per SERIES and due day of outcomes as `performance_analytics` takes them: n, and the sums of
    loss, loss_baseline, difference and its squares."""
    losses = _losses(outcomes)
    last = losses["due_day"].max()
    days = np.array([] if last is None else [last], "datetime64[D]")
    view = windows(losses, CELL, days, "to_date")
    first = np.flatnonzero(np.diff(view.date, prepend=-1))
    keys = view.rows[first].select(*CELL, "due_day").cast({pl.Enum: pl.String})
    values = {name: column(view.rows, name) for pair in COMPARISONS.values() for name in pair}
    frames = []
    for (score, baseline), (own, other) in COMPARISONS.items():
        both = ~np.isnan(values[own] + values[other])
        a, b = (np.where(both, values[name], 0.0) for name in (own, other))
        parts = zip(_SUMS, (both * 1.0, a, b, b - a, np.square(b - a)), strict=True)
        frames.append(
            keys.with_columns(
                pl.lit(score).alias("score"),
                pl.lit(baseline).alias("baseline"),
                *(pl.Series(name, view.per_date(part)) for name, part in parts),
            ).filter(pl.col("n") > 0)
        )
    return pl.concat(frames)


def _tests(
    view: Windows, differences: Floats, dates: NDArray[np.int64], horizons: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Diebold-Mariano statistics and p-values (R,) of the mean differences (G,) per date."""
    statistic, p_value = np.full(len(view), np.nan), np.full(len(view), np.nan)
    for part in view.chunks(8 * int(dates.max(initial=1))):
        series, _ = view.padded(differences, part, 0.0)
        found = diebold_mariano_of(np.ascontiguousarray(series.T), dates[part], horizons[part])
        statistic[part], p_value[part] = found
    return statistic, p_value


def _losses(outcomes: pl.DataFrame) -> pl.DataFrame:
    """The validated rows with every loss of the model and of the baselines, null where there is none."""
    rows = outcomes.filter(pl.col("status") == "validated")
    drift = rows.filter(
        (pl.col("model_id") == DRIFT) & pl.col("kind").is_in(["price", "direction"])
    ).select(
        *_IDENTITY,
        # The event of a price is about each model's own price, so only its distribution compares.
        brier_drift=pl.when(pl.col("kind") == "direction").then(pl.col("score")),
        crps_drift="crps",
    )
    brier = {"brier": "score", "brier_no_change": "score_no_change"}
    brier["brier_climatology"] = "score_climatology"
    rows = rows.select(
        *["model_id", *_IDENTITY, "due_day"],
        *LOSSES[3:],
        **{new: pl.col(old) for new, old in brier.items()},
    ).join(drift, on=_IDENTITY, how="left", maintain_order="left")
    logs = [
        pl.Series(name.replace("brier", "log_score"), log_score_of_brier(column(rows, name)))
        for name in (*brier, "brier_drift")
    ]
    return rows.with_columns(s.fill_nan(None) for s in logs)
