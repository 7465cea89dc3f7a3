"""Parts are made one ahead, in order, and what goes wrong in one is raised where it is taken."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest

from predtrack_assets.warehouse.database.read_ahead import ahead, read_ahead


@pytest.mark.parametrize("parts", [[], [1], [1, 2, 3], [None, [], 0]])
def test_the_parts_are_the_same_in_the_same_order(parts: list[object]) -> None:
    assert list(ahead(parts)) == parts


def test_the_next_part_is_made_while_one_is_worked_on() -> None:
    begun = Event()

    def made() -> Iterator[int]:
        yield 1
        begun.set()
        yield 2

    for part in ahead(made()):
        assert part == 2 or begun.wait(timeout=60)


def test_a_part_that_cannot_be_made_is_raised_after_those_before_it() -> None:
    taken = read_ahead(lambda n: 6 // n, [3, 2, 0, 1])
    assert [next(taken), next(taken)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(taken)
