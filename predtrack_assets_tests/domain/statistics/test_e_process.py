"""The betting e-process: its definition, its error rate under any number of looks, its power."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks import ab_families, gate_power
from predtrack_assets.domain.deployment import paired_forecasts
from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS, QUANTILE_NAMES
from predtrack_assets.domain.statistics import e_process
from predtrack_assets.domain.statistics.scoring_rules import brier, crps_from_quantiles

UNIT = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1, 1))


@given(UNIT, st.integers(1, 7))
def test_it_is_the_mean_of_interleaved_products(d: np.ndarray, horizon: int) -> None:
    stake = e_process.stakes(d, horizon)
    expected = []
    for t in range(len(d)):
        capitals = [
            np.prod([1 + stake[s] * d[s] for s in range(j, t + 1, horizon)]) for j in range(horizon)
        ]
        expected.append(np.mean(capitals))
    np.testing.assert_allclose(e_process.e_process(d, horizon), expected, rtol=1e-9)
    assert ((stake >= 0) & (stake <= 0.5)).all()


@given(UNIT, st.integers(1, 7), st.data())
def test_a_stake_is_chosen_before_its_result_is_known(
    d: np.ndarray, horizon: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(d) - 1))
    changed = d.copy()
    changed[max(at - horizon + 1, 0) :] = 1.0
    np.testing.assert_array_equal(
        e_process.stakes(d, horizon)[: at + 1], e_process.stakes(changed, horizon)[: at + 1]
    )


def test_many_series_at_once_are_series_one_by_one() -> None:
    d = np.random.default_rng(0).uniform(-1, 1, (4, 100))
    together = e_process.e_process(d, 5)
    for row, path in zip(d, together, strict=True):
        np.testing.assert_array_equal(e_process.e_process(row, 5), path)


def test_differences_must_be_scaled() -> None:
    with pytest.raises(ValueError, match="scaled"):
        e_process.e_process([0.1, 1.5])


def test_no_news_is_no_evidence() -> None:
    np.testing.assert_array_equal(e_process.e_process(np.zeros(300)), 1.0)
    assert e_process.e_process(np.full(300, 0.2))[-1] >= e_process.PROMOTE_AT
    assert e_process.e_process(np.full(300, -0.2)).max() <= 1.0


def test_all_cohorts_together_spend_five_percent() -> None:
    spent = [n / e_process.threshold(m, n) for m in range(1, 2000) for n in (1 + m % 7,)]
    assert sum(spent) == pytest.approx(e_process.ALPHA, rel=1e-3)
    assert sum(spent) < e_process.ALPHA
    assert e_process.threshold(1, 1) == pytest.approx(40)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("versions", [10, 40])
def test_of_many_versions_without_skill_hardly_ever_any_wins(versions: int, together: bool) -> None:
    rates = ab_families.any_promoted(versions, together, runs=40)
    assert rates["by batch"] <= 0.05
    assert rates["by batch"] < rates["20 each"]


def test_closed_days_do_not_promote() -> None:
    rates = ab_families.delayed(0.2, runs=300)
    assert rates["known"] <= 0.03


SESSIONS = arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 4))


@given(SESSIONS, st.integers(1, 7), st.data())
def test_whatever_delays_results_a_stake_uses_none_that_is_not_known(
    delays: np.ndarray, horizon: int, data: st.DataObject
) -> None:
    """Neither the size of a stake nor the capital that is staked depends on a later result."""
    days = np.datetime64("2024-01-01") + np.arange(delays.size)
    known = np.maximum.accumulate(days + horizon + delays)
    seen = e_process.known_dates(days, known)
    d = np.random.default_rng(3).uniform(-1, 1, delays.size)
    at = data.draw(st.integers(0, delays.size - 1))
    changed = np.where(known > days[at], 1.0, d)
    one, other = (e_process.stakes(x, horizon, seen)[: at + 1] for x in (d, changed))
    np.testing.assert_array_equal(one, other)
    turns = e_process._turns(seen, horizon)
    own = np.flatnonzero(turns[:at] == turns[at]) if turns[at] >= 0 else np.array([], int)
    assert (known[own] <= days[at]).all(), "the capital is known when it is staked"


def test_without_delays_the_dates_take_turns() -> None:
    d = np.random.default_rng(4).uniform(-1, 1, 100)
    days = np.datetime64("2024-01-01") + np.arange(100)
    seen = e_process.known_dates(days, days + 5)
    np.testing.assert_array_equal(e_process.e_process(d, 5, seen), e_process.e_process(d, 5))


@given(
    arrays(np.float64, (4, 2, 7), elements=st.floats(-0.3, 0.3)),
    arrays(np.float64, (4, 3), elements=st.floats(0, 1)),
    arrays(np.float64, 4, elements=st.floats(-0.5, 0.5)),
)
def test_a_scaled_difference_lies_within_one_without_clipping(
    quantiles: np.ndarray, p: np.ndarray, realised: np.ndarray
) -> None:
    """The bound on a score difference follows from the two forecasts alone, before the outcome."""
    quantiles = np.sort(quantiles, axis=2)
    day = [date(2020, 1, 2)] * 4
    common = {"symbol": list("ABCD"), "trading_day": day, "resolved_day": day}
    up = p[:, 2] > 0.5
    for kind in ("price", "direction"):
        sides = [
            pl.DataFrame(
                {
                    **common,
                    "confidence": p[:, i],
                    **{n: quantiles[:, i, k] for k, n in enumerate(QUANTILE_NAMES)},
                    "loss": crps_from_quantiles(quantiles[:, i], QUANTILE_LEVELS, realised)
                    if kind == "price"
                    else brier(p[:, i], up),
                }
            )
            for i in (0, 1)
        ]
        paired = paired_forecasts.paired_differences(*sides, kind)
        gained = (sides[0]["loss"] - sides[1]["loss"]).sum()
        assert abs(paired["d"][0]) <= 1
        assert paired["symbols"].to_list() == [4]
        if abs(gained) > 1e-9:
            assert np.sign(paired["d"][0]) == np.sign(gained), "positive: the challenger is better"


def test_a_pair_needs_both_sides() -> None:
    day = [date(2020, 1, 2)]
    one = {"trading_day": day, "resolved_day": day, "confidence": [0.5], "loss": [0.25]}
    paired = paired_forecasts.paired_differences(
        pl.DataFrame({"symbol": ["A"], **one}), pl.DataFrame({"symbol": ["B"], **one}), "direction"
    )
    assert paired.is_empty()


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [1, 5, 21])
def test_looking_every_day_costs_nothing(horizon: int) -> None:
    """1,500 looks at a true null: at most 5 % promoted, where a z-test at 5 % promotes a third."""
    promoted, z_test = gate_power.sequential_rates(horizon, 0.0, runs=300)
    assert promoted <= 0.05
    assert z_test > 0.3


@pytest.mark.slow
def test_a_better_challenger_is_found() -> None:
    assert gate_power.sequential_rates(1, 0.05, runs=200)[0] > 0.95
    assert gate_power.sequential_rates(5, 0.05, runs=200)[0] > 0.8


def clustered(runs: int, dates: int, horizon: int, mean: float, seed: int) -> np.ndarray:
    """Differences of overlapping windows whose shocks have fat tails and calm and wild spells."""
    random = np.random.default_rng(seed)
    spells = np.repeat(random.choice([0.5, 2.0], (runs, dates // 50 + 2)), 50, axis=1)
    shocks = random.standard_t(4, (runs, dates + horizon - 1)) * spells[:, : dates + horizon - 1]
    sums = np.lib.stride_tricks.sliding_window_view(shocks, horizon, axis=1).sum(axis=-1)
    return np.clip(mean + 0.05 * sums / np.sqrt(horizon), -1, 1)


@pytest.mark.parametrize("horizon", [1, 5, 21])
def test_neither_side_wins_a_true_null_whatever_its_tails_and_spells(horizon: int) -> None:
    """Windows of `horizon` dates overlap; 800 looks; 5 % on either side, and the noise of 300 runs."""
    d = clustered(300, 800, horizon, 0.0, seed=horizon)
    for side in (d, -d):
        assert (
            e_process.e_process(side, horizon).max(axis=1) >= e_process.PROMOTE_AT
        ).mean() <= 0.07


@pytest.mark.parametrize(
    ("horizon", "mean", "dates", "least"),
    [(1, 0.04, 800, 0.95), (5, 0.06, 800, 0.9), (21, 0.2, 1500, 0.9)],
)
def test_power_under_overlap(horizon: int, mean: float, dates: int, least: float) -> None:
    """The longer the windows, the larger the advantage that it takes; and never the wrong side."""
    d = clustered(200, dates, horizon, mean, seed=1)
    promoted = e_process.e_process(d, horizon).max(axis=1) >= e_process.PROMOTE_AT
    rejected = e_process.e_process(-d, horizon).max(axis=1) >= e_process.PROMOTE_AT
    assert promoted.mean() > least
    assert rejected.mean() <= 0.02
