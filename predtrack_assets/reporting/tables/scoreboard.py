"""The scoreboard in words: one formatted row a cell, for terminals, asset pages and HTML alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from rich.console import RenderableType
from rich.table import Table

from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.reporting.tables.text import UNKNOWN, counted, number
from predtrack_assets.services.accuracy.scoreboard import Scoreboard

BETTER, WORSE, NOTHING, EARLY = "better", "worse", "nothing", "too early"
HEADERS = (
    "kind", "sessions", "model", "n", "n_eff", "skill vs no_change", "shown", "vs climatology",
    "vs drift", "calibration", "earned", "buy and hold", "drawdown", "Sharpe", "champion",
)  # fmt: skip
NUMBERS = frozenset(HEADERS) - {"kind", "model", "shown", "calibration", "champion"}
NOTE = (
    "Skill: 1 - loss / loss of the baseline, 95 % interval on n_eff. Shown: where the whole interval"
    " lies. Earned: following every BUY and SELL after 10 bp of cost, beside holding the same"
    " symbols; Sharpe a year, 95 %."
)

Row = Mapping[str, Any]


def verdict(row: Row, baseline: str = "no_change") -> str:
    """What the interval of the skill shows: better, worse, nothing; too early without one."""
    low, high = (row[f"skill_vs_{baseline}_{end}"] for end in ("low", "high"))
    if low is None or high is None:
        return EARLY
    return BETTER if low > 0 else WORSE if high < 0 else NOTHING


def skill_text(row: Row, baseline: str = "no_change") -> str:
    """Skill with its interval: +0.017 (+0.012 .. +0.021)."""
    name = f"skill_vs_{baseline}"
    if row[name] is None:
        return UNKNOWN
    return with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"], "+.3f")


def with_interval(value: float | None, low: float | None, high: float | None, spec: str) -> str:
    """A number and its interval in brackets, which is left out where there is none."""
    if value is None or low is None or high is None:
        return number(value, spec)
    return f"{value:{spec}} ({low:{spec}} .. {high:{spec}})"


def sharpe_text(row: Row) -> str:
    """Sharpe ratio a year with its interval."""
    return with_interval(row["sharpe_ratio"], row["sharpe_low"], row["sharpe_high"], ".2f")


def calibration_text(row: Row) -> str:
    """The verdict on calibration with the error that it goes by."""
    if row["calibration_quality"] is None:
        return UNKNOWN
    quality = str(row["calibration_quality"]).replace("_", " ")
    return f"{quality} (below {number(row['rms_calibration_upper'], '.3f')})"


def standing(row: Row) -> str:
    """Whether the model is champion, or why it is not: the latest gate's first failed criterion."""
    if row["is_champion"]:
        return "champion"
    if row["role"] == "baseline":
        return "baseline"
    if row["gate_status"] is None:
        return "no gate"
    if row["gate_status"] == "passed":
        return "passed its gate, not deployed"
    status = str(row["gate_status"]).replace("_", " ")
    return f"gate {status}: {_criterion(row['first_failure'])}"


def _criterion(reason: str | None) -> str:
    """Name and figure of a failure reason, without its sample."""
    return (reason or "").split(" (n ")[0].replace("insufficient_evidence", "not enough evidence")


def cells(row: Row) -> dict[str, str]:
    """One row of the scoreboard, formatted, by HEADERS."""
    earned = row["strategy_return"] is not None
    idle = earned and row["gross_exposure"] == 0
    values = (
        KINDS[row["kind"]].label,
        str(row["horizon"]),
        row["model_id"],
        f"{row['n']:,}",
        number(row["n_eff"], ",.0f"),
        skill_text(row),
        verdict(row),
        skill_text(row, "climatology"),
        skill_text(row, "drift"),
        calibration_text(row),
        "never bought or sold" if idle else number(row["strategy_return"], "+.1%"),
        number(row["hold_return"], "+.1%"),
        number(row["strategy_drawdown"], ".1%"),
        sharpe_text(row),
        standing(row),
    )
    return dict(zip(HEADERS, values, strict=True))


def board_table(board: Scoreboard | None, *, baselines: bool = False) -> RenderableType:
    """The scoreboard for a terminal."""
    if board is None or board.rows.is_empty():
        return "No prediction has fallen due yet."
    rows = [cells(row) for row in shown_rows(board.rows, baselines=baselines)]
    shown = [h for h in HEADERS if h not in ("vs climatology", "vs drift")]
    table = Table(
        title=f"Scoreboard as of {board.day}", title_justify="left", box=None, pad_edge=False
    )
    for header in shown:
        table.add_column(header, justify="right" if header in NUMBERS else "left")
    for row in rows:
        table.add_row(*(row[header] for header in shown))
    return table


def board_markdown(board: Scoreboard | None) -> str:
    """The scoreboard as Markdown, for the asset's page."""
    if board is None or board.rows.is_empty():
        return "No prediction has fallen due yet."
    lines = [
        f"**Scoreboard as of {board.day}.** {champion_sentence(board)}",
        "",
        "| " + " | ".join(HEADERS) + " |",
        "|" + "|".join("---:" if h in NUMBERS else "---" for h in HEADERS) + "|",
    ]
    rows = [*shown_rows(board.rows, baselines=False), *_only_baselines(board.rows)]
    lines += ["| " + " | ".join(cells(row).values()) + " |" for row in rows]
    return "\n".join([*lines, "", NOTE])


def shown_rows(rows: pl.DataFrame, *, baselines: bool) -> Sequence[Row]:
    """Rows of candidates, and of baselines where asked, by kind, horizon and model."""
    if not baselines:
        rows = rows.filter(pl.col("role") != "baseline")
    order = {kind: place for place, kind in enumerate(KINDS)}
    return sorted(
        rows.iter_rows(named=True), key=lambda r: (order[r["kind"]], r["horizon"], r["model_id"])
    )


def _only_baselines(rows: pl.DataFrame) -> Sequence[Row]:
    return shown_rows(rows.filter(pl.col("role") == "baseline"), baselines=True)


def champion_sentence(board: Scoreboard) -> str:
    """Who is champion of what, or that nobody is and why."""
    if len(board.champions):
        named = [
            f"{row['model_id']} for {row['kind']} {row['scope']}"
            for row in board.champions.iter_rows(named=True)
        ]
        return f"Champions: {', '.join(named)}."
    gated = board.rows.filter(pl.col("role") != "baseline", pl.col("gate_status").is_not_null())
    if gated.is_empty():
        return "No champion: no gate has been evaluated."
    if (gated["gate_status"] == "passed").any():
        return "No champion: none that passed its gate is deployed."
    return f"No champion: none of {counted(len(gated), 'gate')} is passed."
