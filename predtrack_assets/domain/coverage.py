"""What became of everything that fell due: no score may hide what was never validated."""

from __future__ import annotations

import polars as pl

from predtrack_assets.domain.windows import Days, totals

KEYS = ["model_id", "kind", "horizon"]
PERIOD = ["period", "period_start", "period_end"]


def coverage(
    outcomes: pl.DataFrame, due: pl.DataFrame, report_days: Days, period: str
) -> pl.DataFrame:
    """One row per model, kind, horizon and window in which anything fell due.

    outcomes: model_id, kind, horizon, due_day, status; due: model_id, kind, horizon, due_day, n;
    report_days: sorted datetime64[D], the windows' last days; period: a name in windows.PERIODS.
    due = validated + expired + pending; coverage = validated / due. Raises ValueError for an
    unknown period.
    """
    horizon = pl.col("horizon").cast(pl.Int64)
    ended = (
        outcomes.group_by(*KEYS, "due_day")
        .agg(
            validated=(pl.col("status") == "validated").sum().cast(pl.Int64),
            expired=(pl.col("status") == "expired").sum().cast(pl.Int64),
        )
        .with_columns(horizon)
    )
    result = totals(due.select(*KEYS, "due_day", due="n").with_columns(horizon), KEYS, "due",
                    report_days, period)  # fmt: skip
    for status in ("validated", "expired"):
        part = totals(ended.select(*KEYS, "due_day", status), KEYS, status, report_days, period)
        result = result.join(part, on=[*KEYS, *PERIOD], how="left")
    return (
        result.with_columns(pl.col("validated", "expired").fill_null(0))
        .with_columns(
            pending=pl.col("due") - pl.col("validated") - pl.col("expired"),
            coverage=pl.col("validated") / pl.col("due"),
        )
        .sort([*KEYS, "period_end"])
    )


def with_coverage(
    report: pl.DataFrame,
    outcomes: pl.DataFrame,
    due: pl.DataFrame,
    report_days: Days,
    period: str,
) -> pl.DataFrame:
    """A report with a row per model, kind, horizon and window (and more keys), with due and coverage.

    The arguments after the report are those of `coverage`. Null where nothing fell due.
    """
    on = [*KEYS, "period", "period_end"]
    found = coverage(outcomes, due, report_days, period).select(*on, "due", "coverage")
    found = found.with_columns(pl.col("horizon").cast(report.schema["horizon"]))
    return report.join(found, on=on, how="left", maintain_order="left")
