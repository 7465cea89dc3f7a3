"""Numbers as price files spell them: thousands separators, decimal commas, signs of currencies.

A file has one style. What the plain spelling does not cover decides it; where two styles read a
cell differently and nothing in the file tells them apart, the cell is not read.

>>> read_number("$1,234.50", "point"), read_number("1.234,50", "comma"), read_number("1.2M", "point")
(1234.5, 1234.5, 1200000.0)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

Style = Literal["point", "comma"]
STYLES: tuple[Style, ...] = ("point", "comma")
MISSING = ("", "NA", "N/A", "n/a", "null", "NULL", "None", "-", "--")

_NUMBER = {
    "point": re.compile(r"[+-]?(?:\d+|\d{1,3}(?:[,' ]\d{3})+)?(?:\.\d+)?(?:[eE][+-]?\d+)?"),
    "comma": re.compile(r"[+-]?(?:\d+|\d{1,3}(?:[.' ]\d{3})+)?(?:,\d+)?(?:[eE][+-]?\d+)?"),
}
_DECORATED = re.compile(r"([$€£¥]?)\s?(.*?\d)\s?([KMBT]?)", re.DOTALL)
_TIMES = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2019": "'"})


def read_number(text: str, style: Style) -> float | None:
    """The number that `text` is in a style; None where it is none."""
    match = _DECORATED.fullmatch(text.strip().translate(_SPACES))
    if match is None:
        return None
    digits = match[2]
    if not _NUMBER[style].fullmatch(digits):
        return None
    group, point = (",", ".") if style == "point" else (".", ",")
    for mark in (group, "'", " "):
        digits = digits.replace(mark, "")
    return float(f"{float(digits.replace(point, '.')) * _TIMES[match[3]]:.15g}")


def decide_style(odd: Iterable[str], *, points_are_decimal: bool) -> Style | None:
    """The style of a file; None where both read all of it, or neither.

    Args:
        odd: its cells that are no plain numbers.
        points_are_decimal: whether a plain cell has a point that separates no thousands.
    """
    read = [{s for s in STYLES if read_number(text, s) is not None} for text in odd]
    legible = [styles for styles in read if styles]
    possible = [style for style in STYLES if all(style in styles for styles in legible)]
    if points_are_decimal and "comma" in possible:
        possible.remove("comma")
    return possible[0] if len(possible) == 1 else None


def value_of(text: str, style: Style | None) -> float | None:
    """The value of an odd cell: in the file's style or, without one, where all styles agree."""
    if style is not None:
        return read_number(text, style)
    values = {read_number(text, s) for s in STYLES}
    return values.pop() if len(values) == 1 else None
