"""Models stage: how good each version was in the year up to the end of a month, by market regime."""

from datetime import date, timedelta

import dagster as dg
import polars as pl

from predtrack_assets.assets.accuracy.day_sums import day_sums
from predtrack_assets.assets.metadata import attach, materialized, rows_of_partitions
from predtrack_assets.assets.models.registry import model_registry
from predtrack_assets.assets.models.training import skill_with_interval
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.accuracy.day_sums import LOSS_SUMS
from predtrack_assets.domain.accuracy.regime_performance import EVERY_REGIME, performance_by_regime
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.partitions import day_asset, window
from predtrack_assets.services.audit.record_run import record_run
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.accuracy.day_sums import read_sums
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.market.epochs import Epoch, outcome_epochs
from predtrack_assets.warehouse.models import scores

YEAR = timedelta(days=364)


@day_asset(schema="models", group="accuracy", deps=[day_sums, model_registry], code_version="2")
def prediction_scores(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Skill beside no_change of every version but baselines, by regime, at the end of each month."""
    written = Written()
    asked = window(context)
    days = asked.days
    with warehouse.transaction() as transaction:
        for epoch in outcome_epochs(transaction, days):
            ends = last_days_of("M", epoch.days)
            if len(ends):
                frame = _scores(transaction, epoch, ends)
                written += transaction.replace(
                    tables.PREDICTION_SCORES, frame, epoch.first, epoch.last
                )
            context.log.info(f"{epoch.first} to {epoch.last}: {written.changed:,} rows changed")
        span = (asked.start, asked.end)
        record_run(
            transaction, "accuracy_report", tables.PREDICTION_SCORES, span, written, context.run
        )
        if len(days):
            attach(context, tables_of_skill(transaction, days[-1].item()))
    rows = rows_of_partitions(warehouse, tables.PREDICTION_SCORES, asked)
    return materialized(written, per_day=rows)


def _scores(transaction: Transaction, epoch: Epoch, ends: Days) -> pl.DataFrame:
    """Scores of the report days of one epoch."""
    models = transaction.read(scores.SCORED_MODELS)["model_id"].to_list()
    first = ends[0].item() - YEAR
    sums = read_sums(transaction, first, epoch.last, epoch.last, LOSS_SUMS, models)
    return performance_by_regime(sums, ends)


def tables_of_skill(transaction: Transaction, last: date) -> dict[str, dg.MarkdownMetadataValue]:
    """The newest scores as of a day: a table per version, a column per regime."""
    rows = transaction.read(scores.NEWEST_SCORES, last=last)
    return {
        f"{evaluation} {model}": dg.MetadataValue.md(skill_table(part))
        for (evaluation, model), part in rows.group_by(
            "evaluation", "model_id", maintain_order=True
        )
    }


def skill_table(rows: pl.DataFrame) -> str:
    """Skill with its 95 % interval and n_eff, a line per kind and horizon, a column per regime."""
    regimes = [EVERY_REGIME, *sorted(set(rows["regime"]) - {EVERY_REGIME})]
    lines = [
        f"| kind | sessions | score | {' | '.join(regimes)} |",
        f"|---|---:|---|{'---|' * len(regimes)}",
    ]
    for (kind, horizon, score), cells in rows.group_by(
        "kind", "horizon", "score", maintain_order=True
    ):
        shown = {
            cell[
                "regime"
            ]: f"{skill_with_interval(cell['skill'], cell['skill_low'], cell['skill_high'])}"
            f" n {cell['n']:,}, n_eff {cell['n_eff']:,.0f}"
            for cell in cells.iter_rows(named=True)
        }
        columns = " | ".join(shown.get(regime, "") for regime in regimes)
        lines.append(f"| {kind} | {horizon} | {score} | {columns} |")
    return "\n".join(lines)
