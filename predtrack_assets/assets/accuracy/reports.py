"""Accuracy stage: calibration, skill, accuracy per symbol, errors, performance beside baselines."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import TypeVar

import dagster as dg
import polars as pl

from predtrack_assets.assets.forecasts.outcomes import outcomes
from predtrack_assets.assets.metadata import attach, materialized
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.accuracy import calibration_report, performance
from predtrack_assets.domain.accuracy import error_distribution as errors
from predtrack_assets.domain.accuracy import symbol_accuracy as symbols
from predtrack_assets.domain.accuracy.coverage import coverage as coverage_of
from predtrack_assets.domain.accuracy.coverage import ended_of, with_coverage
from predtrack_assets.domain.accuracy.report_windows import period_named
from predtrack_assets.domain.models.kinds import WITH_EVENT
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.partitions import day_asset, window
from predtrack_assets.reporting.plots.accuracy import (
    Draw,
    error_plot,
    ranking_plot,
    reliability_plot,
    skill_plot,
)
from predtrack_assets.services.audit.record_run import record_run
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy.symbol_reports import outcomes_with_advice
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.forecasts import queries as forecasts_queries
from predtrack_assets.warehouse.forecasts.known_outcomes import known_outcomes
from predtrack_assets.warehouse.market.epochs import outcome_epochs
from predtrack_assets.warehouse.tables import Table

Due = Callable[[], pl.DataFrame]  # predictions per model, kind, horizon and due day
Known = TypeVar("Known")  # what the reports of an asset are built from
Build = Callable[[Due, Known, Days, str], pl.DataFrame]
Read = Callable[[Transaction, date, date, datetime], Known]  # first and last due day, as of
Periods = Mapping[str, Callable[[Days], Days]]  # a period's name, and which days get its report


def _every_day(days: Days) -> Days:
    return days


def last_of(unit: str) -> Callable[[Days], Days]:
    """Chooses the last trading days of every week, month, ...: see partitions.last_days_of."""
    return lambda days: last_days_of(unit, days)


WEEKS: Periods = {
    "weekly": last_of("W"),
    "monthly": last_of("M"),
    "rolling_30d": last_of("W"),
}
DAYS: Periods = {**WEEKS, "daily": _every_day, "rolling_30d": _every_day}
LONG: Periods = {**DAYS, "quarterly": last_of("3M"), "yearly": last_of("Y")}


def _outcomes(columns: Sequence[str], kinds: Sequence[str] | None = None) -> Read[pl.DataFrame]:
    """Reads these columns of outcomes."""
    return lambda transaction, first, last, as_of: known_outcomes(
        transaction, first, last, as_of, columns, kinds
    )


def _ended(transaction: Transaction, first: date, last: date, as_of: datetime) -> pl.DataFrame:
    """How many outcomes have ended."""
    return ended_of(_outcomes(["status"])(transaction, first, last, as_of))


def _errors(
    transaction: Transaction, first: date, last: date, as_of: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Outcomes of prices with their errors, and how many have ended."""
    known = _outcomes(["status", "relative_error"], ["price"])(transaction, first, last, as_of)
    return known, ended_of(known)


def _judged(transaction: Transaction, first: date, last: date, as_of: datetime) -> pl.DataFrame:
    """Calls and recommendations, judged."""
    return symbols.judged(outcomes_with_advice(transaction, first, last, as_of))


