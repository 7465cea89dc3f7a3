"""Effective sizes of growing windows: those of each window alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predtrack_assets.domain.statistics.effective_size import effective_sample_size
from predtrack_assets.domain.statistics.growing_windows import growing_effective_sizes


def rows(seed: int, dates: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums, counts and squares per date of values that move together and remember."""
    rng = np.random.default_rng(seed)
    shock = rng.normal(size=dates)
    level = np.convolve(shock, np.ones(5), "full")[:dates] + 0.2
    counts = rng.integers(1, 7, size=dates).astype(float)
    spread = rng.uniform(0.5, 2.0, size=dates)
    return counts * level, counts, counts * (level**2 + spread)


@given(st.integers(0, 10_000), st.sampled_from([1, 5, 21]), st.integers(1, 160))
@settings(max_examples=40, deadline=None)
def test_growing_sizes_are_those_of_each_window_alone(seed: int, horizon: int, dates: int) -> None:
    sums, counts, squares = rows(seed, dates)
    sizes = np.unique(np.linspace(1, dates, 9).astype(np.int64))
    found = growing_effective_sizes(sums, counts, squares, sizes, horizon)
    alone = [
        effective_sample_size(sums[:n], counts[:n], horizon, float(squares[:n].sum()))
        for n in sizes
    ]
    assert found == pytest.approx(alone, rel=1e-6)


def test_growing_sizes_do_not_depend_on_other_windows() -> None:
    sums, counts, squares = rows(3, 300)
    sizes = np.array([30, 100, 250, 300])
    together = growing_effective_sizes(sums, counts, squares, sizes, 5)
    alone = [growing_effective_sizes(sums, counts, squares, sizes[[i]], 5)[0] for i in range(4)]
    assert together.tolist() == alone


def test_growing_sizes_of_equal_values_are_windows_that_do_not_overlap() -> None:
    ones = np.ones(50)
    found = growing_effective_sizes(ones, ones, ones, np.array([1, 10, 50]), 5)
    assert found.tolist() == [1.0, 2.0, 10.0]
