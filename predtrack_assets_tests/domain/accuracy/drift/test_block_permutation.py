"""Drift: distances by their definitions, and nulls that hold where days resemble one another."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest

from predtrack_assets.domain.accuracy.drift.block_permutation import (
    STATISTICS,
    Column,
    Drift,
    arrangements,
    drift,
)
from predtrack_assets.domain.accuracy.drift.distances import (
    jensen_shannon,
    kolmogorov_smirnov,
    psi,
    psi_critical_iid,
    quantile_edges,
    shares,
)
from predtrack_assets.domain.numerics.types import Floats

LEVEL = 0.05
DAYS, CURRENT, SYMBOLS = 273, 21, 8
PSI, KS, JS, MISSING = range(len(STATISTICS))


def columns(panel: Floats) -> list[Column]:
    """Columns of a panel (days, symbols, columns)."""
    day = np.repeat(np.arange(len(panel)), panel.shape[1])
    return [Column(panel[:, :, i].ravel(), day) for i in range(panel.shape[2])]


def panel_of(seed: int, persistence: float, size: int, days: int = DAYS) -> Floats:
    """(days, SYMBOLS, size): half of each value common to all symbols, both parts AR(1)."""
    random = np.random.default_rng(seed)

    def moving(symbols: int) -> Floats:
        shocks = random.normal(size=(days + 200, symbols, size))
        for t in range(1, len(shocks)):
            shocks[t] = persistence * shocks[t - 1] + math.sqrt(1 - persistence**2) * shocks[t]
        return shocks[200:]

    return (moving(1) + moving(SYMBOLS)) / math.sqrt(2)


def measured(panel: Floats, block: int = CURRENT) -> Drift:
    return drift(columns(panel), arrangements(len(panel), CURRENT, block, 199), LEVEL)


# -- distances -----------------------------------------------------------------------------------


def test_psi_by_hand() -> None:
    p, q = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    assert psi(p, q) == pytest.approx(0.25 * math.log(2) + 0.25 * math.log(1.5))
    assert psi(p, p) == 0
    assert psi(p, q) == pytest.approx(float(psi(q, p)))
    assert psi(np.array([1.0, 0.0]), p) == pytest.approx(
        0.5 * math.log(2) + (0.5 - 1e-4) * math.log(0.5 / 1e-4)
    ), "an empty bin counts as 1e-4"


def test_jensen_shannon_is_scipys() -> None:
    from scipy.spatial.distance import jensenshannon

    random = np.random.default_rng(0)
    p, q = random.dirichlet(np.full(10, 0.3), 20), random.dirichlet(np.full(10, 0.3), 20)
    p[0, 3] = q[0, 3] = p[1, 2] = 0
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    expected = [jensenshannon(a, b) for a, b in zip(p, q, strict=True)]
    assert jensen_shannon(p, q) == pytest.approx(expected, abs=1e-12)
    ends = np.eye(2)
    assert jensen_shannon(ends[0], ends[1]) == pytest.approx(math.sqrt(math.log(2)))


@pytest.mark.parametrize("digits", [0, 1, 9], ids=["many ties", "ties", "no ties"])
@pytest.mark.parametrize(("n", "m"), [(2, 2), (7, 300), (300, 7), (150, 150)])
def test_kolmogorov_smirnov_is_scipys(n: int, m: int, digits: int) -> None:
    from scipy.stats import ks_2samp

    random = np.random.default_rng(n * m + digits)
    a, b = random.normal(size=n).round(digits), random.normal(0.4, 1, m).round(digits)
    assert kolmogorov_smirnov(a, b) == pytest.approx(ks_2samp(a, b, method="asymp").statistic)
    assert kolmogorov_smirnov(np.append(a, np.nan), b) == kolmogorov_smirnov(a, b)
    with pytest.raises(ValueError, match="no distribution"):
        kolmogorov_smirnov(a, [np.nan])


def test_cells_hold_equal_shares_of_the_reference() -> None:
    values = np.append(np.random.default_rng(1).permutation(1000.0 * np.arange(200)), np.nan)
    edges = quantile_edges(values, 10)
    assert shares(values, edges) == pytest.approx(np.full(10, 0.1))
    assert shares(np.full(5, -1.0), edges).tolist() == [1, *[0] * 9]
    assert shares(np.full(5, 1e9), edges).tolist() == [*[0] * 9, 1]


def test_critical_psi_is_that_of_independent_rows() -> None:
    # chi-square, 9 degrees of freedom: 16.919 at 5 %.
    assert psi_critical_iid(0.05, 10, 1000, 500) == pytest.approx(16.919 * 0.003, rel=1e-4)
    random = np.random.default_rng(2)
    found = []
    for _ in range(400):
        reference = random.normal(size=1000)
        edges = quantile_edges(reference, 10)
        found.append(psi(shares(reference, edges), shares(random.normal(size=500), edges)))
    beyond = np.mean(np.array(found) > psi_critical_iid(0.05, 10, 1000, 500))
    assert 0.02 < beyond < 0.09


# -- windows -------------------------------------------------------------------------------------


def test_distances_are_those_of_the_two_windows() -> None:
    panel = panel_of(3, 0.5, 2)
    panel[-CURRENT:, :, 1] += 0.7
    found = measured(panel)
    for i in range(2):
        reference, current = panel[:-CURRENT, :, i].ravel(), panel[-CURRENT:, :, i].ravel()
        edges = quantile_edges(reference, 10)
        p, q = shares(reference, edges), shares(current, edges)
        assert found.value[PSI, i] == pytest.approx(float(psi(p, q)))
        assert found.value[JS, i] == pytest.approx(float(jensen_shannon(p, q)))
        exact = kolmogorov_smirnov(reference, current)
        assert exact - 0.05 <= found.value[KS, i] <= exact, "read at twenty quantiles"
    assert found.rows[:, 0].tolist() == [252 * SYMBOLS, 21 * SYMBOLS]


def test_p_values_are_ranks_among_the_windows_of_the_circle() -> None:
    panel = panel_of(4, 0.3, 1)
    panel[-CURRENT:] += 2
    sets = arrangements(DAYS, CURRENT, CURRENT, 0)
    assert len(sets.starts) == DAYS, "every window once, the current one first"
    assert sets.starts[0, 0] == DAYS - CURRENT
    assert sorted(sets.starts[:, 0]) == list(range(DAYS))
    found = drift(columns(panel), sets, LEVEL)
    assert found.p_value[PSI, 0] == pytest.approx(1 / DAYS)
    below, above = found.value[PSI] > found.critical[PSI], found.p_value[PSI] <= LEVEL
    assert (below == above).all()


@pytest.mark.parametrize("block", [1, 4, 10])
def test_shorter_blocks_are_drawn_without_overlap(block: int) -> None:
    sets = arrangements(100, 21, block, 50, seed=1)
    ones = np.arange(100)[:, None] == np.arange(100)
    chosen = sets.totals(ones.astype(np.int64))
    assert chosen.max() == 1
    assert (chosen.sum(axis=1) == 21).all()
    assert chosen[0].tolist() == [0] * 79 + [1] * 21
    again = arrangements(100, 21, block, 50, seed=1)
    assert (again.starts == sets.starts).all()
    assert (arrangements(100, 21, block, 50, seed=2).starts != sets.starts).any()


@pytest.mark.parametrize(("current", "block"), [(0, 5), (51, 5), (10, 0)])
def test_impossible_windows_are_refused(current: int, block: int) -> None:
    with pytest.raises(ValueError, match="of 100 days"):
        arrangements(100, current, block, 9)


# -- false alarms and power ----------------------------------------------------------------------


class Rates(NamedTuple):
    iid: Floats
    blocks: Floats


def rates(persistence: float, size: int = 240) -> Rates:
    """How often nothing is called drift: by critical values for independent rows, and by ours."""
    found = measured(panel_of(5, persistence, size))
    with np.errstate(invalid="ignore"):
        iid = (found.value > found.critical_iid)[:MISSING].mean(axis=1)
    return Rates(iid, (found.p_value <= LEVEL)[:MISSING].mean(axis=1))


@pytest.mark.parametrize("persistence", [0.0, 0.8, 0.95])
def test_nothing_is_called_drift_as_often_as_the_level_says(persistence: float) -> None:
    found = rates(persistence)
    assert (found.iid > (0.15 if persistence == 0 else 0.6)).all(), "independent rows: over-rejects"
    assert (found.blocks < (0.09 if persistence < 0.9 else 0.14)).all()


def test_blocks_that_are_too_short_cry_wolf() -> None:
    panel = panel_of(6, 0.95, 120)
    assert (measured(panel, 2).p_value <= LEVEL)[PSI].mean() > 0.3
    assert (measured(panel).p_value <= LEVEL)[PSI].mean() < 0.13


@pytest.mark.parametrize(("shift", "scale"), [(1.0, 1.0), (0.0, 2.0)], ids=["mean", "variance"])
def test_a_real_change_is_found(shift: float, scale: float) -> None:
    panel = panel_of(7, 0.2, 60)
    panel[-CURRENT:] = panel[-CURRENT:] * scale + shift
    power = (measured(panel).p_value <= LEVEL).mean(axis=1)
    assert power[PSI] > 0.85
    assert power[JS] > 0.85
    assert power[KS] > (0.9 if shift else 0.3)


# -- what is missing, what is constant ------------------------------------------------------------


def test_a_share_that_goes_missing_is_drift_of_its_own() -> None:
    panel = panel_of(8, 0.0, 2)
    panel[-CURRENT:, :2, 1] = np.nan
    found = measured(panel)
    assert found.value[MISSING].tolist() == [0, 0.25]
    assert found.p_value[MISSING, 0] == 1
    assert found.p_value[MISSING, 1] == pytest.approx(1 / DAYS)
    assert found.valid[1].tolist() == [21 * SYMBOLS, 21 * 6]
    assert found.p_value[PSI, 1] > LEVEL, "the rest has not changed"


def test_a_window_without_a_value_has_no_distance_but_is_missing() -> None:
    panel = panel_of(9, 0.0, 2)
    panel[-CURRENT:, :, 0] = np.nan
    panel[:-CURRENT, :, 1] = np.nan
    found = measured(panel)
    assert np.isnan(found.value[:MISSING]).all()
    assert np.isnan(found.p_value[:MISSING]).all()
    assert found.value[MISSING].tolist() == [1, 1]
    assert found.p_value[MISSING] == pytest.approx([1 / DAYS, 1 / DAYS])


def test_constant_columns_have_not_drifted_until_they_change() -> None:
    panel = np.ones((DAYS, SYMBOLS, 2))
    panel[-CURRENT:, :, 1] = 2
    found = measured(panel)
    assert found.value[:, 0].tolist() == [0, 0, 0, 0]
    assert (found.p_value[:, 0] == 1).all()
    assert found.critical_iid[:MISSING, 0].tolist() == [0, 0, 0]
    assert found.value[KS, 1] == 1
    assert found.p_value[:MISSING, 1] == pytest.approx([1 / DAYS] * 3)


def test_rows_may_come_in_any_order_and_columns_do_not_matter_to_each_other() -> None:
    panel = panel_of(10, 0.7, 9)
    found = measured(panel)
    shuffled = []
    for i, column in enumerate(columns(panel)):
        order = np.random.default_rng(i).permutation(column.values.size)
        shuffled.append(Column(column.values[order], column.day[order]))
    sets = arrangements(DAYS, CURRENT, CURRENT, 0)
    other = drift(shuffled, sets, LEVEL)
    assert (other.value == found.value).all()
    assert (other.p_value == found.p_value).all()
    alone = drift(shuffled[4:5], sets, LEVEL)
    assert (alone.value[:, 0] == found.value[:, 4]).all()
    assert (alone.p_value[:, 0] == found.p_value[:, 4]).all()
