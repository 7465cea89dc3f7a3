"""CORP of many sets at once equals scikit-learn's isotonic regression of each of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from predtrack_assets.domain.statistics.calibration_resampling import miscalibrations
from predtrack_assets.domain.statistics.corp import (
    DRAWN,
    GROUPS,
    consistency_p_value,
    corp_of_sorted,
    pool_adjacent_violators,
)

blocks = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=60)


@given(blocks, st.integers(0, 60))
def test_pooled_blocks_are_the_isotonic_fit(rows: list[tuple[int, int]], cut: int) -> None:
    count = np.array([n for n, _ in rows])
    hits = np.minimum(count, [k for _, k in rows])
    group = (np.arange(count.size) >= cut).astype(np.int64)
    n, k, of = pool_adjacent_violators(count, hits, group)
    for g in range(2):
        own = group == g
        if own.any():
            fit = isotonic_regression(hits[own] / count[own], sample_weight=count[own])
            blocks_fit = k[of == g] / n[of == g]
            assert (np.diff(blocks_fit) > 0).all()
            np.testing.assert_allclose(np.unique(fit.round(12)), blocks_fit, atol=1e-11)
            assert n[of == g].sum() == count[own].sum()


def test_a_long_cascade_ends_in_one_block() -> None:
    """A rise that one great fall at its end undoes, block by block."""
    count = np.append(np.full(200, 1000), 10**9)
    hits = np.append(np.arange(1, 201), 0)
    n, k, _ = pool_adjacent_violators(count, hits, np.zeros(201, np.int64))
    assert (n.tolist(), k.tolist()) == ([10**9 + 200_000], [20_100])


def test_sets_do_not_depend_on_their_neighbours() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 50, 30)
    group = np.repeat(np.arange(30), sizes)
    p = rng.uniform(size=group.size).round(2)
    order = np.lexsort((p, group))
    p, y = p[order], rng.integers(0, 2, group.size)
    together = np.array(corp_of_sorted(p, y, group, 30))
    alone = [
        corp_of_sorted(p[group == g], y[group == g], np.zeros(sizes[g], int), 1) for g in range(30)
    ]
    assert (together == np.array(alone)[..., 0].T).all()
    assert np.isnan(corp_of_sorted(p, y, group, 31)).sum() == 3, "a set without rows"


@pytest.mark.parametrize("rows", [100, GROUPS, GROUPS + 1, 4000])
def test_the_test_holds_its_level_and_finds_a_shift_however_many_the_rows(rows: int) -> None:
    rng = np.random.default_rng(rows)
    rejected, found = [], []
    for seed in range(60):
        p = rng.uniform(0.2, 0.8, rows)
        y = (rng.random(rows) < p).astype(np.int64)
        rejected.append(consistency_p_value(p, y, rows, seed, reps=39) <= 0.1)
        shifted = np.clip(p + 3 / np.sqrt(rows), 0, 1)
        found.append(consistency_p_value(shifted, y, rows, seed, reps=39) <= 0.1)
    assert np.mean(rejected) <= 0.2
    assert np.mean(found) >= 0.9


@pytest.mark.parametrize("rows", [500, 2 * GROUPS, 2 * DRAWN])
def test_forecasts_that_are_equal_say_the_same_in_any_order(rows: int) -> None:
    rng = np.random.default_rng(rows)
    p = rng.choice([0.3, 0.6], rows)
    y = (rng.random(rows) < p).astype(np.int64)
    found = consistency_p_value(p, y, rows, seed=1, reps=99)
    assert found > 0.05, "a constant is not torn apart into hits and misses"
    order = np.lexsort((y, p))
    assert consistency_p_value(p[order], y[order], rows, seed=1, reps=99) == found


@pytest.mark.parametrize("rows", [300, DRAWN, DRAWN + 1])
def test_few_rows_of_many_are_drawn_with_replacement(rows: int) -> None:
    """Of 20,000 forecasts that are worth fewer, a shift is found only where they are worth enough."""
    rng = np.random.default_rng(rows)
    p = rng.uniform(0.2, 0.8, 20_000)
    y = (rng.random(p.size) < p + 0.04).astype(np.int64)
    assert (consistency_p_value(p, y, rows, seed=2, reps=99) <= 0.05) == (rows >= DRAWN)


@given(blocks)
def test_machine_code_finds_the_same_miscalibration(rows: list[tuple[int, int]]) -> None:
    count = np.array([n for n, _ in rows])
    hits = np.minimum(count, [k for _, k in rows])
    p = np.linspace(0.1, 0.9, count.size)
    y = np.concatenate([np.arange(n) < k for n, k in zip(count, hits, strict=True)]).astype(int)
    expected = corp_of_sorted(np.repeat(p, count), y, np.zeros(y.size, int), 1).miscalibration
    empty = np.zeros_like(count)
    found = miscalibrations(p, np.stack([count, empty + (p > 0.5)]), np.stack([hits, empty]))
    assert found[0] == pytest.approx(expected[0], abs=1e-12)
    assert found.shape == (2,)


def test_nothing_in_nothing_out() -> None:
    empty = np.zeros(0, np.int64)
    assert np.isnan(corp_of_sorted(np.zeros(0), empty, empty, 2)).all()


@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1]])
def test_what_always_happens_has_no_spread(y: list[int]) -> None:
    parts = corp_of_sorted(np.array([0.2, 0.5, 0.9]), np.array(y), np.zeros(3, int), 1)
    assert parts.uncertainty == parts.discrimination == 0
    assert parts.miscalibration == pytest.approx(np.square(np.array([0.2, 0.5, 0.9]) - y).mean())
