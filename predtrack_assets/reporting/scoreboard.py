"""The page of the scoreboard: its table and the pictures of the whole record, from what is stored."""

from __future__ import annotations

from datetime import date

from predtrack_assets.reporting.plots.canvas import Picture
from predtrack_assets.reporting.plots.record import record_pictures
from predtrack_assets.reporting.tables.scoreboard import board_markdown
from predtrack_assets.services.accuracy.record import read_record
from predtrack_assets.warehouse.database.transaction import Transaction


def metadata_of(transaction: Transaction, day: date) -> dict[str, Picture]:
    """What the asset's page shows at the end of a day."""
    record = read_record(transaction, day, by_symbol=False)
    if record is None:
        return {"scoreboard": Picture(board_markdown(None))}
    pictures = {n: p for n, p in record_pictures(record).items() if n != "symbols"}
    return {"scoreboard": Picture(board_markdown(record.board)), **pictures}
