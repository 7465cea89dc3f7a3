"""No training label may reach into a test block, however the labels end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from predtrack_assets.domain.models.walk_forward import Fold, walk_forward

FIRST = np.datetime64("2020-01-01")


@st.composite
def labelled(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Decision days in order, several rows a day, and ends up to 30 days later."""
    days = draw(st.lists(st.integers(0, 120), min_size=15, max_size=80))
    lengths = draw(st.lists(st.integers(0, 30), min_size=len(days), max_size=len(days)))
    day = FIRST + np.sort(np.array(days))
    return day, day + np.array(lengths)


def overlapping(day: np.ndarray, end: np.ndarray, fold: Fold) -> bool:
    """Whether any training label [day, end] shares a day with any test label, pair by pair."""
    return any(day[i] <= end[j] and day[j] <= end[i] for i in fold.train for j in fold.test)


@given(
    rows=labelled(),
    folds=st.integers(1, 4),
    window=st.one_of(st.none(), st.integers(1, 40)),
    embargo=st.integers(0, 5),
    both_sides=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_no_training_label_overlaps_a_test_label(
    rows: tuple[np.ndarray, np.ndarray],
    folds: int,
    window: int | None,
    embargo: int,
    both_sides: bool,
) -> None:
    day, end = rows
    days = np.unique(day)
    assume(len(days) >= 3 * folds)
    made = walk_forward(
        day, end, folds=folds, window=window, embargo=embargo, both_sides=both_sides
    )
    position = np.searchsorted(days, day)
    for fold in made:
        assert not overlapping(day, end, fold)
        first, last = position[fold.test].min(), end[fold.test].max()
        before = fold.train[position[fold.train] < first]
        after = fold.train[position[fold.train] >= first]
        assert both_sides or not len(after)
        for i in before:
            between = ((days > end[i]) & (days < days[first])).sum()
            assert between >= embargo
        for i in after:
            assert ((days > last) & (days < day[i])).sum() >= embargo
        if window is not None and not both_sides:
            assert (first - position[fold.train] <= window).all()


@given(rows=labelled(), folds=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_test_blocks_are_the_later_days_each_once(
    rows: tuple[np.ndarray, np.ndarray], folds: int
) -> None:
    day, _ = rows
    assume(len(np.unique(day)) >= 3 * folds)
    made = walk_forward(day, day, folds=folds, first=0.5)
    tested = np.concatenate([fold.test for fold in made])
    np.testing.assert_array_equal(tested, np.arange(tested[0], len(day)))


def test_everything_that_ended_in_time_is_trained_on() -> None:
    day = FIRST + np.arange(100)
    last = walk_forward(day, day + 5, folds=2, first=0.5)[-1]
    np.testing.assert_array_equal(last.test, np.arange(75, 100))
    np.testing.assert_array_equal(last.train, np.arange(70))


def test_what_cannot_be_split_is_refused() -> None:
    day = FIRST + np.arange(3)
    with pytest.raises(ValueError, match="3 decision days are too few for 5 folds"):
        walk_forward(day, day, folds=5)
    with pytest.raises(ValueError, match="label that ends"):
        walk_forward(day, np.full(3, np.datetime64("NaT")), folds=1)
