"""Results of the deployment gates as a table for the page of their asset."""

from __future__ import annotations

from datetime import date

from predtrack_assets.reporting.tables.text import markdown_table
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.deployment import queries


def gates_markdown(transaction: Transaction, last: date) -> str:
    """The latest gate of each model, kind and horizon up to a day, passed ones first."""
    rows = transaction.read(queries.GATES_UP_TO, last=last)
    if rows.is_empty():
        return f"No gate has been evaluated up to {last}."
    head = ("kind", "sessions", "model", "gate of", "status", "why not")
    cells = (
        (kind, horizon, model, day, status.replace("_", " "), "; ".join(reasons))
        for kind, horizon, model, day, status, reasons in rows.iter_rows()
    )
    return markdown_table(head, cells)
