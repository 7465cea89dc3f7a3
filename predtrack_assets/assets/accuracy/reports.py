"""Accuracy stage: what sums cannot give, at ends of weeks and months."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TypeVar

import dagster as dg
import polars as pl

from predtrack_assets.assets.accuracy.day_sums import day_sums
from predtrack_assets.assets.forecasts.outcomes import outcomes
from predtrack_assets.assets.metadata import attach, materialized, rows_of_partitions
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.accuracy import calibration_report
from predtrack_assets.domain.accuracy import error_distribution as errors
from predtrack_assets.domain.accuracy import symbol_accuracy as symbols
from predtrack_assets.domain.accuracy.coverage import COUNTS, coverage
from predtrack_assets.domain.accuracy.partition_figures import figures_of_reports
from predtrack_assets.domain.accuracy.report_windows import period_named
from predtrack_assets.domain.models.kinds import WITH_EVENT
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.partitions import day_asset, window
from predtrack_assets.reporting.plots.accuracy import Draw, ranking_plot
from predtrack_assets.services.audit.record_run import record_run
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy.day_sums import read_sums
from predtrack_assets.warehouse.accuracy.symbol_reports import outcomes_with_advice
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.forecasts.known_outcomes import known_outcomes
from predtrack_assets.warehouse.market.epochs import outcome_epochs
from predtrack_assets.warehouse.tables import Table

Known = TypeVar("Known")  # what the reports of an asset are built from
Build = Callable[[Known, Days, str], pl.DataFrame]
Read = Callable[[Transaction, date, date, datetime], Known]  # first and last due day, as of
Periods = Mapping[str, Callable[[Days], Days]]  # a period's name, and which days get its report


def last_of(unit: str) -> Callable[[Days], Days]:
    """Chooses the last trading days of every week, month, ...: see partitions.last_days_of."""
    return lambda days: last_days_of(unit, days)


ENDS: Periods = {"monthly": last_of("M"), "rolling_30d": last_of("W")}
TESTED_ENDS: Periods = {"weekly": last_of("W"), **ENDS}


def sums_known(transaction: Transaction, first: date, last: date, _as_of: datetime) -> pl.DataFrame:
    """Sums of due days as known at the end of `last`."""
    return read_sums(transaction, first, last, last)


def _events(
    transaction: Transaction, first: date, last: date, as_of: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Outcomes of events, and their sums."""
    columns = calibration_report.MEASURED
    known = known_outcomes(transaction, first, last, as_of, columns, WITH_EVENT)
    return known, sums_known(transaction, first, last, as_of)


def _errors(
    transaction: Transaction, first: date, last: date, as_of: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Outcomes of prices with their errors, and their sums."""
    columns = ["status", "relative_error"]
    known = known_outcomes(transaction, first, last, as_of, columns, ["price"])
    return known, read_sums(transaction, first, last, last, COUNTS)


def _judged(transaction: Transaction, first: date, last: date, as_of: datetime) -> pl.DataFrame:
    """Calls and recommendations, judged."""
    return symbols.judged(outcomes_with_advice(transaction, first, last, as_of))


def report(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    table: Table,
    read: Read[Known],
    build: Build[Known],
    periods: Periods,
    draw: Draw | None = None,
    figures: Callable[[pl.DataFrame], pl.DataFrame] | None = None,
) -> dg.MaterializeResult:
    """Write a table of one row per cell and period for every report day of the window.

    read: what the reports of all periods are built from. draw: plots as of the last day. figures: of
    the reports, `day` and numbers for the plots of the UI.
    """
    written, shown = Written(), list[pl.DataFrame]()
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
                frames = [
                    build(known, report_days, period) for period, report_days in asked.items()
                ]
                built = pl.concat(frames)
                written += transaction.replace(table, built, epoch.first, epoch.last)
                if figures:
                    shown.append(figures(built))
            context.log.info(f"{epoch.first} to {epoch.last}: {written.changed:,} rows changed")
        span = (asked_for.start, asked_for.end)
        record_run(transaction, "accuracy_report", table, span, written, context.run)
        if draw and len(days):
            attach(context, draw(transaction, days[-1].item()))
    rows = rows_of_partitions(warehouse, table, asked_for)
    if shown:
        rows = rows.join(pl.concat(shown, how="diagonal"), on="day", how="left")
    return materialized(written, per_day=rows)


def start_of(period: str, report_days: Days) -> date:
    """First day of the first window."""
    return period_named(period).starts(report_days).min().item()


@day_asset(schema="accuracy", deps=[day_sums], code_version="6")
def calibration_summary(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Calibration beyond sums: equal-mass errors and their bound, CORP parts, consistency tests.

    Beside rates and skill, at the end of each week and month.
    """
    return report(
        context,
        warehouse,
        tables.CALIBRATION_SUMMARY,
        _events,
        lambda known, days, period: calibration_report.calibration_summary(*known, days, period),
        TESTED_ENDS,
        figures=figures_of_reports,
    )


@day_asset(schema="accuracy", deps=[outcomes], code_version="4")
def symbol_accuracy(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Accuracy per symbol, shrunk toward the pooled rate, and of BUY, SELL and HOLD; who needs retraining.

    At the end of each week (30 days) and month.
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
        lambda known, days, period: symbols.symbol_accuracy_of(known, days, period, rule),
        ENDS,
        ranking_plot,
    )


@day_asset(schema="accuracy", deps=[day_sums], code_version="4")
def error_distribution(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Exact percentiles, bias, shape and outliers of price errors.

    At the end of each week (30 days) and month.
    """
    return report(context, warehouse, tables.ERROR_DISTRIBUTION, _errors, _error_reports, ENDS)


def _error_reports(
    known: tuple[pl.DataFrame, pl.DataFrame], days: Days, period: str
) -> pl.DataFrame:
    outcomes_of_prices, sums = known
    found = errors.error_distribution(outcomes_of_prices, days, period)
    on = ["model_id", "kind", "horizon", "period_end"]
    fallen = coverage(sums, days, period).select(*on, "due", "coverage")
    fallen = fallen.cast({"horizon": found.schema["horizon"]})
    return found.join(fallen, on=on, how="left", maintain_order="left")
