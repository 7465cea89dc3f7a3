"""What is stored: rows, faults, gaps, fits, and what became of predictions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table

from predtrack_assets.reporting.tables.text import counted
from predtrack_assets.services.market.gaps import gap_report
from predtrack_assets.warehouse import row_counts as queries
from predtrack_assets.warehouse.database.transaction import READER, Database
from predtrack_assets.warehouse.forecasts import queries as forecasts_queries
from predtrack_assets.warehouse.forecasts.origins import ORIGINS
from predtrack_assets.warehouse.market import queries as market_queries
from predtrack_assets.warehouse.models.registry import FITS

GAPS_SHOWN = 40


def row_counts(warehouse: Database) -> dict[str, int]:
    """Rows per table, in the order of the graph."""
    counts = dict(warehouse.read(queries.row_counts()).iter_rows())
    return {str(table): counts[str(table)] for table in queries.COUNTED_TABLES}


def span_line(warehouse: Database) -> str:
    """What the market data cover."""
    span = warehouse.read(market_queries.SPAN).row(0, named=True)
    if span["last"] is None:
        return "No market data yet."
    first: date = span["first"]
    return f"{counted(span['symbols'], 'symbol')}, {first} to {span['last']}."


def storage_table(warehouse: Database, before: dict[str, int] | None = None) -> RenderableType:
    """Rows per table, and how many of them are new since `before`."""
    table = Table(title="Stored", title_justify="left", box=None, pad_edge=False)
    table.add_column("table")
    table.add_column("rows", justify="right")
    if before is not None:
        table.add_column("new", justify="right")
    for name, rows in row_counts(warehouse).items():
        new = [] if before is None else [f"{rows - before.get(name, 0):,}"]
        table.add_row(name, f"{rows:,}", *new)
    return table


def faults_table(warehouse: Database) -> RenderableType:
    """Bars refused and bars kept but flagged, by reason."""
    table = Table(title="Data faults", title_justify="left", box=None, pad_edge=False)
    for column in ("what", "reason", "bars", "symbols"):
        table.add_column(column, justify="right" if column in ("bars", "symbols") else "left")
    for reason, rows, symbols in warehouse.read(market_queries.QUARANTINE_REASONS).iter_rows():
        table.add_row("quarantined", reason, f"{rows:,}", str(symbols))
    for flag, rows, symbols in warehouse.read(market_queries.SUSPECT_FLAGS).iter_rows():
        table.add_row("kept, suspect", flag, f"{rows:,}", str(symbols))
    return table if table.row_count else "No data faults."


def gaps_found(warehouse: Database) -> pl.DataFrame | None:
    """Sessions without a bar between a symbol's first and last bar, longest gaps first; None
    without market data."""
    span = warehouse.read(market_queries.SPAN).row(0, named=True)
    if span["last"] is None:
        return None
    with warehouse.transaction(READER) as transaction:
        return gap_report(transaction, span["first"], span["last"])


def gaps_table(warehouse: Database) -> RenderableType:
    """`gaps_found` as a table."""
    found = gaps_found(warehouse)
    if found is None:
        return "No market data yet."
    if found.is_empty():
        return f"No gaps: {span_line(warehouse)}"
    symbols = found["symbol"].n_unique()
    title = (
        f"{counted(int(found['sessions'].sum()), 'session')} missing in {counted(len(found), 'gap')}"
        f" of {counted(symbols, 'symbol')}"
    )
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("symbol", "exchange", "first missing", "last missing"):
        table.add_column(column)
    table.add_column("sessions", justify="right")
    for row in found.head(GAPS_SHOWN).iter_rows():
        table.add_row(*(str(value) for value in row))
    more = len(found) - GAPS_SHOWN
    return Group(table, f"... and {more:,} more, none of them longer.") if more > 0 else table


def fits_lines(warehouse: Database) -> str:
    """Per fitted version: its fits, the days they were trained through, trials and failures."""
    lines = []
    for row in warehouse.read(FITS).iter_rows(named=True):
        if not row["fits"]:
            lines.append(f"Fits of {row['model_id']}: none.")
            continue
        extra = f", {row['failed']:,} failed" if row["failed"] else ""
        lines.append(
            f"Fits of {row['model_id']}: {row['fits']:,}, trained through {row['first']} to"
            f" {row['newest']}; {row['trials']:,} trials{extra}."
        )
    return "\n".join(lines)


def coverage_line(warehouse: Database, scores: pl.DataFrame) -> str:
    """Every prediction in exactly one status, and the share of due ones that were validated."""
    statuses = dict(warehouse.read(forecasts_queries.STATUS_COUNTS).iter_rows())
    parts = ", ".join(
        f"{statuses.get(s, 0):,} {s}" for s in ("validated", "pending", "expired", "skipped")
    )
    due, validated = (int(scores[c].sum()) if len(scores) else 0 for c in ("due", "n"))
    share = f"; {validated / due:.2%} of those due are validated" if due else ""
    return f"Predictions: {parts}{share}."


def origin_line(
    warehouse: Database,
    models: Collection[str] | None = None,
    kinds: Collection[str] | None = None,
    last: date = date.max,
) -> str:
    """How many predictions were written before the fact.

    Of some models and kinds, or of all; of decision days up to `last`.
    """
    of = {"model_id": models, "kind": kinds}
    chosen = [pl.col(name).is_in(list(these)) for name, these in of.items() if these is not None]
    found = warehouse.read(ORIGINS, last=last).filter(*chosen)
    live, replay = (int(found[origin].sum()) for origin in ("live", "replay"))
    if not live + replay:
        return "No prediction is in the ledger yet."
    if not live:
        return (
            f"All {counted(replay, 'prediction')} here are replays: recomputed as of their day, not"
            " written before it."
        )
    if not replay:
        return (
            f"All {counted(live, 'prediction')} here are live: written before their outcome could be"
            " known."
        )
    return (
        f"Of {counted(live + replay, 'prediction')} here {live:,} are live, written before their"
        f" outcome could be known, and {replay:,} replays, recomputed as of their day."
    )
