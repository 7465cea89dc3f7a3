"""The scoreboard: how good each model is over its whole record, as known at the end of each report day.

A row is one model, kind, horizon and report day: skill by the kind's proper score beside each
baseline with its interval, and calibration. What following the model earned is added by
`trading.strategy_performance`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.day_sums import (
    COMPARISONS,
    COUNTS,
    EVENT_SUMS,
    merged,
)
from predtrack_assets.domain.accuracy.report_windows import CELL, column
from predtrack_assets.domain.models.kinds import PROPER_SCORES
from predtrack_assets.domain.numerics.types import Days, Floats, Ints
from predtrack_assets.domain.statistics.calibration import BUCKETS, calibration_quality
from predtrack_assets.domain.statistics.diebold_mariano import mean_interval
from predtrack_assets.domain.statistics.effective_size import add_rows
from predtrack_assets.domain.statistics.equal_mass import UPPER_LEVEL
from predtrack_assets.domain.statistics.expanding import calibration_bounds, totals
from predtrack_assets.domain.statistics.scoring_rules import skill

BASELINES = ("no_change", "climatology", "drift")
_PAIRS = [(s, b) for s, b in COMPARISONS if s in PROPER_SCORES.values()]
BUCKET_SUMS = [f"bucket_{b}_{name}" for name in ("n", "hits", "confidence") for b in range(BUCKETS)]
_LOSSES = ("n", "loss", "loss_baseline", "squares")
USED = [
    *COUNTS,
    *EVENT_SUMS,
    *BUCKET_SUMS,
    *(f"{score}_{baseline}_{name}" for score, baseline in _PAIRS for name in _LOSSES),
]
"""The sums per due day that a scoreboard is computed from."""

_SKILL = [f"skill_vs_{b}{end}" for b in BASELINES for end in ("", "_low", "_high")]
SCHEMA: dict[str, Any] = {
    "as_of_day": pl.Date,
    **dict.fromkeys(("model_id", "kind"), pl.String),
    "horizon": pl.Int64,
    **dict.fromkeys(("event", "score"), pl.String),
    "first_due": pl.Date,
    **dict.fromkeys(("due", "validated", "live", "n"), pl.Int64),
    **dict.fromkeys(("n_eff", "mean_score", *_SKILL), pl.Float64),
    **dict.fromkeys(("event_rate", "mean_confidence", "accuracy_rate", "ece"), pl.Float64),
    **dict.fromkeys(("rms_calibration_error", "rms_calibration_upper"), pl.Float64),
    "calibration_quality": pl.String,
}


class _Record(NamedTuple):
    """Sums per due day of one cell (D rows), and how many of its due days (W,) each window holds."""

    rows: pl.DataFrame
    sizes: Ints
    horizon: int

    def of(self, name: str) -> Floats:
        """A column of sums (D,)."""
        return column(self.rows, name)


def scoreboard(sums: pl.DataFrame, report_days: Days) -> pl.DataFrame:
    """One row per model, kind, horizon and report day by which anything fell due: SCHEMA, sorted.

    sums: KEYS of day_sums, due_day and USED, as known at the end of the last report day and of each
    other one; report_days: sorted datetime64[D]. Skill is 1 - loss / loss of the baseline, its
    interval 95 % of the mean loss difference on n_eff; null where a kind has no such baseline.
    n counts rows with both losses beside no_change, live those written before their outcome.
    """
    live = pl.when(pl.col("origin") == "live").then("validated").otherwise(0)
    early = sums.with_columns(live=live).group_by(*CELL, "due_day").agg(pl.col("live").sum())
    rows = merged(sums, CELL, USED).join(
        early, on=[*CELL, "due_day"], how="left", nulls_equal=True, maintain_order="left"
    )
    frames = [_of_cell(key, part, report_days) for key, part in _cells(rows)]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *frames]).sort("as_of_day", *CELL[:2], "horizon")


def _cells(rows: pl.DataFrame) -> Iterator[tuple[dict[str, Any], pl.DataFrame]]:
    for key, part in rows.group_by(CELL, maintain_order=True):
        yield dict(zip(CELL, key, strict=True)), part


def _of_cell(key: dict[str, Any], rows: pl.DataFrame, report_days: Days) -> pl.DataFrame:
    """The rows of one cell: labels, skill, calibration."""
    due_days = rows["due_day"].to_numpy().astype("datetime64[D]")
    sizes = np.searchsorted(due_days, report_days, side="right").astype(np.int64)
    shown = sizes > 0
    record = _Record(rows, sizes[shown], int(key["horizon"]))
    counts = {name: totals(record.of(name), record.sizes) for name in ("due", "validated", "live")}
    columns: dict[str, Any] = {
        "as_of_day": pl.Series(report_days[shown]).cast(pl.Date),
        **{name: pl.lit(value, pl.String) for name, value in key.items() if name != "horizon"},
        "horizon": pl.lit(record.horizon, pl.Int64),
        "score": pl.lit(PROPER_SCORES[key["kind"]]),
        "first_due": pl.lit(rows["due_day"][0]),
        **counts,
        **_skills(record, PROPER_SCORES[key["kind"]]),
        **(_calibration(record) if key["event"] else {}),
    }
    missing = {name: pl.lit(None, kind) for name, kind in SCHEMA.items() if name not in columns}
    made = pl.select(**{**columns, **missing}).with_columns(pl.selectors.float().fill_nan(None))
    return made.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def _skills(record: _Record, score: str) -> dict[str, Floats]:
    """Skill beside each baseline of the score, with intervals; n, n_eff and mean score of no_change."""
    found: dict[str, Floats] = {}
    for baseline in (b for s, b in _PAIRS if s == score):
        n, loss, other, squares = (record.of(f"{score}_{baseline}_{name}") for name in _LOSSES)
        n_eff, dates = _worth(record, other - loss, n, squares)
        rows, mine, theirs, square = (totals(v, record.sizes) for v in (n, loss, other, squares))
        with np.errstate(divide="ignore", invalid="ignore"):
            mean, mean_other = mine / rows, theirs / rows
            deviation = np.sqrt(np.maximum(square / rows - np.square(mean_other - mean), 0.0))
            low, high = mean_interval(0.0, deviation, n_eff, dates / record.horizon)
            bounds = [np.where(mean_other > 0, end / mean_other, np.nan) for end in (low, high)]
        gained = skill(mean, mean_other)
        named = dict(
            zip(("", "_low", "_high"), (gained, *(gained + b for b in bounds)), strict=True)
        )
        found |= {f"skill_vs_{baseline}{end}": values for end, values in named.items()}
        if baseline == BASELINES[0]:
            found |= {"n": rows, "n_eff": n_eff, "mean_score": mean}
    return found


def _worth(record: _Record, sums: Floats, counts: Floats, squares: Floats) -> tuple[Floats, Ints]:
    """n_eff and dates (W,) of the mean of values whose sums per due day are given; 0 without rows."""
    from predtrack_assets.domain.statistics.growing_windows import growing_effective_sizes

    filled = counts > 0
    dates = np.concatenate([[0], np.cumsum(filled)])[record.sizes]
    n_eff = np.zeros(dates.size)
    asked = np.flatnonzero(dates > 0)
    if asked.size:
        sizes, which = np.unique(dates[asked], return_inverse=True)
        s, n, square = (values[filled] for values in (sums, counts, squares))
        n_eff[asked] = growing_effective_sizes(s, n, square, sizes, record.horizon)[which]
    return n_eff, dates


def _calibration(record: _Record) -> dict[str, Any]:
    """Rates, ECE and the debiased RMS calibration error of the buckets, with its verdict (W,)."""
    per_bucket = np.array([totals(record.of(name), record.sizes) for name in BUCKET_SUMS])
    count, hits, confidence = per_bucket.reshape(3, BUCKETS, -1)
    n_eff, _ = _worth(
        record, record.of("residual"), record.of("scored"), record.of("squared_residual")
    )
    n, k, p = (np.ascontiguousarray(part.T) for part in (count, hits, confidence))
    rms, upper = calibration_bounds(n, k, p, n_eff, UPPER_LEVEL)
    right = totals(record.of("correct_calls"), record.sizes)
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = add_rows(count)
        return {
            "event_rate": add_rows(hits) / rows,
            "mean_confidence": add_rows(confidence) / rows,
            "accuracy_rate": right / rows,
            "ece": add_rows(np.abs(hits - confidence)) / rows,
            "rms_calibration_error": rms,
            "rms_calibration_upper": upper,
            "calibration_quality": pl.Series(calibration_quality(n_eff, upper), dtype=pl.String),
        }
