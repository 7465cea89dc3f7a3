"""How good are the predictions whose outcomes are not known yet? An estimate, never a score.

Confidence-based estimation: outcomes known by the report day say how often events came true per
bucket of confidence; were that still so, a prediction p from a bucket of rate c would have the
expected Brier score p^2 - 2 p c + c. What the estimate cannot see is that rates change.
Source: Guillory et al. 2021; NannyML calls it CBPE.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Days = NDArray[np.datetime64]

PRIOR = 10.0  # predictions taken as calibrated that a bucket's rate is shrunk by
UNIT = 1e-9  # of probabilities that are kept as whole numbers
YEAR = np.timedelta64(365, "D")
CELL = ["model_id", "kind", "horizon"]
BUCKET = [*CELL, "bucket"]


def expected_scores(known: pl.DataFrame, said: pl.DataFrame, report_days: Days) -> pl.DataFrame:
    """Expected Brier score and ECE of what is open on each report day: rows of drift_metrics.

    known: BUCKET, due_day, n, confidence, occurred, score: sums of validated outcomes. said:
    BUCKET, trading_day, due_day, n, confidence, squared: sums of predictions and their squares.
    Probabilities, their squares and scores are whole numbers of UNIT, so that sums are exact.
    Open on D is what was said by D and falls due after it, whether or not it is decided already: a
    hit that came early says nothing about those that are still to come.
    """
    known, said = known.sort("due_day"), said.sort("trading_day")
    frames = [_on(_between(known, "due_day", day), _open(said, day), day) for day in report_days]
    frames = [frame for frame in frames if len(frame)]
    return pl.concat(frames) if frames else pl.DataFrame()


def _between(rows: pl.DataFrame, column: str, day: np.datetime64) -> pl.DataFrame:
    """The sorted rows of the year up to a day."""
    days = rows[column].to_numpy().astype("datetime64[D]")
    start, stop = np.searchsorted(days, [day - YEAR, day], side="right")
    return rows[int(start) : int(stop)]


def _open(said: pl.DataFrame, day: np.datetime64) -> pl.DataFrame:
    return _between(said, "trading_day", day).filter(pl.col("due_day") > pl.lit(day.item()))


def _on(past: pl.DataFrame, pending: pl.DataFrame, day: np.datetime64) -> pl.DataFrame:
    """Both estimates of every cell with something open and something known, as of one day."""
    came = _sums(past, "n", "confidence", "occurred", "score", day="due_day").sort(BUCKET)
    shown = came.group_by(CELL, maintain_order=True).agg(
        brier=pl.col("score").sum() * UNIT / pl.col("n").sum(),
        ece=_gap(pl.col("occurred")),
        n_reference=pl.col("n").sum(),
        reference_start=pl.col("first").min(),
        reference_end=pl.col("last").max(),
    )
    rates = came.select(*BUCKET, "occurred", n_known="n")
    mean = pl.col("confidence") * UNIT / pl.col("n")
    hits, size = (pl.col(c).fill_null(0) for c in ("occurred", "n_known"))
    said = _sums(pending, "n", "confidence", "squared", day="trading_day")
    said = said.join(rates, on=BUCKET, how="left").sort(BUCKET)
    said = said.with_columns(rate=(hits + PRIOR * mean) / (size + PRIOR))
    rate, n = pl.col("rate"), pl.col("n")
    brier = (pl.col("squared") - 2 * rate * pl.col("confidence")) * UNIT + rate * n
    estimates = said.group_by(CELL, maintain_order=True).agg(
        expected_brier=brier.sum().clip(0, None) / n.sum(),
        expected_ece=_gap(rate * n),
        n_current=n.sum(),
        current_start=pl.col("first").min(),
    )
    both = estimates.join(shown, on=CELL, maintain_order="left")
    parts = [
        both.select(
            pl.lit(f"expected_{score}").alias("statistic"),
            pl.col(f"expected_{score}").alias("value"),
            pl.col(score).alias("reference_value"),
            *[*CELL, "n_current", "n_reference"],
            *["current_start", "reference_start", "reference_end"],
        )
        for score in ("brier", "ece")
    ]
    return pl.concat(parts).with_columns(
        pl.lit(day.item()).alias("as_of_day"),
        pl.lit(day.item()).alias("current_end"),
        pl.lit("performance").alias("subject"),
        pl.lit("brier").alias("name"),
        pl.lit(value=False).alias("drifted"),
        pl.lit(value=True).alias("is_estimate"),
    )


def _sums(rows: pl.DataFrame, *columns: str, day: str) -> pl.DataFrame:
    """Sums per bucket, of whole numbers and so exact, with the first and last day."""
    days = {"first": pl.col(day).min(), "last": pl.col(day).max()}
    return rows.group_by(BUCKET).agg(pl.col(columns).sum(), **days)


def _gap(came: pl.Expr) -> pl.Expr:
    """Expected calibration error: what was promised per bucket against what came of it."""
    return (pl.col("confidence") * UNIT - came).abs().sum() / pl.col("n").sum()
