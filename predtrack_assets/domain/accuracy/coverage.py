"""What became of everything that fell due: no score may hide what was never validated."""

from __future__ import annotations

import polars as pl

from predtrack_assets.domain.accuracy.report_windows import totals
from predtrack_assets.domain.numerics.types import Days

KEYS = ["model_id", "kind", "horizon"]
PERIOD = ["period", "period_start", "period_end"]


def coverage(
    ended: pl.DataFrame, due: pl.DataFrame, report_days: Days, period: str
) -> pl.DataFrame:
    """One row per model, kind, horizon and window in which anything fell due.

    ended: model_id, kind, horizon, due_day, status, n, of what is validated or expired; due: the
    same without status, of everything; report_days: sorted datetime64[D], the windows' last days;
    period: a name in windows.PERIODS. due = validated + expired + pending; coverage =
    validated / due. Raises ValueError for an unknown period.
    """
    result = _sums(due, "due", report_days, period)
    for status in ("validated", "expired"):
        part = _sums(ended.filter(pl.col("status") == status), status, report_days, period)
        result = result.join(part, on=[*KEYS, *PERIOD], how="left")
    return (
        result.with_columns(pl.col("validated", "expired").fill_null(0))
        .with_columns(
            pending=pl.col("due") - pl.col("validated") - pl.col("expired"),
            coverage=pl.col("validated") / pl.col("due"),
        )
        .sort([*KEYS, "period_end"])
    )


def ended_of(outcomes: pl.DataFrame) -> pl.DataFrame:
    """What has ended, as `coverage` takes it, of outcomes: one row each, its columns but n."""
    counts = outcomes.group_by(*KEYS, "due_day", "status").agg(n=pl.len())
    return counts.cast({pl.Enum: pl.String})


def with_coverage(
    report: pl.DataFrame,
    ended: pl.DataFrame,
    due: pl.DataFrame,
    report_days: Days,
    period: str,
) -> pl.DataFrame:
    """A report with a row per model, kind, horizon and window (and more keys), with due and coverage.

    The rest as for `coverage`. Null where nothing fell due.
    """
    on = [*KEYS, "period", "period_end"]
    found = coverage(ended, due, report_days, period).select(*on, "due", "coverage")
    found = found.with_columns(pl.col("horizon").cast(report.schema["horizon"]))
    return report.join(found, on=on, how="left", maintain_order="left")


def _sums(counts: pl.DataFrame, name: str, report_days: Days, period: str) -> pl.DataFrame:
    """Sum of n per window, under a name."""
    horizon = pl.col("horizon").cast(pl.Int64)
    rows = counts.select("model_id", "kind", horizon, "due_day", pl.col("n").alias(name))
    return totals(rows, KEYS, name, report_days, period)
