"""What pages are made of: facts, tables, pictures, forms and sentences. HTML and CSV come of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar

Row = Mapping[str, Any]
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Bar:
    """An interval on the common scale of its column: places from 0 to 100. zero: the reference."""

    low: float
    middle: float
    high: float
    zero: float


@dataclass(frozen=True)
class Cell:
    """text, with what stands small beside it; tone: a class whose meaning the text says too."""

    text: str
    note: str = ""
    href: str = ""
    tone: str = ""
    bar: Bar | None = None


@dataclass(frozen=True)
class Column:
    """label: its heading; show: the cell of a row; numeric: set to the right."""

    label: str
    show: Callable[[Row], Cell | str]
    numeric: bool = False


@dataclass
class Grid:
    """A table. name: of its CSV; rows: what it holds; empty: what to do while it has none; source:
    what its CSV holds, where that is not the rows."""

    kind: ClassVar[str] = "grid"
    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str
    note: str = ""
    source: Sequence[Row] | None = None

    def cells(self) -> list[list[Cell]]:
        """The cells, row by row."""
        shown = [[column.show(row) for column in self.columns] for row in self.rows]
        return [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in shown]

    def csv(self) -> str:
        """All fields of the rows, unrounded. Text that a spreadsheet would take for a formula is quoted."""
        file = io.StringIO()
        rows = self.rows if self.source is None else self.source
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(names)
        writer.writerows([_plain(row.get(name)) for name in names] for row in rows)
        return file.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return _plain("; ".join(str(v) for v in value))
    return value


@dataclass(frozen=True)
class Fact:
    """One figure under its name; note: interval, n and n_eff, or why there is none."""

    label: str
    value: str
    note: str = ""
    href: str = ""
    tone: str = ""


@dataclass
class Facts:
    """A few figures side by side."""

    kind: ClassVar[str] = "facts"
    facts: Sequence[Fact]
    title: str = ""


@dataclass
class Figure:
    """A picture, named and versioned, or its sentence where nothing can be drawn."""

    kind: ClassVar[str] = "figure"
    title: str
    name: str
    alt: str
    drawn: bool
    width: int = 0
    height: int = 0


@dataclass
class Choice:
    """One select of a form: value -> words."""

    name: str
    label: str
    options: Mapping[str, str]
    chosen: str


@dataclass
class Form:
    """A GET form: every choice is in the address, so that a page can be linked to."""

    kind: ClassVar[str] = "form"
    choices: Sequence[Choice] = ()
    text: tuple[str, str, str] | None = None  # name, label, value
    button: str = "Show"


@dataclass
class Action:
    """A POST form of one button."""

    kind: ClassVar[str] = "action"
    path: str
    button: str
    note: str
    hidden: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Prose:
    """Sentences, then commands or code to copy."""

    kind: ClassVar[str] = "prose"
    title: str
    sentences: Sequence[str]
    code: str = ""


Block = Grid | Facts | Figure | Form | Action | Prose


@dataclass
class Page:
    """title: the h1; lead: the answer in a sentence; blocks in their order."""

    title: str
    lead: str
    blocks: Sequence[Block]

    def grid(self, name: str) -> Grid | None:
        """The table of a name."""
        return next((b for b in self.blocks if isinstance(b, Grid) and b.name == name), None)


def number_column(name: str, show: Callable[[Any], Cell | str], label: str = "") -> Column:
    """A column of the value of one field, set to the right."""
    return Column(label or name, lambda row: show(row[name]), numeric=True)


def bars(rows: Sequence[Row], low: str, middle: str, high: str) -> Callable[[Row], Bar | None]:
    """Bars of a column on a scale that holds zero and every interval but far outliers."""
    known = [r for r in rows if all(isinstance(r.get(k), float) for k in (low, middle, high))]
    known = [r for r in known if r[low] == r[low] and r[high] == r[high]]
    if not known:
        return lambda row: None
    reach = 1.5 * max(abs(r[middle]) for r in known)
    first = min(0.0, max(min(r[low] for r in known), -max(reach, 1e-9)))
    last = max(0.0, min(max(r[high] for r in known), max(reach, 1e-9)))
    span = (last - first) or 1.0
    ours = {id(row) for row in known}

    def place(value: float) -> float:
        return round(100 * (min(max(value, first), last) - first) / span, 1)

    def bar(row: Row) -> Bar | None:
        if id(row) not in ours:
            return None
        return Bar(place(row[low]), place(row[middle]), place(row[high]), place(0.0))

    return bar
