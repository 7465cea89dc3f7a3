"""Numbers as pages print them: a true minus sign, no 0 % or 100 % by rounding, words for no number."""

from __future__ import annotations

import math
from datetime import date, datetime

MISSING = "not known"
TOO_LITTLE, BETTER, WORSE, NEITHER = (
    "too little evidence",
    "better",
    "worse",
    "no evidence either way",
)
MINUS, THIN = "\u2212", "\u202f"


def missing(value: float | None) -> bool:
    """Whether there is no number: None, NaN or infinite."""
    return value is None or not math.isfinite(value)


def number(value: float | None, digits: int = 3, *, sign: bool = False) -> str:
    """A number with so many digits after the point.

    >>> number(-0.01234) == MINUS + '0.012', number(0.5, 1, sign=True), number(None)
    (True, '+0.5', 'not known')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:{'+' if sign else ''},.{digits}f}"
    if value and not text.strip("+-0.,"):
        text = f"{'<' if value > 0 else '>-'}{10**-digits:.{digits}f}"
    return text.replace("-", MINUS)


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction in per cent; what is not quite 0 or 1 never reads as if it were.

    >>> [percent(p).replace(THIN, " ") for p in (0.5, 0.99999, 1e-6, 1.0)]
    ['50.0 %', '>99.9 %', '<0.1 %', '100 %']
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if value in (0, 1):
        return f"{value:.0%}".replace("%", f"{THIN}%")
    least = 10.0**-digits
    if 0 < value < 1 and not least / 2 <= 100 * value < 100 - least / 2:
        bound = f"<{least:.{digits}f}" if value < 0.5 else f">{100 - least:.{digits}f}"
        return f"{bound}{THIN}%"
    return f"{100 * value:.{digits}f}{THIN}%".replace("-", MINUS)


def count(value: float | None) -> str:
    """A whole number; of an effective size what it reaches."""
    return MISSING if value is None or not math.isfinite(value) else f"{math.floor(value):,}"


def plural(n: int, noun: str) -> str:
    """`1 model`, `2,000 models`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def day(value: date | None) -> str:
    """A date, ISO 8601."""
    return value.isoformat() if value else MISSING


def moment(value: datetime | None) -> str:
    """A moment in UTC, to the minute."""
    return f"{value:%Y-%m-%d %H:%M} UTC" if value else MISSING


def duration(seconds: float) -> str:
    """A length of time in its two largest units.

    >>> duration(93_780), duration(59)
    ('1 d 2 h', '59 s')
    """
    left = int(abs(seconds))
    parts: list[tuple[int, str]] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        n, left = divmod(left, size)
        if n or parts:
            parts.append((n, unit))
    return " ".join(f"{n} {unit}" for n, unit in parts[:2] if n) or "0 s"


def verdict(low: float | None, high: float | None, n_eff: float | None, least: float) -> str:
    """What an interval of a gain shows; least: effective rows below which it is not judged."""
    if low is None or high is None or missing(low) or missing(high) or (n_eff or 0) < least:
        return TOO_LITTLE
    return BETTER if low > 0 else WORSE if high < 0 else NEITHER
