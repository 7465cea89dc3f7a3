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

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

PRIOR = 10.0  # predictions taken as calibrated that a bucket's rate is shrunk by
CALIBRATED_ON = np.timedelta64(365, "D")
CELL = ["model_id", "kind", "horizon"]
BUCKET = [*CELL, "bucket"]


def expected_scores(known: pl.DataFrame, open_: pl.DataFrame, report_days: Days) -> pl.DataFrame:
    """Expected Brier score and ECE of what is open on each report day: rows of drift_metrics.

    known: BUCKET, due_day, n, confidence, occurred, score: sums of validated outcomes. open_:
    BUCKET, trading_day, due_day, n, confidence, squared: sums of predictions and their squares.
    Open on D is what was said by D and falls due after it, whether or not it is decided already: a
    hit that came early says nothing about those that are still to come.
    """
    frames = [frame for day in report_days if len(frame := _on(known, open_, day)) > 0]
    return pl.concat(frames) if frames else pl.DataFrame()


def _on(known: pl.DataFrame, open_: pl.DataFrame, day: np.datetime64) -> pl.DataFrame:
    """Both estimates of every cell with something open, as of one day."""
    at = pl.lit(day.item())
    pending = open_.filter(pl.col("trading_day") <= at, pl.col("due_day") > at)
    past = known.filter(
        pl.col("due_day").is_between(pl.lit((day - CALIBRATED_ON).item()), at, "right")
    )
    said = pending.group_by(BUCKET).agg(
        pl.col("n", "confidence", "squared").sum(), pl.col("trading_day").min()
    )
    came = past.group_by(BUCKET).agg(
        pl.col("n", "confidence", "occurred", "score").sum().name.suffix("_known"),
        first=pl.col("due_day").min(),
        last=pl.col("due_day").max(),
    )
    mean = pl.col("confidence") / pl.col("n")
    n_known, hits = (pl.col(f"{c}_known").fill_null(0) for c in ("n", "occurred"))
    rate = (hits + PRIOR * mean) / (n_known + PRIOR)
    said = said.join(came.select(*BUCKET, "n_known", "occurred_known"), on=BUCKET, how="left")
    said = said.with_columns(rate=rate).sort(BUCKET)
    brier = (
        pl.col("squared") - 2 * pl.col("rate") * pl.col("confidence") + pl.col("rate") * pl.col("n")
    )
    gap = (pl.col("confidence") - pl.col("rate") * pl.col("n")).abs()
    estimates = said.group_by(CELL, maintain_order=True).agg(
        expected_brier=brier.sum() / pl.col("n").sum(),
        expected_ece=gap.sum() / pl.col("n").sum(),
        n_current=pl.col("n").sum(),
        current_start=pl.col("trading_day").min(),
    )
    missed = (pl.col("confidence_known") - pl.col("occurred_known")).abs().sum()
    shown = (
        came.sort(BUCKET)
        .group_by(CELL, maintain_order=True)
        .agg(
            brier=pl.col("score_known").sum() / pl.col("n_known").sum(),
            ece=missed / pl.col("n_known").sum(),
            n_reference=pl.col("n_known").sum(),
            reference_start=pl.col("first").min(),
            reference_end=pl.col("last").max(),
        )
    )
    both = estimates.join(shown, on=CELL, maintain_order="left")
    parts = [
        both.select(
            pl.lit(f"expected_{score}").alias("statistic"),
            pl.col(f"expected_{score}").alias("value"),
            pl.col(score).alias("reference_value"),
            *CELL, "n_current", "n_reference", "current_start", "reference_start", "reference_end",
        )
        for score in ("brier", "ece")
    ]  # fmt: skip
    return pl.concat(parts).with_columns(
        as_of_day=at,
        current_end=at,
        subject=pl.lit("performance"),
        name=pl.lit("brier"),
        drifted=pl.lit(value=False),
        is_estimate=pl.lit(value=True),
    )
