"""Reports of a period of any length, from the sums per due day as they were known at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from predtrack_assets.domain.accuracy.calibration_report import calibration_metrics, event_rates
from predtrack_assets.domain.accuracy.coverage import coverage
from predtrack_assets.domain.accuracy.performance import performance_analytics, with_skill_interval
from predtrack_assets.domain.accuracy.report_windows import period_named
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.warehouse.accuracy.day_sums import LATEST_DUE_DAY, read_sums
from predtrack_assets.warehouse.database.transaction import READER, Database, Transaction
from predtrack_assets.warehouse.models.registry import IS_REGISTERED


@dataclass(frozen=True)
class PeriodReport:
    """What was known at the end of a period's last day: a frame per report, one row a cell.

    rates: event rates with intervals, ECE, scores and skills; buckets: reliability per bucket of
    confidence; performance: scores beside each baseline with intervals and Diebold-Mariano tests;
    coverage: share of due predictions that were validated.
    """

    rates: pl.DataFrame
    buckets: pl.DataFrame
    performance: pl.DataFrame
    coverage: pl.DataFrame


def period_report(
    transaction: Transaction,
    period: str,
    last: date,
    *,
    models: Sequence[str] | None = None,
    horizon: int | None = None,
    by: Sequence[str] = (),
) -> PeriodReport:
    """The report of the period that ends on `last`.

    period: a name in report_windows.PERIODS (daily, weekly, monthly, rolling_30d, to_date, ...);
    models, horizon: of these only; by: market_regime, origin, or both, told apart. Raises
    ValueError for an unknown period.
    """
    days = np.array([last], "datetime64[D]")
    first = period_named(period).starts(days)[0].item()
    sums = read_sums(transaction, first, last, last, models=models, horizon=horizon)
    return report_of(sums, days, period, by)


def report_of(sums: pl.DataFrame, days: Days, period: str, by: Sequence[str] = ()) -> PeriodReport:
    """The reports of the periods that end on the sorted days, of sums that hold them all."""
    return PeriodReport(
        event_rates(sums, days, period, by),
        calibration_metrics(sums, days, period, by),
        performance_analytics(sums, days, period, by),
        coverage(sums, days, period, by),
    )


def report_to_date(warehouse: Database) -> PeriodReport | None:
    """Over all outcomes there are; None before anything has fallen due."""
    with warehouse.transaction(READER) as transaction:
        last = transaction.read(LATEST_DUE_DAY, known_by=date.max).item()
        return None if last is None else period_report(transaction, "to_date", last)


def scores_of_model(transaction: Transaction, model_id: str) -> list[dict[str, Any]] | None:
    """A model's scores to date beside every baseline, with intervals; None for no such model.

    Rows: columns of `performance_analytics`, skill_low, skill_high and shown. Empty before anything
    of it has fallen due.
    """
    if transaction.read(IS_REGISTERED, model_id=model_id).is_empty():
        return None
    last = transaction.read(LATEST_DUE_DAY, known_by=date.max).item()
    if last is None:
        return []
    performance = period_report(transaction, "to_date", last, models=[model_id]).performance
    found = with_skill_interval(performance).fill_nan(None)
    return found.sort("kind", "horizon", "score", "baseline").to_dicts()