def _losses(
    transaction: Transaction, first: date, last: date, as_of: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Losses summed per due day, and how many outcomes have ended."""
    known = _outcomes(["status", *performance.LOSSES])(transaction, first, last, as_of)
    return performance.losses_per_date(known), ended_of(known)


def report(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    table: Table,
    read: Read[Known],
    build: Build[Known],
    periods: Periods,
    draw: Draw | None = None,
) -> dg.MaterializeResult:
    """Write a table of one row per cell and period for every report day of the window.

    read: what the reports of all periods are built from. draw: plots as of the last day.
    """
    written = Written()
    asked_for = window(context)
    days = asked_for.days
    with warehouse.transaction() as transaction:
        for epoch in outcome_epochs(transaction, days):
            asked = {period: chosen(epoch.days) for period, chosen in periods.items()}
            asked = {
                period: report_days for period, report_days in asked.items() if len(report_days)
            }
            if asked:
                first = min(start_of(period, report_days) for period, report_days in asked.items())
                known = read(transaction, first, epoch.last, epoch.as_of)
                due = _due(transaction, first, epoch.last)
                frames = [
                    build(due, known, report_days, period) for period, report_days in asked.items()
                ]
                written += transaction.replace(table, pl.concat(frames), epoch.first, epoch.last)
            context.log.info(f"{epoch.first} to {epoch.last}: {written.changed:,} rows changed")
        span = (asked_for.start, asked_for.end)
        record_run(transaction, "accuracy_report", table, span, written, context.run)
        if draw and len(days):
            attach(context, draw(transaction, days[-1].item()))
    return materialized(written)


def start_of(period: str, report_days: Days) -> date:
    """First day of the first window."""
    return period_named(period).starts(report_days).min().item()


def _due(transaction: Transaction, first: date, last: date) -> Due:
    return cache(lambda: transaction.read(forecasts_queries.DUE_COUNTS, first=first, last=last))


@day_asset(schema="accuracy", deps=[outcomes], code_version="1")
def coverage(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """What of all that fell due was validated, has expired or is still pending."""
    return report(
        context,
        warehouse,
        tables.COVERAGE,
        _ended,
        lambda due, ended, days, period: coverage_of(ended, due(), days, period),
        DAYS,
    )


@day_asset(schema="accuracy", deps=[outcomes], code_version="3")
def calibration_metrics(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Reliability by confidence bucket: what was promised against what came true."""
    return report(
        context,
        warehouse,
        tables.CALIBRATION_METRICS,
        _outcomes(calibration_report.MEASURED, WITH_EVENT),
        lambda _, known, days, period: calibration_report.calibration_metrics(known, days, period),
        DAYS,
    )


@day_asset(schema="accuracy", deps=[outcomes], code_version="5")
def calibration_summary(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Accuracy, calibration, coverage and skill against the baselines, with effective sample size."""
    return report(
        context,
        warehouse,
        tables.CALIBRATION_SUMMARY,
        _outcomes([*calibration_report.MEASURED, *calibration_report.SCORES], WITH_EVENT),
        lambda due, known, days, period: calibration_report.calibration_summary(
            known, due(), days, period
        ),
        DAYS,
        reliability_plot,
    )


@day_asset(schema="accuracy", deps=[outcomes], code_version="3")
def symbol_accuracy(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Accuracy per symbol, shrunk toward the pooled rate, and of BUY, SELL and HOLD; who needs retraining.

    At the end of each week and month.
    """
    settings = get_settings()
    rule = symbols.RetrainingRule(
        settings.retraining_threshold,
        settings.retraining_level,
        settings.retraining_min_effective,
        settings.retraining_fdr,
    )
    return report(
        context,
        warehouse,
        tables.SYMBOL_ACCURACY,
        _judged,
        lambda _, known, days, period: symbols.symbol_accuracy_of(known, days, period, rule),
        WEEKS,
        ranking_plot,
    )


@day_asset(schema="accuracy", deps=[outcomes], code_version="3")
def error_distribution(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Percentiles, bias, shape and outliers of price errors."""
    return report(
        context,
        warehouse,
        tables.ERROR_DISTRIBUTION,
        _errors,
        lambda due, known, days, period: with_coverage(
            errors.error_distribution(known[0], days, period), known[1], due(), days, period
        ),
        DAYS,
        error_plot,
    )


@day_asset(schema="accuracy", deps=[outcomes], code_version="4")
def performance_analytics(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Proper scores, skill and Diebold-Mariano tests of every model beside each baseline."""
    return report(
        context,
        warehouse,
        tables.PERFORMANCE_ANALYTICS,
        _losses,
        lambda due, known, days, period: with_coverage(
            performance.performance_of(known[0], days, period), known[1], due(), days, period
        ),
        LONG,
        skill_plot,
    )
