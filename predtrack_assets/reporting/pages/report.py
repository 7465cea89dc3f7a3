"""`predtrack report`: the answer as one self-contained page with pictures of the whole record."""

from __future__ import annotations

import polars as pl

from predtrack_assets.domain.accuracy.symbol_skill import best_models
from predtrack_assets.domain.models.baselines import BASELINES
from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.reporting.pages.html import figure, items, page, paragraph, section, table
from predtrack_assets.reporting.plots.canvas import Picture
from predtrack_assets.reporting.plots.record import record_pictures
from predtrack_assets.reporting.tables.headline import headline
from predtrack_assets.reporting.tables.scoreboard import (
    HEADERS,
    NOTE,
    NUMBERS,
    cells,
    shown_rows,
    with_interval,
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
READ = (
    "Skill compares the model's loss with that of a forecast that anybody can make: 0 is no better, 1 is"
    " perfect, below 0 is worse. 0.02 is usual for good forecasts of prices, 0.1 for volatility.",
    "n_eff is what n overlapping, correlated forecasts are worth as independent ones. Intervals rest on it.",
    "A model becomes champion by passing every criterion of its gate; the column names the first it failed.",
)
SYMBOL_HEADERS = ("symbol", "kind", "sessions", "best model", "skill", "shown", "next", "n")


def report_page(record: Record, title: str = "PredTrack report") -> str:
    """The whole page as text; nothing in it comes from another host, and it needs no script."""
    pictures = record_pictures(record)
    parts = [
        f"<h1>{title}</h1>",
        items([line.strip() for line in headline(record.board)]),
        "<nav>" + "".join(f'<a href="#{n}">{t}</a>' for n, t, _ in SECTIONS) + "</nav>",
    ]
    for name, heading, shown in SECTIONS:
        extra = {"scoreboard": _board, "symbols": _symbols}.get(name)
        lead = [paragraph(SAYS[name])] if name in SAYS else []
        own = [extra(record, pictures)] if extra else []
        parts.append(section(name, heading, *lead, *(figure(pictures[p]) for p in shown), *own))
    parts.append(section("reading", "How to read this", items(READ)))
    return page(f"{title}, as of {record.board.day}", parts)


def _board(record: Record, pictures: dict[str, Picture]) -> str:
    """The picture of skills, then candidates and baselines as tables."""
    rows = record.board.rows
    candidates = [list(cells(r).values()) for r in shown_rows(rows, baselines=False)]
    others = rows.filter(pl.col("role") == "baseline")
    baselines = [list(cells(r).values()) for r in shown_rows(others, baselines=True)]
    hidden = (
        f"<details><summary>The baselines themselves</summary>{table(HEADERS, baselines, NUMBERS)}</details>"
        if baselines
        else ""
    )
    return (
        figure(pictures["skill"])
        + table(HEADERS, candidates, NUMBERS)
        + paragraph(NOTE, "muted")
        + hidden
    )


def _symbols(record: Record, _: dict[str, Picture]) -> str:
    """Which model is best on which symbol."""
    if record.symbols.is_empty():
        return paragraph("No symbol has a record yet.", "muted")
    best = best_models(record.symbols.filter(~pl.col("model_id").is_in(sorted(BASELINES))))
    rows = [symbol_cells(row) for row in best.iter_rows(named=True)]
    if not rows:
        return paragraph("No record is six months long yet: nothing tells symbols apart.", "muted")
    return table(SYMBOL_HEADERS, rows, ("sessions", "skill", "n"))


def symbol_cells(row: dict) -> list[str]:
    """One row of the best models, formatted, by SYMBOL_HEADERS."""
    low, high = row["skill_low"], row["skill_high"]
    shown = "better" if low > 0 else "worse" if high < 0 else "nothing"
    following = row["next_model"]
    return [
        row["symbol"],
        KINDS[row["kind"]].label,
        str(row["horizon"]),
        row["model_id"],
        with_interval(row["skill"], low, high, "+.3f"),
        shown,
        f"{following} {row['next_skill']:+.3f}" if following else "-",
        f"{row['n']:,}",
    ]
