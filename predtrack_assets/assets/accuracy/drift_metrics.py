"""Drift: whether features, predictions and performance are still what they were."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import dagster as dg
import numpy as np
import polars as pl

from predtrack_assets.assets.accuracy.day_sums import day_sums
from predtrack_assets.assets.features import feature_store
from predtrack_assets.assets.metadata import attach, materialized, rows_of_partitions
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.days import Window, last_days_of
from predtrack_assets.domain.accuracy.day_sums import BUCKET_SUMS, EVENT_SUMS, LOSS_SUMS
from predtrack_assets.domain.accuracy.drift import alerts
from predtrack_assets.domain.accuracy.drift.degradation import CELL, degradation
from predtrack_assets.domain.accuracy.drift.expected_scores import expected_scores, known_results
from predtrack_assets.domain.accuracy.drift.report import Observed, Windows, drift_report
from predtrack_assets.domain.accuracy.performance import proper_losses
from predtrack_assets.domain.features.feature_set import STANDARD, THREADS
from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.time.calendar import FIRST_DAY
from predtrack_assets.partitions import day_asset, window
from predtrack_assets.reporting.plots.drift import drift_plots
from predtrack_assets.services.audit.record_run import record_run
from predtrack_assets.settings import Settings, get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy import drift as store
from predtrack_assets.warehouse.accuracy.day_sums import read_sums
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.features.store import read_features
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets.warehouse.market.epochs import Epoch, outcome_epochs

ROWS = 500_000  # vectors held at once, unless a single report needs more
SUMMED = [*EVENT_SUMS, *BUCKET_SUMS, *LOSS_SUMS]
LONGEST = timedelta(days=400)  # calendar days of the longest horizon
Read = Callable[[Transaction, Days, int], list[Observed]]  # sessions, the first one wanted


@day_asset(schema="accuracy", deps=[feature_store, day_sums], code_version="3")
def drift_metrics(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """Drift of features, predictions and performance at the end of each week, and its alerts."""
    settings, asked = get_settings(), window(context)
    days = asked.days
    report_days = last_days_of("W", days)
    with warehouse.transaction() as transaction:
        transaction.lock(tables.DRIFT_ALERTS)
        frames = list(_metrics(transaction, report_days, settings)) if len(report_days) else []
        context.log.info(f"{len(report_days)} reports measured")
        frame = _complete(frames)
        first, last = days[0].item(), days[-1].item()
        written = transaction.replace(tables.DRIFT_METRICS, frame, first, last)
        record_run(
            transaction, "drift_report", tables.DRIFT_METRICS, (first, last), written, context.run
        )
        raised = _alerts(transaction, report_days, settings)
        added = transaction.append(tables.DRIFT_ALERTS, raised)
        record_run(
            transaction, "drift_alert", tables.DRIFT_ALERTS, (first, last), added, context.run
        )
        attach(context, drift_plots(transaction, last))
    rows = rows_of_partitions(warehouse, tables.DRIFT_METRICS, asked)
    return materialized(written + added, per_day=rows, alerts_changed=len(raised))


def _metrics(
    transaction: Transaction, report_days: Days, settings: Settings
) -> Iterator[pl.DataFrame]:
    """Rows of drift_metrics for the report days, in parts."""
    models = transaction.read(store.CANDIDATES)["model_id"].to_list()
    yield from _family(transaction, report_days, settings, _features)
    for model in models:
        yield from _family(transaction, report_days, settings, _said_by(model))
    for epoch in outcome_epochs(transaction, report_days):
        yield from _performance(transaction, epoch, models, settings)


# -- features and predictions --------------------------------------------------------------------


def _family(
    transaction: Transaction, report_days: Days, settings: Settings, read: Read
) -> Iterator[pl.DataFrame]:
    """Distances of a family of columns, read for as many reports at once as memory allows."""
    asked = Windows(
        settings.drift_current_sessions,
        settings.drift_reference_sessions,
        settings.drift_block_sessions,
        settings.drift_level,
    )
    sessions = _sessions(report_days[-1].item())
    symbols = max(len(transaction.read(market_queries.SYMBOLS)), 1)
    for part in _parts(report_days, sessions, asked.sessions, ROWS // symbols):
        begin = max(int(np.searchsorted(sessions, part[0])) + 1 - asked.sessions, 0)
        until = sessions[: int(np.searchsorted(sessions, part[-1])) + 1]
        family = read(transaction, until, begin)
        if not family:
            continue

        def report(day: np.datetime64, family: list[Observed] = family) -> pl.DataFrame:
            return drift_report(family, sessions, day, asked)

        with ThreadPoolExecutor(THREADS) as pool:  # NumPy lets go of the interpreter meanwhile
            yield from pool.map(report, part)


def _parts(report_days: Days, sessions: Days, reach: int, most: int) -> Iterator[Days]:
    """The report days in runs of which each needs at most `most` sessions, or one report."""
    place = np.searchsorted(sessions, report_days)
    step = max(most - reach, 1)
    for number in np.unique((place - place[0]) // step):
        yield report_days[(place - place[0]) // step == number]


def _features(transaction: Transaction, sessions: Days, begin: int) -> list[Observed]:
    """Every feature of the standard set, of all symbols."""
    first, last = sessions[begin].item(), sessions[-1].item()
    rows = read_features(transaction, STANDARD, None, first, last)
    place = np.searchsorted(sessions, rows.days)
    columns = np.ascontiguousarray(rows.values.T)
    return [
        Observed({"subject": "feature", "name": name}, place, values)
        for name, values in zip(STANDARD.columns, columns, strict=True)
        if len(rows)
    ]


def _said_by(model: str) -> Read:
    """Predictions of a model, per kind and horizon."""

    def read(transaction: Transaction, sessions: Days, begin: int) -> list[Observed]:
        first, last = sessions[begin].item(), sessions[-1].item()
        rows = transaction.read(store.PREDICTED, model_id=model, first=first, last=last)
        parts = rows.sort("kind", "horizon", "trading_day").group_by(
            "kind", "horizon", maintain_order=True
        )
        family = []
        for (kind, horizon), part in parts:
            labels = {
                "subject": "prediction",
                "name": KINDS[str(kind)].drift_input,
                "model_id": model,
            }
            labels |= {"kind": str(kind)}
            days = part["trading_day"].to_numpy().astype("datetime64[D]")
            place = np.searchsorted(sessions, days)
            family.append(
                Observed({**labels, "horizon": int(str(horizon))}, place, part["value"].to_numpy())
            )
        return family

    return read


# -- performance ---------------------------------------------------------------------------------


def _performance(
    transaction: Transaction, epoch: Epoch, models: Sequence[str], settings: Settings
) -> Iterator[pl.DataFrame]:
    """Evidence of degradation, and scores to be expected, from outcomes known in an epoch."""
    span = settings.drift_span_sessions
    sessions = _sessions(epoch.last)
    begin = int(np.searchsorted(sessions, epoch.days[0])) // span * span - span
    first = min(sessions[max(begin, 0)].item(), epoch.first - timedelta(days=366))
    sums = read_sums(transaction, first, epoch.last, epoch.last, SUMMED, models)
    losses = proper_losses(sums, CELL)
    yield degradation(losses, epoch.days, sessions, span, settings.drift_margin)
    predicted = transaction.read(
        store.OPEN,
        first=epoch.first - LONGEST,
        last=epoch.last,
        open_on=epoch.first,
        models=list(models),
    )
    yield expected_scores(known_results(sums), predicted, epoch.days)


# -- alerts --------------------------------------------------------------------------------------


def _alerts(transaction: Transaction, report_days: Days, settings: Settings) -> pl.DataFrame:
    """Alerts of the stored metrics that were not raised yet."""
    if not len(report_days):
        return pl.DataFrame()
    first, last = report_days[0].item(), report_days[-1].item()
    # As long as a current window shares days with the one that drifted.
    calm = 7 * -(-settings.drift_current_sessions // 5)
    drifted = transaction.read(
        store.DRIFTED,
        first=first - timedelta(days=calm),
        last=last,
        decisive=list(alerts.DECISIVE),
    )
    raised = transaction.read(store.ALERTS_RAISED, last=last)
    return alerts.transitions(drifted, raised, report_days, calm)


def _sessions(last: date) -> Days:
    """All trading days up to a day."""
    return Window(FIRST_DAY, last).days


def _complete(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """One frame with every column of the table, in the order of its key."""
    rows = [frame for frame in frames if len(frame)]
    table = tables.DRIFT_METRICS
    frame = pl.concat(rows, how="diagonal_relaxed") if rows else pl.DataFrame()
    absent = [pl.lit(None).alias(c) for c in table.columns if c not in frame.columns]
    if not rows:
        return pl.DataFrame(schema=dict.fromkeys(table.columns, pl.Null))
    frame = frame.with_columns(absent).with_columns(
        pl.col("is_estimate").fill_null(value=False), pl.selectors.float().fill_nan(None)
    )
    return frame.select(table.columns).sort(table.key, nulls_last=True)
