"""Registered models, two of them compared, and the best one for each symbol, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table

from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.reporting.tables.scoreboard import with_interval
from predtrack_assets.reporting.tables.text import number

SYMBOL_HEADERS = ("symbol", "kind", "sessions", "best model", "skill", "shown", "next", "n")


def models_table(models: pl.DataFrame) -> RenderableType:
    """Every version in the registry."""
    headers = ("model", "role", "state", "kinds", "scope", "owner", "predictions from", "to")
    rows = [
        (
            row["model_id"],
            row["role"],
            row["status"],
            ", ".join(row["kinds"]),
            row["scope"] or "-",
            row["owner"] or "predtrack",
            str(row["first_day"] or "-"),
            str(row["last_day"] or "-"),
        )
        for row in models.iter_rows(named=True)
    ]
    return _table("Models", headers, rows) if rows else "No model is registered yet."


def comparison_table(found: pl.DataFrame, model: str, other: str) -> RenderableType:
    """Paired difference of the skills of two models by kind and horizon."""
    if found.is_empty():
        return f"{model} and {other} have no outcome of the same prediction: nothing to compare."
    headers = ("kind", "sessions", "n", "n_eff", model, other, "difference", "better")
    rows = [
        (
            KINDS[row["kind"]].label,
            str(row["horizon"]),
            f"{row['n']:,}",
            number(row["n_eff"], ",.0f"),
            number(row["skill"], "+.3f"),
            number(row["skill_other"], "+.3f"),
            with_interval(
                row["skill_difference"], row["difference_low"], row["difference_high"], "+.3f"
            ),
            _better(row["difference_low"], row["difference_high"], model, other),
        )
        for row in found.iter_rows(named=True)
    ]
    title = f"Skill of {model} less that of {other}, on the same predictions"
    note = "Skill against no_change by the proper score of each kind; 95 % on n_eff."
    return Group(_table(title, headers, rows, {"kind", "better"}), note)


def best_table(best: pl.DataFrame) -> RenderableType:
    """Which model is best for which symbol."""
    rows = [symbol_cells(row) for row in best.iter_rows(named=True)]
    if not rows:
        return "No record is six months long yet: nothing tells models apart on a symbol."
    left = {"symbol", "kind", "best model", "shown", "next"}
    title = "Best model for each symbol: skill against no_change, drawn toward all symbols"
    note = (
        "The best of many models looks better than it is; 'nothing' is not shown to be any better."
    )
    return Group(_table(title, SYMBOL_HEADERS, rows, left), note)


def symbol_cells(row: dict) -> list[str]:
    """One row of the best models, formatted, by SYMBOL_HEADERS."""
    low, high = row["skill_low"], row["skill_high"]
    following = row["next_model"]
    return [
        row["symbol"],
        KINDS[row["kind"]].label,
        str(row["horizon"]),
        row["model_id"],
        with_interval(row["skill"], low, high, "+.3f"),
        "better" if low > 0 else "worse" if high < 0 else "nothing",
        f"{following} {row['next_skill']:+.3f}" if following else "-",
        f"{row['n']:,}",
    ]


def _better(low: float | None, high: float | None, model: str, other: str) -> str:
    if low is None or high is None:
        return "too early"
    return model if low > 0 else other if high < 0 else "neither shown"


def _table(
    title: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    left: Iterable[str] | None = None,
) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for header in headers:
        text = left is None or header in set(left)
        table.add_column(header, justify="left" if text else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table
