"""Past figures, recomputed from the rows that were known then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.calibration_report import calibration_summary
from predtrack_assets.domain.accuracy.day_sums import UNKNOWN_REGIME, day_sums
from predtrack_assets.domain.accuracy.report_windows import period_named
from predtrack_assets.domain.audit.claims import Claim
from predtrack_assets.domain.audit.ledger.batches import ID_BYTES, split
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.faults import did_you_mean
from predtrack_assets.warehouse.audit.batches import CLAIMED, SEALED_IDS
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts import queries as forecasts_queries
from predtrack_assets.warehouse.forecasts.stored_rows import REGISTERED


@dataclass(frozen=True)
class Recomputed:
    """value: None where nothing was known. outcomes: rows it comes from; predictions: all that fell
    due in the period, of which `live` were committed before the fact and `unsealed` never were."""

    value: float | None
    outcomes: int
    predictions: int
    live: int
    unsealed: int


def recompute(transaction: Transaction, claim: Claim) -> Recomputed:
    """The claimed metric over outcomes known at the end of claim.as_of.

    Raises ValueError for an unknown model, metric or period.
    """
    days = np.array([claim.as_of], "datetime64[D]")
    first = period_named(claim.period).starts(days)[0].item()
    span = {"first": first, "last": claim.as_of}
    of_model = (
        (pl.col("model_id") == claim.model_id)
        & (pl.col("kind") == claim.kind)
        & (pl.col("horizon") == claim.horizon)
    )
    known = transaction.read(forecasts_queries.OUTCOMES_AS_OF, **span, as_of=as_of(claim.as_of))
    known = known.filter(of_model)
    due = transaction.read(forecasts_queries.DUE_COUNTS, **span).filter(of_model)
    models = transaction.read(REGISTERED)["model_id"].to_list()
    if due.is_empty() and claim.model_id not in models:
        raise ValueError(f"no model {claim.model_id!r}{did_you_mean(claim.model_id, models)}")
    slices = {"market_regime": pl.lit(UNKNOWN_REGIME), "origin": pl.lit("replay")}
    sums = day_sums(known.with_columns(**slices), due.with_columns(**slices))
    summary = calibration_summary(known, sums, days, claim.period)
    metrics = [n for n, t in summary.schema.items() if t.is_float()]
    if claim.metric not in metrics:
        raise ValueError(f"unknown metric {claim.metric!r}{did_you_mean(claim.metric, metrics)}")
    asked = {"model_id": claim.model_id, "kind": claim.kind, "horizon": claim.horizon}
    origins = _origins(transaction, asked, span)
    value = summary[claim.metric][0] if len(summary) else None
    return Recomputed(value, len(known.filter(pl.col("status") == "validated")), **origins)


def _origins(
    transaction: Transaction, asked: dict[str, Any], span: dict[str, date]
) -> dict[str, int]:
    """How many predictions fell due, and of them are in a live batch, and in none."""
    due = transaction.read(CLAIMED, **asked, **span)
    if due.is_empty():
        return {"predictions": 0, "live": 0, "unsealed": 0}
    batches = transaction.read(
        SEALED_IDS,
        model_id=asked["model_id"],
        kind=asked["kind"],
        first=due["trading_day"].min(),
        last=due["trading_day"].max(),
    )
    held = {
        origin: due["prediction_id"].is_in(
            [i for ids in of_origin["prediction_ids"] for i in split(ids, ID_BYTES)]
        )
        for (origin,), of_origin in batches.group_by("origin")
    }
    nowhere = pl.repeat(False, len(due), eager=True)
    live, replay = held.get("live", nowhere), held.get("replay", nowhere)
    counts = {"live": live & ~replay, "unsealed": ~(live | replay)}
    return {"predictions": len(due), **{name: int(n.sum()) for name, n in counts.items()}}
