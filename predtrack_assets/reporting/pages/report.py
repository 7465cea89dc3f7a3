"""`predtrack report`: the answer as one self-contained page with pictures of the whole record."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from predtrack_assets.domain.accuracy.symbol_skill import best_models
from predtrack_assets.domain.models.baselines import BASELINES
from predtrack_assets.reporting.pages.html import figure, items, page, paragraph, section, table
from predtrack_assets.reporting.plots.canvas import Picture
from predtrack_assets.reporting.plots.record import record_pictures
from predtrack_assets.reporting.tables.headline import headline
from predtrack_assets.reporting.tables.models import SYMBOL_HEADERS, symbol_cells
from predtrack_assets.reporting.tables.scoreboard import (
    NOTE,
    NUMBERS,
    cells,
    shown_rows,
)
from predtrack_assets.services.accuracy.record import Record

SECTIONS = (
    ("scoreboard", "Scoreboard", ()),
    ("money", "What following it would have earned", ("equity", "drawdown")),
    ("over-time", "Skill over time", ("skill_over_time",)),
    ("calibration", "Calibration", ("calibration",)),
    ("symbols", "By symbol", ("symbols",)),
    ("coverage", "Coverage", ("coverage",)),
)
SAYS = {
    "money": "Every BUY and SELL of a model, followed on paper whether or not it is champion: each day a"
    " part of the capital in equal parts over the symbols, held to the horizon, 10 basis points of cost a"
    " position. Beside it the same symbols held. A paper result is no promise.",
    "over-time": "Skill of the record up to each week. An interval that stays on one side of the rule"
    " shows something; one that narrows around it shows that there is nothing.",
    "calibration": "Do events occur as often as predicted? Dots on the diagonal are calibrated; bars hold"
    " 90 % of what a calibrated forecaster shows. The event of a price, within 5 %, speaks of this period"
    " only: quiet and wild years differ.",
    "symbols": "Skill on each symbol, drawn toward the skill on all symbols as far as chance explains the"
    " difference. The best of many models looks better than it is.",
    "coverage": "Of the predictions due, the share that was validated.",
}
_CELL = ("kind", "sessions", "model")
SKILL = (*_CELL, "n", "n_eff", "skill vs no_change", "shown", "calibration", "champion")
BESIDE = (*_CELL, "skill vs no_change", "vs climatology", "vs drift")
MONEY = (*_CELL, "earned", "buy and hold", "drawdown", "Sharpe")
READ = (
    "Skill compares the model's loss with that of a forecast that anybody can make: 0 is no better, 1 is"
    " perfect, below 0 is worse. 0.02 is usual for good forecasts of prices, 0.1 for volatility.",
    "n_eff is what n overlapping, correlated forecasts are worth as independent ones. Intervals rest on it.",
    "A model becomes champion by passing every criterion of its gate; the column names the first it failed.",
)


def report_page(record: Record, title: str = "PredTrack report") -> str:
    """The whole page as text; nothing in it comes from another host, and it needs no script."""
    pictures = record_pictures(record)
    parts = [
        f"<h1>{title}</h1>",
        "".join(
            paragraph(line.strip(), "detail" if line.startswith(" ") else "")
            for line in headline(record.board)
        ),
        "<nav>" + "".join(f'<a href="#{n}">{t}</a>' for n, t, _ in SECTIONS) + "</nav>",
    ]
    for name, heading, shown in SECTIONS:
        extra = {"scoreboard": _board, "money": _money, "symbols": _symbols}.get(name)
        lead = [paragraph(SAYS[name])] if name in SAYS else []
        own = [extra(record, pictures)] if extra else []
        parts.append(section(name, heading, *lead, *(figure(pictures[p]) for p in shown), *own))
    parts.append(section("reading", "How to read this", items(READ)))
    return page(f"{title}, as of {record.board.day}", parts)


def _board(record: Record, pictures: dict[str, Picture]) -> str:
    """The picture of skills, then candidates as a table; other baselines and their own rows folded."""
    rows = record.board.rows
    baselines = rows.filter(pl.col("role") == "baseline")
    folded = (
        ("Beside the other baselines", _part(rows, BESIDE, baselines=False)),
        ("The baselines themselves", _part(baselines, SKILL, baselines=True)),
    )
    return "".join(
        (
            figure(pictures["skill"]),
            _part(rows, SKILL, baselines=False),
            paragraph(NOTE, "muted"),
            *(f"<details><summary>{title}</summary>{part}</details>" for title, part in folded),
        )
    )


def _money(record: Record, _: dict[str, Picture]) -> str:
    """What following each candidate earned beside buy and hold."""
    rows = record.board.rows.filter(pl.col("strategy_return").is_not_null())
    return _part(rows, MONEY, baselines=False)


def _part(rows: pl.DataFrame, headers: Sequence[str], *, baselines: bool) -> str:
    """Some columns of the scoreboard as a table."""
    made = [cells(row) for row in shown_rows(rows, baselines=baselines)]
    return table(headers, [[row[h] for h in headers] for row in made], NUMBERS)


def _symbols(record: Record, _: dict[str, Picture]) -> str:
    """Which model is best on which symbol."""
    if record.symbols.is_empty():
        return paragraph("No symbol has a record yet.", "muted")
    best = best_models(record.symbols.filter(~pl.col("model_id").is_in(sorted(BASELINES))))
    rows = [symbol_cells(row) for row in best.iter_rows(named=True)]
    if not rows:
        return paragraph("No record is six months long yet: nothing tells symbols apart.", "muted")
    return table(SYMBOL_HEADERS, rows, ("sessions", "skill", "n"))
