"""The answer in sentences: what is better than its baseline, what it earned, who is champion."""

from __future__ import annotations

from collections.abc import Sequence

from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.reporting.tables.scoreboard import (
    BETTER,
    WORSE,
    Row,
    champion_sentence,
    sharpe_text,
    shown_rows,
    skill_text,
    standing,
    verdict,
)
from predtrack_assets.reporting.tables.text import counted, number
from predtrack_assets.services.accuracy.scoreboard import Scoreboard

SHOWN = 4


def headline(board: Scoreboard | None) -> list[str]:
    """At most a dozen lines: the scoreboard's answer, the best first."""
    if board is None or board.rows.is_empty():
        return [
            "No prediction has fallen due yet: `predtrack backfill` computes outcomes and scores."
        ]
    rows = shown_rows(board.rows, baselines=False)
    validated, live = (int(board.rows[name].sum()) for name in ("validated", "live"))
    first = min(board.rows["first_due"].to_list())
    lines = [
        f"As of {board.day}, over predictions due from {first} on:"
        f" {validated:,} validated, {live:,} of them written before their outcome."
    ]
    if not rows:
        return [*lines, "Only baselines predict: register a model to see whether it is any better."]
    better = sorted(_of(rows, BETTER), key=lambda r: -(r["skill_vs_no_change_low"] or 0))
    worse = _of(rows, WORSE)
    if better:
        count = f"{len(better)} of {counted(len(rows), 'record')}"
        lines.append(f"Better than no_change beyond doubt (95 %): {count}.")
        lines += [f"  {_name(row)}: skill {skill_text(row)}" for row in better[:SHOWN]]
        if len(better) > SHOWN:
            lines.append(f"  and {len(better) - SHOWN} more")
    else:
        lines.append(
            f"Nothing is better than no_change beyond doubt, of {counted(len(rows), 'record')}."
        )
    rest = len(rows) - len(better) - len(worse)
    lines.append(f"Worse: {len(worse)}. Nothing shown: {rest}.")
    return [*lines, *money_lines(rows), champion_sentence(board), *_nearest(rows)]


def money_lines(rows: Sequence[Row]) -> list[str]:
    """What following the record with the highest Sharpe ratio earned, beside holding the symbols."""
    traded = [row for row in rows if row["sharpe_ratio"] is not None]
    if not traded:
        return ["Nothing was ever bought or sold: no record has a return to show."]
    best = max(traded, key=lambda row: row["sharpe_ratio"])
    idle = sum(r["sharpe_ratio"] is None for r in rows if r["strategy_return"] is not None)
    never = [f"  Never bought or sold: {counted(idle, 'record')}."] if idle else []
    return [
        f"Highest Sharpe ratio: following {_name(best)}:"
        f" {number(best['strategy_return'], '+.1%')} after cost, largest loss"
        f" {number(best['strategy_drawdown'], '.1%')}, Sharpe {sharpe_text(best)}.",
        f"  Holding the same symbols: {number(best['hold_return'], '+.1%')}, largest loss"
        f" {number(best['hold_drawdown'], '.1%')}, Sharpe {number(best['hold_sharpe'], '.2f')}.",
        *never,
    ]


def _nearest(rows: Sequence[Row]) -> list[str]:
    """Why the gated record with the highest skill is not champion."""
    judged = [r for r in rows if r["gate_status"] not in (None, "passed") and not r["is_champion"]]
    if not judged:
        return []
    nearest = max(judged, key=lambda row: row["skill_vs_no_change"] or float("-inf"))
    return [f"  nearest: {_name(nearest)}: {standing(nearest)}"]


def _of(rows: Sequence[Row], what: str) -> list[Row]:
    return [row for row in rows if verdict(row) == what]


def _name(row: Row) -> str:
    """pooled-v1, price 5 sessions ahead."""
    return (
        f"{row['model_id']}, {KINDS[row['kind']].label} {counted(row['horizon'], 'session')} ahead"
    )
