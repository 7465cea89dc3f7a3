"""How good predictions are: scores to date, skill, and the success metrics of the requirements."""

from __future__ import annotations

from typing import Any

import polars as pl
from rich.console import RenderableType
from rich.table import Table

from predtrack_assets.domain.accuracy.performance import with_skill_interval
from predtrack_assets.domain.models.baselines import BASELINES
from predtrack_assets.domain.models.kinds import PROPER_SCORES
from predtrack_assets.reporting.tables.text import number
from predtrack_assets.services.accuracy.period_reports import report_to_date
from predtrack_assets.warehouse.accuracy.success import SUCCESS_METRICS
from predtrack_assets.warehouse.database.transaction import Database


def overall_scores(warehouse: Database) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Event rates and scores beside the baselines over all outcomes to date.

    Both are empty when nothing has been validated.
    """
    report = report_to_date(warehouse)
    return (report.rates, report.performance) if report else (pl.DataFrame(), pl.DataFrame())


def scores_table(scores: pl.DataFrame) -> RenderableType:
    """Event rate with interval, calibration and skill per kind, horizon and model."""
    if scores.is_empty():
        return "No prediction has fallen due yet."
    table = Table(title="Scores to date", title_justify="left", box=None, pad_edge=False)
    headers = ("event", "sessions", "model", "n", "n_eff", "event rate", "95 % interval", "ECE")
    for header in (*headers, "skill vs no_change", "vs climatology"):
        left = header in ("event", "model")
        table.add_column(header, justify="left" if left else "right", no_wrap=True)
    previous = None
    for row in scores.sort("kind", "horizon", "model_id").iter_rows(named=True):
        cell = (row["event"], row["horizon"])
        if previous not in (None, cell):
            table.add_section()
        table.add_row(*(_cells(row, repeat=cell != previous)))
        previous = cell
    return table


def _cells(row: dict[str, Any], *, repeat: bool) -> list[str]:
    return [
        row["event"] if repeat else "",
        str(row["horizon"]) if repeat else "",
        row["model_id"],
        f"{row['n']:,}",
        number(row["n_eff"], ",.0f"),
        number(row["event_rate"], ".1%"),
        f"{number(row['event_low'], '.1%')} .. {number(row['event_high'], '.1%')}",
        number(row["ece"], ".3f"),
        number(row["skill_vs_no_change"], "+.3f"),
        number(row["skill_vs_climatology"], "+.3f"),
    ]


def skill_table(performance: pl.DataFrame) -> RenderableType:
    """Skill of every model that is no baseline against no_change, by the proper score of its kind."""
    proper = pl.DataFrame(list(PROPER_SCORES.items()), schema=["kind", "score"], orient="row")
    rows = performance.join(proper, on=["kind", "score"]).filter(
        (pl.col("baseline") == "no_change") & ~pl.col("model_id").is_in(sorted(BASELINES))
    )
    table = Table(
        title="Skill against no_change (0: nothing gained, 1: perfect)",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for header in ("kind", "score", "model"):
        table.add_column(header, no_wrap=True)
    for header in ("sessions", "n", "n_eff", "skill", "95 % interval", "shown"):
        table.add_column(header, justify="right", no_wrap=True)
    ordered = with_skill_interval(rows).sort("kind", "model_id", "horizon")
    for row in ordered.iter_rows(named=True):
        low, high = row["skill_low"], row["skill_high"]
        table.add_row(
            *(row["kind"], row["score"], row["model_id"], str(row["horizon"]), f"{row['n']:,}"),
            number(row["n_eff"], ",.0f"),
            number(row["skill"], "+.3f"),
            f"{number(low, '+.3f')} .. {number(high, '+.3f')}",
            "-" if low is None or high is None else row["shown"],
        )
    return table


def success_table(warehouse: Database) -> RenderableType:
    """The success metrics of the requirements; of each model's calibrations the worst."""
    judged = pl.Enum(["not", "insufficient", "holds"])
    calibration = pl.col("metric") == "calibration"
    model = pl.col("subject").str.split(" ").list.first()
    found = (
        warehouse.read(SUCCESS_METRICS)
        .with_columns(pl.when(calibration).then(model).otherwise("subject").alias("of"))
        .sort(pl.col("status").cast(judged), "value", descending=[False, True], maintain_order=True)
        .with_columns(pl.len().over("metric", "of").alias("many"))
        .unique(["metric", "of"], keep="first", maintain_order=True)
        .sort(calibration.not_(), "metric", "of")
    )
    table = Table(title="Success metrics", title_justify="left", box=None, pad_edge=False)
    for column in ("metric", "of", "target", "value", "n", "status"):
        table.add_column(column, justify="right" if column in ("target", "value", "n") else "left")
    for row in found.iter_rows(named=True):
        shape = {"calibration": ".3f", "bad_deployments": ",.0f"}.get(row["metric"], ".2%")
        worst = f", worst of {row['many']}" if row["many"] > 1 else ""
        cells = (row["target"], number(row["value"], shape), f"{row['n']:,}", row["status"])
        table.add_row(row["metric"], row["subject"] + worst, *cells)
    return table
