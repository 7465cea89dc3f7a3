"""What is understood of a price file, at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from predtrack_assets.reporting.tables.text import counted
from predtrack_assets.services.market.price_file import FileCheck


def file_check_table(found: FileCheck) -> RenderableType:
    """Columns, first rows, refusals and flags of a file, one under the other."""
    return Group(*_parts(found))


def _parts(found: FileCheck) -> Iterator[RenderableType]:
    reach = f", {found.first} to {found.last}" if found.first else ""
    yield Text(
        f"{found.path.name}: {counted(found.rows, 'row')} of {counted(found.symbols, 'symbol')}{reach}"
    )
    yield _table(
        ("column", "is read as", "how"), [(name, role, how) for role, name, how in found.columns]
    )
    if found.unread:
        yield Text(f"Not read: {', '.join(map(_printable, found.unread))}")
    yield Text("")
    yield Text("The first rows, as they would be stored (prices as traded)")
    yield _table(found.head.columns, [[str(v) for v in row] for row in found.head.rows()])
    yield Text("")
    yield Text(
        f"Splits and dividends: {found.actions:,}. Stated splits: {found.splits:,}, of which the"
        f" prices before contain {found.contained:,}"
    )
    if found.refused:
        yield Text(f"Refused: {counted(found.refusals, 'row')}")
        yield _counts("reason", found.refused)
    else:
        yield Text("Refused: nothing")
    if found.flagged:
        yield Text("Kept, flagged suspect")
        yield _counts("flag", found.flagged)
    for note in found.notes:
        yield Text(f"Note: {note}")


def _counts(what: str, rows: Sequence[tuple[str, int, str]]) -> Table:
    return _table((what, "rows", "for example"), [(v, f"{n:,}", _printable(e)) for v, n, e in rows])


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name)
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    return table


def _printable(text: str) -> str:
    """Control characters as escapes: what a file holds does not steer the terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
