"""Gates of a week: every model's track record judged, with the number of trials it was one of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from predtrack_assets.domain.deployment import gates
from predtrack_assets.domain.deployment.track_record import Cell, Record
from predtrack_assets.domain.numerics.types import Days, Ints


@dataclass(frozen=True)
class GateEvidence:
    """What was known of the models at the end of an epoch.

    records: track record per cell. candidates, retired: model ids. tried: per (kind, horizon) the
    days (sorted, datetime64[D]) on which configurations in the registry were tried, and the number
    tried until then, one entry more that begins with 0. live: model_id, kind, trading_day of the
    predictions committed before the fact.
    """

    records: Mapping[Cell, Record]
    candidates: frozenset[str]
    retired: frozenset[str]
    tried: Mapping[tuple[str, int], tuple[Days, Ints]]
    live: pl.DataFrame


def judge(evidence: GateEvidence, report_days: Days, limits: gates.Thresholds) -> pl.DataFrame:
    """Gates of every model that is not retired, on each report day, in the columns of their table.

    A version with a fit per symbol is judged on each symbol by itself. Retired versions are judged
    no more and stay among the trials: the best of ten is the best of ten whoever is still there.
    """
    frames = []
    for (kind, horizon), (days, running) in evidence.tried.items():
        cells = [r for c, r in evidence.records.items() if (c.kind, c.horizon) == (kind, horizon)]
        versions = _begun([r for r in cells if r.model_id in evidence.candidates], report_days)
        trials = running[np.searchsorted(days, report_days, side="right")] + versions
        for of_one in (False, True):
            tried = [r for r in cells if (r.symbol is not None) == of_one]
            judged = [r for r in tried if r.model_id not in evidence.retired]
            retired = [r for r in tried if r.model_id in evidence.retired]
            # Each symbol is one more draw from the lottery.
            count = trials + _begun(tried, report_days, each=True) if of_one else trials
            result = gates.evaluate(judged, report_days, limits, np.maximum(count, 1), retired)
            if not result.is_empty():
                frames.append(_as_rows(result, kind, horizon, limits))
    return _with_live(pl.concat(frames), evidence.live) if frames else pl.DataFrame()


def _begun(records: Sequence[Record], report_days: np.ndarray, each: bool = False) -> np.ndarray:
    """Versions, or with `each` records, that had a result by each report day."""
    first: dict[tuple[str, str | None], np.datetime64] = {}
    for record in records:
        key = (record.model_id, record.symbol if each else None)
        first[key] = min(first.get(key, record.scores.days[0]), record.scores.days[0])
    days = np.sort(np.array(list(first.values()), "datetime64[D]"))
    return np.searchsorted(days, report_days, side="right")


def _as_rows(
    result: pl.DataFrame, kind: str, horizon: int, limits: gates.Thresholds
) -> pl.DataFrame:
    """Gates in the columns of their table."""
    values = {name: name for name in gates.CRITERIA} | {"calibration": "calibration_error"}
    criteria = pl.struct(gates.FIGURES).struct.json_encode()
    return result.with_columns(
        pl.lit(kind).alias("kind"),
        pl.lit(horizon).alias("horizon"),
        criteria.alias("criteria"),
        pl.lit(json.dumps(limits.as_dict())).alias("thresholds"),
        *(pl.col(name).struct.field("value").alias(column) for name, column in values.items()),
    )


def _with_live(rows: pl.DataFrame, live: pl.DataFrame) -> pl.DataFrame:
    """Gates with n_live: the days up to theirs of which the model's forecasts are live."""
    number = pl.col("trading_day").cum_count().over("model_id", "kind").alias("n_live")
    numbered = live.with_columns(number).sort("trading_day")
    found = rows.sort("as_of_day", maintain_order=True).join_asof(
        numbered,
        left_on="as_of_day",
        right_on="trading_day",
        by=["model_id", "kind"],
        check_sortedness=False,
    )
    return found.drop("trading_day").with_columns(pl.col("n_live").fill_null(0).cast(pl.Int64))
