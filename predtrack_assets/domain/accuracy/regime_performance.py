"""How good each model version is beside no_change, over all days and by market regime.

Scores are the proper ones of each kind, over what fell due in the year up to a report day. A regime
is that of the decision day, as known on it.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.day_sums import UNKNOWN_REGIME
from predtrack_assets.domain.accuracy.performance import proper_losses
from predtrack_assets.domain.accuracy.report_windows import column, windows
from predtrack_assets.domain.models.kinds import PROPER_SCORES
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.statistics.diebold_mariano import mean_interval
from predtrack_assets.domain.statistics.scoring_rules import skill

YEAR = "rolling_365d"
EVERY_REGIME = "all"
CELL = ["model_id", "evaluation", "kind", "horizon", "regime"]
EVALUATIONS = {"replay": "holdout", "live": "live"}
_SUMS = ["n", "loss", "loss_baseline", "difference", "squares"]


def performance_by_regime(sums: pl.DataFrame, report_days: Days) -> pl.DataFrame:
    """One row per CELL and report day that something fell due for: score, baseline, skill, interval.

    sums: as `day_sums` gives them. report_days: sorted datetime64[D]. Live predictions and those
    made after the fact (holdout) are told apart. skill_low, skill_high: 95 % interval of the mean
    difference on n_eff, as a share of the baseline; null below two horizons of dates.
    """
    view = windows(_losses(sums), CELL, report_days, YEAR)
    per_date = [column(view.rows, name) for name in _SUMS]
    n, loss, baseline, difference, squares = view.sums(per_date)
    n_eff = view.effective_sizes(per_date[3], per_date[0], per_date[4])
    mean, level = difference / n, baseline / n
    deviation = np.sqrt(np.maximum(squares / n - np.square(mean), 0.0))
    horizons = view.cells["horizon"].to_numpy().astype(np.int64)[view.cell]
    low, high = mean_interval(mean, deviation, n_eff, np.diff(view.dates, axis=0)[0] / horizons)
    shown = np.where(level > 0, level, np.nan)
    keys = view.cells[view.cell]
    return (
        keys.with_columns(
            pl.col("kind").replace_strict(PROPER_SCORES, return_dtype=pl.String).alias("score"),
            pl.lit("no_change").alias("baseline"),
            pl.Series("evaluated_through", view.ends[view.report]).cast(pl.Date),
            pl.Series("n", n.astype(np.int64)),
            pl.Series("n_eff", n_eff),
            pl.Series("mean_score", loss / n),
            pl.Series("mean_score_baseline", level),
            pl.Series("skill", skill(loss / n, level)),
            pl.Series("skill_low", low / shown),
            pl.Series("skill_high", high / shown),
        )
        .with_columns(pl.selectors.float().fill_nan(None))
        .sort("evaluated_through", *CELL)
    )


def _losses(sums: pl.DataFrame) -> pl.DataFrame:
    """Losses by the proper score of each kind beside no_change, of every regime and of all days."""
    cells = ["model_id", "kind", "horizon", "origin"]
    parts = []
    for regime in ([], ["market_regime"]):
        rows = proper_losses(sums, [*cells, *regime])
        name = pl.col("market_regime") if regime else pl.lit(EVERY_REGIME)
        parts.append(rows.with_columns(name.alias("regime")).drop(regime))
    rows = pl.concat([part.select(sorted(part.columns)) for part in parts])
    return rows.filter(pl.col("regime") != UNKNOWN_REGIME).with_columns(
        pl.col("origin").replace_strict(EVALUATIONS).alias("evaluation")
    )
