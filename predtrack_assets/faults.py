"""What the command line says in a sentence instead of a traceback."""

from collections.abc import Collection
from difflib import get_close_matches


class Fault(RuntimeError):
    """A fault that whoever runs PredTrack can mend; the message says what is wrong and what to do."""


def did_you_mean(name: str, known: Collection[str], otherwise: str = "known") -> str:
    """The end of a sentence about a name that is none: the nearest of `known`, else all of them.

    otherwise: what all of them are called.

    >>> did_you_mean("forecast", ["forecasts", "market"])
    '; did you mean forecasts?'
    >>> did_you_mean("x", ["no_change", "drift"])
    '; known are drift, no_change'
    """
    if near := get_close_matches(name.lower(), sorted(known), 2, 0.6):
        return f"; did you mean {' or '.join(near)}?"
    return f"; {otherwise} are {', '.join(sorted(known))}" if known else ""


def printable(text: str) -> str:
    """The text with what would control a terminal shown as its escape; lines stay.

    >>> printable("bell " + chr(7))
    'bell \\\\x07'
    """
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
