"""Reading the next part while the last one is worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Rows = TypeVar("Rows")


def read_ahead(read: Callable[[Part], Rows], parts: Sequence[Part]) -> Iterator[Rows]:
    """read(part) of each part, in order, one ahead in a thread.

    Until the last one is taken, nothing else may use the connection that `read` uses.
    """
    with ThreadPoolExecutor(1) as reader:
        pending = [reader.submit(read, part) for part in parts[:1]]
        for following in parts[1:]:
            rows = pending.pop().result()
            pending.append(reader.submit(read, following))
            yield rows
        for last in pending:
            yield last.result()
