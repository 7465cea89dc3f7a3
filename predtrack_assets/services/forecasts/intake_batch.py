"""A batch on its way: the rows that have no answer yet as a frame, and an answer per row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from predtrack_assets.domain.forecasts.intake.completion import STATED
from predtrack_assets.domain.forecasts.intake.rows import (
    SHOWN,
    Refusal,
    Refused,
    Statement,
    is_plain,
    statement,
)

CELL = ["symbol", "kind", "trading_day", "horizon"]
OPEN: dict[str, Any] = {
    "index": pl.Int64(),
    "symbol": pl.String(),
    "kind": pl.String(),
    "horizon": pl.Int16(),
    "exchange_said": pl.String(),
    "day_said": pl.Date(),
    "due_said": pl.Date(),
    "unit": pl.String(),
    "value": pl.Float64(),
    "target_said": pl.Float64(),
    "predicted_days": pl.Float64(),
    "hit_rule": pl.String(),
    **dict.fromkeys(STATED, pl.Float64()),
}
STATUSES = ("accepted", "duplicate", "conflict", "rejected")


class Batch:
    """Rows and their answers.

    answers: one dict a row, in their order; with a status once it is known. open: rows without
    one, columns of OPEN and what was found out since; sorted by index.
    """

    def __init__(self, rows: Sequence[Any]) -> None:
        self.answers: list[dict[str, Any]] = []
        columns: list[tuple[Any, ...]] = []
        for index, raw in enumerate(rows):
            answer: dict[str, Any] = {"index": index}
            client_id = raw.get("client_id") if isinstance(raw, Mapping) else None
            if isinstance(client_id, str) and is_plain(client_id[:SHOWN]):
                answer["client_id"] = client_id[:SHOWN]
            self.answers.append(answer)
            try:
                columns.append((index, *_columns(statement(raw))))
            except Refused as refused:
                _refuse(answer, refused.refusal)
        self.open = pl.DataFrame(columns, schema=OPEN, orient="row")

    def refuse(
        self,
        where: pl.Expr,
        code: str,
        pointer: str,
        message: str | Callable[[dict[str, Any]], str],
    ) -> None:
        """Answer open rows with a code; message may be made of a row."""
        refused = self.open.filter(where)
        if refused.is_empty():
            return
        for row in refused.iter_rows(named=True):
            text = message if isinstance(message, str) else message(row)
            _refuse(self.answers[row["index"]], Refusal(code, pointer, text))
        self.open = self.open.filter(~where)

    def answer(self, rows: pl.DataFrame) -> None:
        """Add columns of `rows` to the answers of their index; null ones are left out."""
        for row in rows.iter_rows(named=True):
            found = self.answers[row.pop("index")]
            found.update((name, value) for name, value in row.items() if value is not None)

    def counts(self) -> dict[str, int]:
        """Rows by status."""
        found = Counter(answer.get("status") for answer in self.answers)
        return {name: found[name] for name in STATUSES}


def _columns(stated: Statement) -> tuple[Any, ...]:
    row = stated.row
    common = (row.symbol, stated.kind, row.horizon, row.exchange, row.decision_day, row.due_day)
    no_target, no_price = (None,) * 3, (None,) * len(STATED)
    if stated.kind == "price":
        return (*common, stated.unit, None, *no_target, *stated.values)
    if row.time_to_hit is not None:
        probability, *target = stated.values
        return (*common, stated.unit, probability, *target, row.time_to_hit.rule, *no_price)
    return (*common, stated.unit, stated.values[0], *no_target, *no_price)


def _refuse(answer: dict[str, Any], why: Refusal) -> None:
    answer |= {
        "status": "rejected",
        "code": why.code,
        "pointer": why.pointer,
        "message": why.message,
    }
