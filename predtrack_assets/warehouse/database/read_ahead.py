"""Making the next part while the last one is worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Part = TypeVar("Part")
Rows = TypeVar("Rows")


def ahead(parts: Iterable[Rows]) -> Iterator[Rows]:
    """The same parts in the same order, each made in a thread while the one before is worked on.

    Until the last one is taken, nothing else may use a connection that `parts` reads from.
    """
    source = iter(parts)

    def following() -> list[Rows]:
        return list(islice(source, 1))

    with ThreadPoolExecutor(1) as maker:
        made = maker.submit(following)
        while part := made.result():
            made = maker.submit(following)
            yield from part


def read_ahead(read: Callable[[Part], Rows], parts: Iterable[Part]) -> Iterator[Rows]:
    """read(part) of each part, in order, one ahead in a thread."""
    return ahead(map(read, parts))
