"""Sums of the outcomes of a due day per cell: what the report of any period is computed from.

A row is one due day, model, kind, event, horizon, market regime of the decision day and origin. Sums are
of the validated rows; a column is null where it has nothing to add up. Rows are added in the order
of their keys, so a day's sums are the same bits whichever days are summed with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.report_windows import (
    CELL,
    IDENTITY,
    Windows,
    column,
    scored,
    windows,
)
from predtrack_assets.domain.forecasts.hits import correct_call
from predtrack_assets.domain.numerics.row_order import places, runs
from predtrack_assets.domain.numerics.types import Days, Floats, Ints
from predtrack_assets.domain.statistics.calibration import BUCKETS, _bucket
from predtrack_assets.domain.statistics.scoring_rules import log_score_of_brier

SLICE = ["market_regime", "origin"]
KEYS = [*CELL, *SLICE]
UNKNOWN_REGIME = "unknown"  # of decision days without a market condition
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
BRIER = ["brier", "brier_no_change", "brier_climatology"]
LOSSES = [*BRIER, "crps", "crps_no_change", "qlike", "qlike_no_change"]
OUTCOME_COLUMNS = ["status", "confidence", "occurred", "relative_error", *LOSSES]
"""What `day_sums` takes of outcomes beside their keys."""

ERROR_EDGES = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
"""Inner limits of the histogram of absolute relative errors; the same on either side of 0."""
BIN_EDGES = np.array([*(-e for e in reversed(ERROR_EDGES)), 0.0, *ERROR_EDGES])
ERROR_BINS = len(BIN_EDGES) + 1

COUNTS = ["due", "validated", "expired"]
EVENT_SUMS = ["scored", "hits", "correct_calls", "confidence", "residual", "squared_residual"]
BUCKET_SUMS = [f"bucket_{b}_{name}" for b in range(BUCKETS) for name in ("n", "hits", "confidence")]
LOSS_SUMS = [
    f"{score}_{baseline}_{name}"
    for score, baseline in COMPARISONS
    for name in ("n", "loss", "loss_baseline", "squares")
]
MEAN_SUMS = ["crps_n", "crps_loss"]
ERROR_SUMS = ["errors", "error", "error_squares", "error_cubes"]
ERROR_SUMS += [f"error_bin_{b}" for b in range(ERROR_BINS)]
SUMS = [*COUNTS, *EVENT_SUMS, *BUCKET_SUMS, *LOSS_SUMS, *MEAN_SUMS, *ERROR_SUMS]
WHOLE = {*COUNTS, "scored", "hits", "correct_calls", "errors"} | {
    name for name in SUMS if name.endswith(("_n", "_hits")) or name.startswith("error_bin_")
}
"""Those of SUMS that are counts."""

_PREDICTION = ["kind", "horizon", "symbol", "trading_day"]
SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("model_id", "kind", "event"), pl.String),
    "horizon": pl.Int64,
    **dict.fromkeys(SLICE, pl.String),
    "due_day": pl.Date,
    **{name: pl.Int64 if name in WHOLE else pl.Float64 for name in SUMS},
}


def day_sums(outcomes: pl.DataFrame, due: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row per KEYS and due day in which anything fell due or ended: SCHEMA, sorted by its keys.

    outcomes: KEYS, due_day, symbol, trading_day and OUTCOME_COLUMNS, one row a prediction, as they
    are known; the rows of model `drift` are the baseline of that name. due: KEYS, due_day and n,
    numbers of predictions that fell due; `due` is null without it. Raises ValueError for a
    validated row of an event without outcome or probability.
    """
    rows = with_baselines(outcomes)
    view = windows(rows, KEYS, _last_day(rows), "to_date")
    first = np.flatnonzero(np.diff(view.date, prepend=-1))
    keys = view.rows[first].select(*KEYS, "due_day").cast({pl.Enum: pl.String})
    sums = {
        **_counts(view),
        **_events(view),
        **_losses(view),
        **_errors(view),
    }
    frame = keys.with_columns(
        pl.Series(name, sums[name], nan_to_null=True) for name in SUMS if name in sums
    )
    frame = frame.with_columns(pl.lit(None, pl.Int64).alias("due")).select(
        pl.col(name).cast(kind) for name, kind in SCHEMA.items()
    )
    if due is None:
        return frame.sort(*KEYS, "due_day", nulls_last=True)
    on = [*KEYS, "due_day"]
    typed = due.with_columns(pl.col(name).cast(SCHEMA[name]) for name in on)
    fallen = typed.group_by(on).agg(due=pl.col("n").cast(pl.Int64).sum())
    both = fallen.join(frame.drop("due"), on=on, how="full", coalesce=True, nulls_equal=True)
    both = both.with_columns(pl.col("due", "validated", "expired").fill_null(0))
    return both.select(*SCHEMA).sort(*on, nulls_last=True)


def merged(sums: pl.DataFrame, keys: list[str], names: Sequence[str] = SUMS) -> pl.DataFrame:
    """One row per keys and due day, without the slices: keys, due_day and the named sums, no nulls.

    sums: as `day_sums` gives them; keys: some of KEYS. Sorted by keys and due day.
    """
    order = [*keys, "due_day", *(key for key in KEYS if key not in keys)]
    rows = sums.sort(order, nulls_last=True).with_columns(pl.col(names).fill_null(0))
    date, first = runs(places(rows, [*keys, "due_day"]))
    if first.size == len(rows):
        return rows.select(*keys, "due_day", *names)
    return rows[first].select(
        *keys,
        "due_day",
        *(
            pl.Series(name, np.bincount(date, rows[name].to_numpy())).cast(SCHEMA[name])
            for name in names
        ),
    )


