"""How good are the predictions whose outcomes are not known yet? An estimate, never a score.

Confidence-based estimation: outcomes known by the report day tell how often events occurred per
bucket of confidence; were that still so, a prediction p from a bucket of rate c would have the
expected Brier score p^2 - 2 p c + c. What the estimate cannot see is that rates change.
Source: Guillory et al. 2021; NannyML calls it CBPE.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.day_sums import BUCKET_SUMS, EVENT_SUMS, merged
from predtrack_assets.domain.numerics.types import Days, Ints
from predtrack_assets.domain.statistics.calibration import BUCKETS

PRIOR = 10.0  # predictions taken as calibrated that a bucket's rate is shrunk by
UNIT = 1e-9  # of probabilities that are kept as whole numbers
YEAR = np.timedelta64(365, "D")
CELL = ["model_id", "kind", "horizon"]


def known_results(sums: pl.DataFrame) -> pl.DataFrame:
    """What `expected_scores` takes as known, of sums per due day. The whole score stands in bucket 0."""
    rows = merged(sums, CELL, [*EVENT_SUMS, *BUCKET_SUMS]).filter(pl.col("scored") > 0)

    def whole(name: str) -> pl.Expr:
        return (pl.col(name) / UNIT).round().cast(pl.Int64)

    return pl.concat(
        rows.select(
            *CELL,
            "due_day",
            bucket=pl.lit(bucket),
            n=pl.col(f"bucket_{bucket}_n"),
            confidence=whole(f"bucket_{bucket}_confidence"),
            occurred=pl.col(f"bucket_{bucket}_hits"),
            score=whole("squared_residual") if bucket == 0 else pl.lit(0, pl.Int64),
        ).filter((pl.col("n") > 0) | (pl.col("bucket") == 0))
        for bucket in range(BUCKETS)
    )


def expected_scores(
    known: pl.DataFrame, predicted: pl.DataFrame, report_days: Days
) -> pl.DataFrame:
    """Expected Brier score and ECE of what is open on each report day: rows of drift_metrics.

    known: CELL, bucket, due_day, n, confidence, occurred, score: sums of validated outcomes; those
    of the year up to the report are used. predicted: CELL, bucket, trading_day, due_day, n, confidence,
    squared: sums of predictions and their squares, from a horizon before the first report on.
    Probabilities, squares and scores are whole numbers of UNIT, so that sums are exact. Open on D is
    what was predicted by D and falls due after it, whether or not it is decided already: a hit that came
    early says nothing about those that are still to come.
    """
    if not len(known) or not len(predicted):
        return pl.DataFrame()
    results = known.partition_by(CELL, as_dict=True)
    frames = []
    for key, part in sorted(predicted.partition_by(CELL, as_dict=True).items()):
        if key in results:
            frame = _of_cell(results[key], part, report_days)
            frames.append(
                frame.with_columns(pl.lit(v).alias(k) for k, v in zip(CELL, key, strict=True))
            )
    return pl.concat(frames) if frames else pl.DataFrame()


def _of_cell(known: pl.DataFrame, predicted: pl.DataFrame, days: Days) -> pl.DataFrame:
    """Both estimates on the report days with something open and something known."""
    come = ("n", "confidence", "occurred", "score")
    n_known, promised, came, score = _up_to(known, "due_day", come, days) - _up_to(
        known, "due_day", come, days - YEAR
    )
    made = ("n", "confidence", "squared")
    n, sums, squares = _up_to(predicted, "trading_day", made, days) - _up_to(
        predicted, "due_day", made, days
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums * UNIT / n
        rate = (came + PRIOR * mean) / (n_known + PRIOR)
    rate = np.where(n > 0, rate, 0.0)
    size, shown = n.sum(axis=1), n_known.sum(axis=1)
    brier = (squares * UNIT - 2 * rate * (sums * UNIT) + rate * n).sum(axis=1)
    columns = {
        "expected_brier": (brier.clip(0), score.sum(axis=1) * UNIT),
        "expected_ece": (
            np.abs(sums * UNIT - rate * n).sum(axis=1),
            np.abs(promised * UNIT - came).sum(axis=1),
        ),
    }
    usable = (size > 0) & (shown > 0)
    frames = [
        pl.DataFrame(
            {
                "as_of_day": days[usable],
                "value": value[usable] / size[usable],
                "reference_value": reference[usable] / shown[usable],
                "n_current": size[usable],
                "n_reference": shown[usable],
                "current_start": _earliest_open(predicted, days[usable]),
                "reference_start": days[usable] - YEAR + 1,
            }
        ).with_columns(pl.lit(statistic).alias("statistic"))
        for statistic, (value, reference) in columns.items()
    ]
    return pl.concat(frames).with_columns(
        pl.lit("performance").alias("subject"),
        pl.lit("brier").alias("name"),
        pl.lit(value=False).alias("drifted"),
        pl.lit(value=True).alias("is_estimate"),
        current_end="as_of_day",
        reference_end="as_of_day",
    )


def _up_to(rows: pl.DataFrame, column: str, sums: tuple[str, ...], days: Days) -> Ints:
    """Sums (columns, days, BUCKETS) of whole numbers over the rows up to each of the sorted days."""
    at = np.searchsorted(days, rows[column].to_numpy().astype("datetime64[D]"))
    place = at * BUCKETS + rows["bucket"].to_numpy()
    total = np.zeros((len(sums), (len(days) + 1) * BUCKETS), np.int64)
    for i, name in enumerate(sums):
        np.add.at(total[i], place, rows[name].to_numpy())
    return np.cumsum(total.reshape(len(sums), -1, BUCKETS)[:, :-1], axis=1)


def _earliest_open(predicted: pl.DataFrame, days: Days) -> Days:
    """The first decision day with something that falls due after each of the days."""
    predicted = predicted.sort("trading_day")
    due = np.maximum.accumulate(predicted["due_day"].to_numpy().astype("datetime64[D]"))
    first = np.searchsorted(due, days, side="right")
    return predicted["trading_day"].to_numpy().astype("datetime64[D]")[first]
