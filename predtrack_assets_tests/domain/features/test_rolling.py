"""Windows and recursions against plain loops, and their bits against where an array starts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predtrack_assets.domain.features import indicators
from predtrack_assets.domain.features.price_features import shift

SYMBOLS = 3
SIZES = st.integers(1, 40)
SEEDS = st.integers(0, 99)
COMPILING = settings(deadline=None)  # at the first example


def matrix(sessions: int, seed: int, gaps: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = random.normal(size=(SYMBOLS, sessions))
    x[random.random(x.shape) < gaps] = np.nan
    return x


def windows_of(x: np.ndarray, n: int) -> list[np.ndarray]:
    """The last n numbers up to each session."""
    return [x[:, max(t - n + 1, 0) : t + 1] for t in range(x.shape[1])]


@COMPILING
@given(SIZES, st.lists(st.integers(1, 45), min_size=1, max_size=4), SEEDS)
def test_window_sums_are_the_sums_of_the_last_sessions(
    sessions: int, windows: list[int], seed: int
) -> None:
    x = matrix(sessions, seed)
    kept = x.copy()
    sums = indicators.window_sums(x, np.array(windows))
    for at, n in enumerate(windows):
        expected = np.transpose([part.sum(axis=1) for part in windows_of(x, n)])
        np.testing.assert_allclose(sums[:, at], expected, atol=1e-12)
    np.testing.assert_array_equal(x, kept, err_msg="the input is left as it was")


@COMPILING
@given(SIZES, st.integers(1, 45), SEEDS)
def test_windows_with_gaps(sessions: int, n: int, seed: int) -> None:
    x = matrix(sessions, seed, gaps=0.3)
    kept = x.copy()
    parts = windows_of(x, n)
    counts = np.transpose([(~np.isnan(part)).sum(axis=1) for part in parts])
    np.testing.assert_array_equal(indicators.window_counts(x, n), counts)
    for extreme, sign in ((np.fmax, 1.0), (np.fmin, -1.0)):
        expected = np.transpose([extreme.reduce(part, axis=1) for part in parts])
        np.testing.assert_array_equal(indicators.window_extremes(x, n, sign), expected)
    fewest = (n + 1) // 2
    sums = np.transpose([np.nansum(part, axis=1) for part in parts])
    means = np.where(counts >= fewest, sums / np.maximum(counts, 1), np.nan)
    np.testing.assert_allclose(indicators.window_means(x, n, fewest), means, atol=1e-12)
    whole = np.where(counts == n, sums / n, np.nan)
    np.testing.assert_allclose(indicators.sma(x, n), whole, atol=1e-12)
    np.testing.assert_array_equal(x, kept, err_msg="the input is left as it was")


@pytest.mark.parametrize("n", [1, 2, 5, 21, 63])
def test_bits_of_a_window_do_not_depend_on_the_sessions_before_it(n: int) -> None:
    def sums(x: np.ndarray) -> np.ndarray:
        return indicators.window_sums(np.ascontiguousarray(x), np.array([n, 126]))[:, 0]

    x = matrix(200, 1)
    whole = sums(x)
    for start in (1, 7, 100):
        assert np.array_equal(sums(x[:, start:])[:, n - 1 :], whole[:, start + n - 1 :])
    x[:, :100] = 1e300
    assert np.array_equal(sums(x)[:, 100 + n - 1 :], whole[:, 100 + n - 1 :])


@COMPILING
@given(st.integers(1, 60), st.integers(1, 20), st.sampled_from([0.0, 0.3]), SEEDS)
def test_smoothing_is_seeded_with_a_mean_and_held_over_gaps(
    sessions: int, n: int, gaps: float, seed: int
) -> None:
    x = matrix(sessions, seed, gaps)
    for result, alpha in ((indicators.ema(x, n), 2 / (n + 1)), (indicators.wilder(x, n), 1 / n)):
        for symbol in range(SYMBOLS):
            seen: list[float] = []
            mean = np.nan
            for t in range(sessions):
                if not np.isnan(x[symbol, t]):
                    seen.append(x[symbol, t])
                    if len(seen) == n:
                        mean = np.mean(seen)
                    elif len(seen) > n:
                        mean += alpha * (x[symbol, t] - mean)
                np.testing.assert_allclose(result[symbol, t], mean, atol=1e-12)


def test_hold_fills_gaps_up_to_a_limit() -> None:
    gap = np.array([[np.nan, 1.0, np.nan, np.nan, np.nan, 2.0]])
    held = indicators.hold(gap, 2)[0]
    assert held[1:4].tolist() == [1.0, 1.0, 1.0]
    assert np.isnan(held[[0, 4]]).all()
    assert held[5] == 2.0


def test_shift_moves_to_later_sessions() -> None:
    x = matrix(4, 0)
    assert np.array_equal(shift(x, 1)[:, 1:], x[:, :-1])
    assert np.isnan(shift(x, 9)).all()
