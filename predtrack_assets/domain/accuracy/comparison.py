"""Two models on the same predictions: the difference of their skills, with its interval."""

from __future__ import annotations

import numpy as np
import polars as pl

from predtrack_assets.domain.models.kinds import PROPER_SCORES
from predtrack_assets.domain.statistics.diebold_mariano import diebold_mariano, mean_interval
from predtrack_assets.domain.statistics.effective_size import effective_sample_size


def skill_difference(days: pl.DataFrame) -> pl.DataFrame:
    """One row per kind and horizon on which both models have losses.

    days: kind, horizon, due_day, n, loss, loss_other, loss_baseline (of no_change), squares (of loss
    differences), sorted. skill_difference is that of the first less that of the other, in losses of
    no_change; its interval 95 % on n_eff; positive where the first is better. p_value: Diebold-Mariano.
    """
    rows = []
    for (kind, horizon), part in days.group_by("kind", "horizon", maintain_order=True):
        n, loss, other, baseline, squares = (
            part[name].to_numpy().astype(np.float64)
            for name in ("n", "loss", "loss_other", "loss_baseline", "squares")
        )
        total, scale = n.sum(), baseline.sum() / n.sum()
        mean = (other - loss).sum() / total
        n_eff = effective_sample_size(other - loss, n, int(horizon), float(squares.sum()))
        deviation = np.sqrt(max(squares.sum() / total - mean**2, 0.0))
        low, high = mean_interval(mean, deviation, n_eff, len(part) / horizon)
        test = diebold_mariano((other - loss) / n, int(horizon))
        rows.append(
            {
                "kind": kind,
                "horizon": int(horizon),
                "score": PROPER_SCORES[kind],
                "n": int(total),
                "n_eff": n_eff,
                "skill": 1 - loss.sum() / baseline.sum(),
                "skill_other": 1 - other.sum() / baseline.sum(),
                "skill_difference": mean / scale,
                "difference_low": float(low) / scale,
                "difference_high": float(high) / scale,
                "p_value": test.p_value,
            }
        )
    schema = {
        "kind": pl.String, "horizon": pl.Int64, "score": pl.String, "n": pl.Int64,
        **dict.fromkeys(
            ("n_eff", "skill", "skill_other", "skill_difference", "difference_low",
             "difference_high", "p_value"), pl.Float64),
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema).with_columns(pl.selectors.float().fill_nan(None))
