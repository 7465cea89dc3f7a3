"""Accuracy stage: calibration, skill, accuracy per symbol and the distribution of errors."""

from collections.abc import Callable
from datetime import date, timedelta

import dagster as dg
import numpy as np
import polars as pl

from predtrack_assets.assets.outcomes import outcomes
from predtrack_assets.domain import calibration
from predtrack_assets.domain import error_distribution as errors
from predtrack_assets.domain import symbol_accuracy as symbols
from predtrack_assets.partitions import day_asset, last_days_of, window
from predtrack_assets.warehouse import queries, tables
from predtrack_assets.warehouse.snapshots import outcome_epochs
from predtrack_assets.warehouse.tables import Table
from predtrack_assets.warehouse.warehouse import Transaction, Warehouse, Written

LONGEST_WINDOW = 31  # days: a calendar month

Build = Callable[[Transaction, pl.DataFrame, np.ndarray, str], pl.DataFrame]


def _report(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    table: Table,
    build: Build,
    rolling_on: Callable[[np.ndarray], np.ndarray],
) -> dg.MaterializeResult:
    """Write a table of one row per cell and period for every report day of the window.

    rolling_on: which days get a rolling 30-day report; the last day of a month always gets a
    monthly one.
    """
    written = Written()
    days = window(context).days
    with warehouse.transaction() as transaction:
        for epoch in outcome_epochs(transaction, days):
            known = transaction.read(
                queries.OUTCOMES_AS_OF,
                first=epoch.first - timedelta(days=LONGEST_WINDOW),
                last=epoch.last,
                as_of=epoch.as_of,
            )
            frames = [
                build(transaction, known, report_days, period)
                for period, report_days in (
                    ("rolling_30d", rolling_on(epoch.days)),
                    ("monthly", last_days_of("M", epoch.days)),
                )
                if len(report_days)
            ]
            if frames:
                written += transaction.replace(table, pl.concat(frames), epoch.first, epoch.last)
            context.log.info(f"{epoch.first} to {epoch.last}: {written.changed:,} rows changed")
    return written.as_result()


def _every_day(days: np.ndarray) -> np.ndarray:
    return days


def _week_ends(days: np.ndarray) -> np.ndarray:
    return last_days_of("W", days)


def _due(transaction: Transaction, report_days: np.ndarray) -> pl.DataFrame:
    first: date = report_days[0].item() - timedelta(days=LONGEST_WINDOW)
    return transaction.read(queries.DUE_COUNTS, first=first, last=report_days[-1].item())


@day_asset(schema="accuracy", deps=[outcomes], code_version="1")
def calibration_metrics(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Reliability by confidence bucket: what was promised against what came true."""
    return _report(
        context,
        warehouse,
        tables.CALIBRATION_METRICS,
        lambda _, known, days, period: calibration.calibration_metrics(known, days, period),
        _every_day,
    )


@day_asset(schema="accuracy", deps=[outcomes], code_version="1")
def calibration_summary(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Accuracy, calibration, coverage and skill against the baselines, with effective sample size."""
    return _report(
        context,
        warehouse,
        tables.CALIBRATION_SUMMARY,
        lambda transaction, known, days, period: calibration.calibration_summary(
            known, _due(transaction, days), days, period
        ),
        _every_day,
    )


@day_asset(schema="accuracy", deps=[outcomes], code_version="1")
def symbol_accuracy(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Accuracy per symbol, shrunk toward the pooled rate, at the end of each week and month."""
    return _report(
        context,
        warehouse,
        tables.SYMBOL_ACCURACY,
        lambda _, known, days, period: symbols.symbol_accuracy(known, days, period),
        _week_ends,
    )


@day_asset(schema="accuracy", deps=[outcomes], code_version="1")
def error_distribution(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Percentiles, bias, shape and outliers of price errors, at the end of each week and month."""
    return _report(
        context,
        warehouse,
        tables.ERROR_DISTRIBUTION,
        lambda _, known, days, period: errors.error_distribution(known, days, period),
        _week_ends,
    )
