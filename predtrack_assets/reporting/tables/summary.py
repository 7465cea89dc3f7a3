"""The whole report: what is stored, how good it is, and who is champion."""

from __future__ import annotations

from rich.console import Group, RenderableType

from predtrack_assets.reporting.tables.decisions import champion_lines
from predtrack_assets.reporting.tables.scores import (
    overall_scores,
    scores_table,
    skill_table,
    success_table,
)
from predtrack_assets.reporting.tables.stored import (
    coverage_line,
    faults_table,
    fits_lines,
    origin_line,
    span_line,
    storage_table,
)
from predtrack_assets.reporting.tables.strategies import strategies_table
from predtrack_assets.warehouse.database.transaction import Database


def summary(warehouse: Database, before: dict[str, int] | None = None) -> RenderableType:
    """The whole report."""
    scores, performance = overall_scores(warehouse)
    skills = [] if performance.is_empty() else [skill_table(performance), ""]
    return Group(
        span_line(warehouse),
        "",
        storage_table(warehouse, before),
        "",
        faults_table(warehouse),
        "",
        scores_table(scores),
        "",
        *skills,
        origin_line(warehouse),
        fits_lines(warehouse),
        coverage_line(warehouse, scores),
        champion_lines(warehouse),
        "",
        success_table(warehouse),
        "",
        strategies_table(warehouse),
    )
