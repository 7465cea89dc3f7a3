"""Windows and recursions against plain loops, and their bits against where an array starts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain import rolling


def matrix(rows: int, seed: int, gaps: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 3))
    x[random.random(x.shape) < gaps] = np.nan
    return x


@given(st.integers(1, 40), st.lists(st.integers(1, 45), min_size=1, max_size=4), st.integers(0, 99))
def test_window_sums_are_the_sums_of_the_last_rows(
    rows: int, windows: list[int], seed: int
) -> None:
    x = matrix(rows, seed)
    for n, total in zip(windows, rolling.window_sums(x, windows), strict=True):
        expected = [x[max(t - n + 1, 0) : t + 1].sum(axis=0) for t in range(rows)]
        np.testing.assert_allclose(total, expected, atol=1e-12)


@given(st.integers(1, 40), st.lists(st.integers(1, 45), min_size=1, max_size=4), st.integers(0, 99))
def test_window_extremes_are_those_of_the_last_rows(
    rows: int, windows: list[int], seed: int
) -> None:
    x = matrix(rows, seed, gaps=0.3)
    kept = x.copy()
    for n, found in zip(windows, rolling.window_extremes(x, windows, np.fmax), strict=True):
        expected = [np.fmax.reduce(x[max(t - n + 1, 0) : t + 1]) for t in range(rows)]
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(x, kept, err_msg="the input is left as it was")


@pytest.mark.parametrize("n", [1, 2, 5, 21, 63])
def test_bits_of_a_window_do_not_depend_on_the_rows_before_it(n: int) -> None:
    x = matrix(200, 1)
    whole = rolling.window_sums(x, [n])[0]
    for start in (1, 7, 100):
        part = rolling.window_sums(x[start:], [n])[0]
        assert np.array_equal(part[n - 1 :], whole[start + n - 1 :])
    x[:100] = 1e300
    after = rolling.window_sums(x, [n])[0]
    assert np.array_equal(after[100 + n - 1 :], whole[100 + n - 1 :])


@given(st.integers(1, 60), st.integers(1, 20), st.sampled_from([0.0, 0.3]), st.integers(0, 99))
def test_smoothing_is_seeded_with_a_mean_and_held_over_gaps(
    rows: int, n: int, gaps: float, seed: int
) -> None:
    x = matrix(rows, seed, gaps)
    for result, alpha in ((rolling.ema(x, n), 2 / (n + 1)), (rolling.wilder(x, n), 1 / n)):
        for column in range(3):
            seen: list[float] = []
            mean = np.nan
            for t in range(rows):
                if not np.isnan(x[t, column]):
                    seen.append(x[t, column])
                    if len(seen) == n:
                        mean = np.mean(seen)
                    elif len(seen) > n:
                        mean += alpha * (x[t, column] - mean)
                np.testing.assert_allclose(result[t, column], mean, atol=1e-12)


def test_hold_fills_gaps_up_to_a_limit() -> None:
    gap = np.array([[np.nan], [1.0], [np.nan], [np.nan], [np.nan], [2.0]])
    assert rolling.hold(gap, 2)[:, 0].tolist()[1:4] == [1.0, 1.0, 1.0]
    assert np.isnan(rolling.hold(gap, 2)[[0, 4], 0]).all()
    assert rolling.hold(gap)[4, 0] == 1.0


def test_shift_moves_rows_down() -> None:
    x = matrix(4, 0)
    assert np.array_equal(rolling.shift(x, 1)[1:], x[:-1])
    assert np.isnan(rolling.shift(x, 9)).all()
