"""Digests tell rows of numbers apart, and equal rows never."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.numerics.digest import row_digest

numbers = st.lists(st.floats(allow_nan=True), min_size=2, max_size=2)


@given(numbers, numbers)
def test_equal_rows_and_only_they_have_equal_digests(left: list[float], right: list[float]) -> None:
    a, b = (row_digest(*np.array(row)[:, None]) for row in (left, right))
    same = all(
        (x != x and y != y) or np.float64(x).tobytes() == np.float64(y).tobytes()
        for x, y in zip(left, right, strict=True)
    )
    assert (a == b).all() == same


def test_the_digest_is_a_fixed_function() -> None:
    """Stored digests must mean the same in years: the value is part of the contract."""
    found = row_digest(np.array([1.5, np.nan]), np.array([-2.0, 0.0]))
    assert found.dtype == np.int64
    assert found.tolist() == KNOWN


KNOWN = [-2949926204665729441, 6009531555643646463]


def test_order_and_neighbours() -> None:
    a, b = np.array([1.0, 2.0]), np.array([2.0, 1.0])
    assert row_digest(a, b)[0] != row_digest(b, a)[0]
    assert row_digest(a, b)[0] == row_digest(a[:1], b[:1])[0]


def test_every_missing_value_is_the_same() -> None:
    negative = -np.array([np.nan])
    assert row_digest(negative) == row_digest(np.array([np.nan]))
