"""How reports at a terminal are worded and how wide they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console

UNKNOWN = "-"


def counted(n: int, noun: str) -> str:
    """`n` of something: 1 bar, 2,000 bars."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def number(value: float | None, spec: str) -> str:
    """A number as `spec` says, or a dash where there is none."""
    return UNKNOWN if value is None or value != value else format(value, spec)


def wide_console() -> Console:
    """Standard output, wide enough for the scores even when it is a pipe."""
    console = Console(highlight=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=150)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; pipes in cells are escaped."""
    lines = [tuple(head), ("---",) * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |"
        for line in lines
    )
