"""How good a model is beside each baseline: proper scores, skill, intervals and tests per window.

A row of the result is one model, kind, horizon, window, score and baseline. Losses are added up per
due day first, so a window costs as many numbers as it has dates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from predtrack_assets.domain.accuracy.coverage import coverage
from predtrack_assets.domain.accuracy.day_sums import COMPARISONS, LOSS_SUMS, merged
from predtrack_assets.domain.accuracy.report_windows import Windows, column, table, windows
from predtrack_assets.domain.models.kinds import PROPER_SCORES
from predtrack_assets.domain.numerics.types import Days, Floats
from predtrack_assets.domain.statistics.diebold_mariano import diebold_mariano_of, mean_interval
from predtrack_assets.domain.statistics.scoring_rules import skill

CELL = ["model_id", "kind", "horizon"]
SERIES = [*CELL, "score", "baseline"]
_SUMS = ["n", "loss", "loss_baseline", "difference", "squares"]


def performance_analytics(
    sums: pl.DataFrame, report_days: Days, period: str, by: Sequence[str] = ()
) -> pl.DataFrame:
    """One row per model, kind, horizon, window, score and baseline that have both losses.

    sums: as `day_sums` gives them; report_days: sorted datetime64[D], the windows' last days;
    period: a name in report_windows.PERIODS; by: slices (market_regime, origin) to tell apart.
    mean_difference is baseline minus model: positive where the model is better. `drift` is compared
    where both speak about the same thing: the price's distribution and the direction. due and
    coverage are of the model, kind and horizon. Raises ValueError for an unknown period.
    """
    cells = [*CELL, *by]
    view = windows(losses_of(sums, cells), [*cells, *SERIES[3:]], report_days, period)
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
    found = table(columns, [*cells, *SERIES[3:], "period_end"])
    on = [*cells, "period_end"]
    fallen = coverage(sums, report_days, period, by).select(*on, "due", "coverage")
    return found.join(fallen, on=on, how="left", maintain_order="left")


def with_skill_interval(performance: pl.DataFrame) -> pl.DataFrame:
    """The rows with skill_low and skill_high (95 %), and what they show.

    shown: better, worse, or nothing where the interval holds 0 or there is none.
    """
    scale = pl.col("mean_score_baseline")
    low, high = (
        pl.when(scale > 0).then(pl.col(f"difference_{end}") / scale).fill_nan(None)
        for end in ("low", "high")
    )
    shown = pl.when(low > 0).then(pl.lit("better")).when(high < 0).then(pl.lit("worse"))
    return performance.with_columns(
        skill_low=low, skill_high=high, shown=shown.otherwise(pl.lit("nothing"))
    )


def losses_of(sums: pl.DataFrame, cells: list[str]) -> pl.DataFrame:
    """Per cell, score, baseline and due day: n, loss, loss_baseline, difference (baseline less model)
    and squares (of differences), of the days that have both losses."""
    rows = merged(sums, cells, LOSS_SUMS)
    frames = []
    for score, baseline in COMPARISONS:
        named = {
            name: f"{score}_{baseline}_{name}" for name in ("n", "loss", "loss_baseline", "squares")
        }
        part = rows.filter(pl.col(named["n"]) > 0).select(
            *cells,
            "due_day",
            pl.lit(score).alias("score"),
            pl.lit(baseline).alias("baseline"),
            **{name: pl.col(of) for name, of in named.items()},
        )
        frames.append(part.with_columns(difference=pl.col("loss_baseline") - pl.col("loss")))
    return pl.concat(frames)


def proper_losses(sums: pl.DataFrame, cells: list[str]) -> pl.DataFrame:
    """`losses_of` by the proper score of each kind, beside no_change."""
    proper = pl.DataFrame(list(PROPER_SCORES.items()), schema=["kind", "score"], orient="row")
    rows = losses_of(sums, cells).filter(pl.col("baseline") == "no_change")
    return rows.join(proper, on=["kind", "score"], how="semi", maintain_order="left")


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
