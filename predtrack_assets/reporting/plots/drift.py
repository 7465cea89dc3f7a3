"""Plots of drift as of a run's last day: distances of the features, evidence against the models."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.drift.degradation import LEVEL
from predtrack_assets.domain.models.kinds import titles
from predtrack_assets.reporting.plots import figures
from predtrack_assets.reporting.plots.accuracy import ahead, middle_horizon
from predtrack_assets.reporting.plots.canvas import Picture
from predtrack_assets.warehouse.accuracy import drift as store
from predtrack_assets.warehouse.database.transaction import Transaction

REPORT_AGE = timedelta(days=13)  # the last week's end is no further back
HISTORY = timedelta(days=730)
TITLES = titles()


def drift_plots(transaction: Transaction, last: date) -> dict[str, Picture]:
    """PSI of each feature against its critical value, and the e-processes over time."""
    rows = transaction.read(store.LATEST, first=last - REPORT_AGE, last=last)
    features = figures.against_critical(
        rows["name"].to_list(),
        rows["value"].to_numpy(),
        rows["critical_value"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        rows["drifted"].cast(pl.Boolean).to_numpy(),
        "population stability index",
        f"the latest week as of {last}",
    )
    horizon = middle_horizon()
    evidence = transaction.read(store.EVIDENCE, first=last - HISTORY, last=last, horizon=horizon)
    panels = {
        title: {
            str(model): figures.Line(
                part["as_of_day"].to_numpy().astype("datetime64[D]"),
                np.log10(np.maximum(part["value"].to_numpy(), 1e-3)),
            )
            for (model,), part in evidence.filter(pl.col("kind") == kind).group_by(
                ["model_id"], maintain_order=True
            )
        }
        for kind, title in TITLES.items()
    }
    what = f"Evidence of degradation {ahead(horizon)}, as of {last}"
    limits = evidence.sort("as_of_day")["critical_value"].to_list()
    limit = limits[-1] if limits else 1 / LEVEL
    note = f"log10 of the e-value · rule: {limit:,.0f}, what the latest report asks for"
    line = figures.over_time(panels, what, note, float(np.log10(limit)))
    return {"feature_drift": features, "degradation": line}
