"""Permutation importance of the features of a fit, as a picture."""

from __future__ import annotations

import polars as pl

from predtrack_assets.reporting.plots import figures
from predtrack_assets.reporting.plots.canvas import Picture, nothing


def importance_plot(rows: pl.DataFrame) -> Picture:
    """The most important features, each as a share of the loss that it is taken from."""
    used = rows.filter(pl.col("importance") != 0)
    if used.is_empty():
        return nothing("the families in use look at no feature")
    label = pl.format("{} ({} {})", "feature", "kind", "horizon")
    share = used.select(label.alias("name"), *(pl.col(c) / pl.col("loss").abs() for c in _BOUNDS))
    means, lows, highs = (share[c].to_numpy() for c in _BOUNDS)
    what = f"{rows['model_id'][0]}, chosen through {rows['trained_through'][0]}"
    return figures.importance(share["name"].to_list(), means, lows, highs, what)


_BOUNDS = ("importance", "low", "high")