def with_baselines(outcomes: pl.DataFrame) -> pl.DataFrame:
    """The rows with every loss of the model and of the baselines, null where there is none."""
    scored(outcomes)
    valid = pl.when(pl.col("status") == "validated")
    # The event of a price is about each model's own price, so only its distribution compares.
    drift = outcomes.filter(
        pl.col("model_id") == DRIFT,
        pl.col("kind").is_in(["price", "direction"]),
        pl.col("status") == "validated",
    ).select(
        *_PREDICTION,
        brier_drift=pl.when(pl.col("kind") == "direction").then(pl.col("brier")),
        crps_drift="crps",
    )
    rows = outcomes.select(
        *KEYS,
        "due_day",
        *IDENTITY,
        "status",
        *(valid.then(pl.col(c)).alias(c) for c in ("confidence", "occurred", "relative_error")),
        *(valid.then(pl.col(c)).alias(c) for c in LOSSES),
    ).join(drift, on=_PREDICTION, how="left", maintain_order="left")
    rows = rows.with_columns(valid.then(pl.col("brier_drift", "crps_drift")))
    logs = [
        pl.Series(name.replace("brier", "log_score"), log_score_of_brier(column(rows, name)))
        for name in (*BRIER, "brier_drift")
    ]
    return rows.with_columns(s.fill_nan(None) for s in logs)


def _last_day(rows: pl.DataFrame) -> Days:
    last = rows["due_day"].max()
    return np.array([] if last is None else [last], "datetime64[D]")


def _counts(view: Windows) -> dict[str, Floats]:
    status = view.rows["status"].cast(pl.String)
    return {
        name: view.per_date((status == name).to_numpy() * 1.0) for name in ("validated", "expired")
    }


def _events(view: Windows) -> dict[str, Floats]:
    """Rates, residuals and buckets of what has an event."""
    y, p = column(view.rows, "occurred"), column(view.rows, "confidence")
    known = ~np.isnan(y)
    correct = column(view.rows.select(correct=correct_call()), "correct")
    y, p = (np.where(known, values, 0.0) for values in (y, p))
    residual = np.where(known, y - p, 0.0)
    n = view.per_date(known * 1.0)
    correct = np.where(known, correct, 0.0)
    columns = (y, correct, p, residual, np.square(residual))
    sums = {"scored": n}
    sums |= {
        name: view.per_date(values) for name, values in zip(EVENT_SUMS[1:], columns, strict=True)
    }
    bucket = _bucket(p, BUCKETS)
    parts = [view.per_date(values, bucket, BUCKETS) for values in (known * 1.0, y, p)]
    for b in range(BUCKETS):
        of_bucket = zip(("n", "hits", "confidence"), parts, strict=True)
        sums |= {f"bucket_{b}_{name}": _where(parts[0][b], part[b]) for name, part in of_bucket}
    return {
        name: _where(n, values) if name in EVENT_SUMS else values for name, values in sums.items()
    }


def _losses(view: Windows) -> dict[str, Floats]:
    """Of each score beside each baseline: rows with both, losses, squared differences."""
    sums: dict[str, Floats] = {}
    for (score, baseline), (own, other) in COMPARISONS.items():
        a, b = column(view.rows, own), column(view.rows, other)
        both = ~np.isnan(a + b)
        a, b = np.where(both, a, 0.0), np.where(both, b, 0.0)
        n = view.per_date(both * 1.0)
        parts = {"n": n, "loss": view.per_date(a), "loss_baseline": view.per_date(b)}
        parts["squares"] = view.per_date(np.square(b - a))
        sums |= {f"{score}_{baseline}_{name}": _where(n, part) for name, part in parts.items()}
    crps = column(view.rows, "crps")
    n = view.per_date(~np.isnan(crps) * 1.0)
    return sums | {
        "crps_n": _where(n, n),
        "crps_loss": _where(n, view.per_date(np.nan_to_num(crps, nan=0.0))),
    }


def _errors(view: Windows) -> dict[str, Floats]:
    """Power sums and histogram of the signed relative errors."""
    error = column(view.rows, "relative_error")
    known = np.isfinite(error)
    error = np.where(known, error, 0.0)
    n = view.per_date(known * 1.0)
    powers = (known * 1.0, error, np.square(error), error**2 * error)
    names = ("errors", "error", "error_squares", "error_cubes")
    sums = {name: _where(n, view.per_date(v)) for name, v in zip(names, powers, strict=True)}
    bins: Ints = np.searchsorted(BIN_EDGES, error, side="right")
    counts = view.per_date(known * 1.0, bins, ERROR_BINS)
    return sums | {f"error_bin_{b}": _where(counts[b], counts[b]) for b in range(ERROR_BINS)}


def _where(n: Floats, values: Floats) -> Floats:
    """The sums that anything was added to, NaN elsewhere."""
    return np.where(n > 0, values, np.nan)
