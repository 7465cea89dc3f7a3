"""Whole numbers order rows as their columns do."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.numerics.row_order import places, runs

COLUMNS = ["name", "kind", "day", "flag", "number"]


def make_rows(size: int = 500) -> pl.DataFrame:
    rng = np.random.default_rng(1)

    def some(values: list) -> list:
        return [values[i] for i in rng.integers(0, len(values), size)]

    kinds = pl.Enum(["zebra", "ant", "bee"])
    return pl.DataFrame(
        {
            "name": some(["b", "a", "", None, "ä"]),
            "kind": pl.Series(some(["ant", "zebra"]), dtype=kinds),
            "day": some([date(1969, 12, 31) + timedelta(n) for n in range(4)]),
            "flag": some([True, False, None]),
            "number": some([-3, 0, 2**31]),
        }
    )


ROWS = make_rows()


@pytest.mark.parametrize("first", range(len(COLUMNS)))
def test_places_order_as_the_columns_do(first: int) -> None:
    columns = COLUMNS[first:] + COLUMNS[:first]
    found = ROWS.select(columns)[np.argsort(places(ROWS, columns), kind="stable")]
    assert found.equals(ROWS.select(columns).sort(columns, nulls_last=True))
    assert len(np.unique(places(ROWS, columns))) == ROWS.select(columns).unique().height


def test_more_columns_go_within_the_places_that_are_there() -> None:
    within = places(ROWS, COLUMNS[:2])
    assert places(ROWS, COLUMNS[2:], within).tolist() == places(ROWS, COLUMNS).tolist()


def test_more_values_than_a_number_holds_are_numbered_anew() -> None:
    rows = ROWS.with_columns(
        pl.Series(f"wide{i}", np.random.default_rng(i).integers(0, 2**40, len(ROWS)))
        for i in range(3)
    )
    columns = ["flag", "wide0", "wide1", "wide2"]
    order = np.argsort(places(rows, columns), kind="stable")
    assert rows.select(columns)[order].equals(rows.select(columns).sort(columns, nulls_last=True))


def test_runs_of_equal_places() -> None:
    run, begins = runs(np.array([3, 3, 5, 9, 9, 9]))
    assert (run.tolist(), begins.tolist()) == ([0, 0, 1, 2, 2, 2], [0, 2, 3])


def test_no_rows_no_places() -> None:
    empty = places(ROWS[:0], COLUMNS)
    assert empty.size == 0
    assert [part.size for part in runs(empty)] == [0, 0]
