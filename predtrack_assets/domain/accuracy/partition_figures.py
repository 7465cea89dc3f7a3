"""Figures of one partition: a number a day for the plots of the UI, of all models but baselines."""

from __future__ import annotations

import polars as pl

from predtrack_assets.domain.accuracy.day_sums import merged
from predtrack_assets.domain.models.baselines import BASELINES
from predtrack_assets.domain.models.kinds import PROPER_SCORES
from predtrack_assets.domain.statistics.scoring_rules import skill

LOSSES = {kind: f"{rule}_no_change_loss" for kind, rule in PROPER_SCORES.items()}
"""The sum of losses by the proper score of each kind; with `_baseline` those of no_change."""
SUMMED = [
    "due",
    "validated",
    *dict.fromkeys(n + s for n in LOSSES.values() for s in ("", "_baseline")),
]


def figures_of_sums(sums: pl.DataFrame) -> pl.DataFrame:
    """day, due, coverage and `skill KIND` of what fell due on each day; null where there is none.

    sums: rows of `day_sums` with SUMMED. coverage: share of due predictions that were validated.
    skill: 1 - loss / loss of no_change by the proper score of the kind, all horizons together.
    """
    rows = merged(_candidates(sums), ["kind"], SUMMED)
    parts = [
        rows.group_by("due_day").agg(
            pl.col("due").sum(), coverage=pl.col("validated").sum() / pl.col("due").sum()
        )
    ]
    for kind, name in LOSSES.items():
        of_kind = rows.filter((pl.col("kind") == kind) & (pl.col(f"{name}_baseline") > 0))
        values = skill(of_kind[name], of_kind[f"{name}_baseline"])
        parts.append(of_kind.select("due_day", pl.Series(f"skill {kind}", values)))
    return _joined(parts, "due_day")


def figures_of_reports(summary: pl.DataFrame, period: str = "rolling_30d") -> pl.DataFrame:
    """day and `ece MODEL`, `skill MODEL`, `coverage MODEL` of the reports that end on each day.

    summary: rows of calibration_summary. Means over kinds and horizons, weighted by their rows.
    """
    rows = _candidates(summary).filter(pl.col("period") == period)
    parts = [rows.select("period_end").unique()]
    named = {"ece": "ece", "skill": "skill_vs_no_change", "coverage": "coverage"}
    for label, column in named.items():
        for (model,), own in rows.drop_nulls(column).group_by("model_id", maintain_order=True):
            mean = (pl.col(column) * pl.col("n")).sum() / pl.col("n").sum()
            parts.append(own.group_by("period_end").agg(mean.alias(f"{label} {model}")))
    return _joined(parts, "period_end")


def _candidates(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(~pl.col("model_id").cast(pl.String).is_in(sorted(BASELINES)))


def _joined(parts: list[pl.DataFrame], day: str) -> pl.DataFrame:
    frame = parts[0]
    for part in parts[1:]:
        frame = frame.join(part, on=day, how="left")
    return frame.rename({day: "day"}).sort("day").with_columns(pl.selectors.float().fill_nan(None))
