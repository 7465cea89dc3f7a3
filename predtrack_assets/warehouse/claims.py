"""Past figures, recomputed from the rows that were known then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from predtrack_assets.domain.calendar import as_of
from predtrack_assets.domain.calibration import calibration_summary
from predtrack_assets.domain.claims import Claim
from predtrack_assets.domain.windows import period_named
from predtrack_assets.warehouse import queries
from predtrack_assets.warehouse.queries import Query
from predtrack_assets.warehouse.warehouse import Transaction

ORIGINS = Query("""
    SELECT count(*) AS predictions, count(*) FILTER (WHERE origin = 'live') AS live
    FROM forecasts.predictions
    WHERE model_id = :model_id AND kind = :kind AND horizon = :horizon
      AND due_day BETWEEN :first AND :last
""")


@dataclass(frozen=True)
class Recomputed:
    """value: None where nothing was known. outcomes: rows it comes from; predictions: all that fell
    due in the period, of which `live` were committed before the fact."""

    value: float | None
    outcomes: int
    predictions: int
    live: int


def recompute(transaction: Transaction, claim: Claim) -> Recomputed:
    """The claimed metric over outcomes known at the end of claim.as_of.

    Raises ValueError for an unknown metric or period.
    """
    days = np.array([claim.as_of], "datetime64[D]")
    first = period_named(claim.period).starts(days)[0].item()
    span = {"first": first, "last": claim.as_of}
    of_model = (
        (pl.col("model_id") == claim.model_id)
        & (pl.col("kind") == claim.kind)
        & (pl.col("horizon") == claim.horizon)
    )
    known = transaction.read(queries.OUTCOMES_AS_OF, **span, as_of=as_of(claim.as_of))
    known = known.filter(of_model)
    due = transaction.read(queries.DUE_COUNTS, **span).filter(of_model)
    summary = calibration_summary(known, due, days, claim.period)
    metrics = [n for n, t in summary.schema.items() if t.is_float()]
    if claim.metric not in metrics:
        raise ValueError(f"unknown metric {claim.metric!r}, one of {', '.join(metrics)}")
    asked = {"model_id": claim.model_id, "kind": claim.kind, "horizon": claim.horizon}
    origins = transaction.read(ORIGINS, **asked, **span).row(0, named=True)
    value = summary[claim.metric][0] if len(summary) else None
    return Recomputed(value, len(known.filter(pl.col("status") == "validated")), **origins)
