"""Degradation: what is held against what, how seldom it cries wolf, and how soon it sees."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from predtrack_assets.domain.accuracy.drift.degradation import (
    LEVEL,
    EProcessPath,
    courses,
    degradation,
    judge,
    relative_differences,
)
from predtrack_assets.domain.numerics.types import Floats

SPAN = 252
SESSIONS = np.arange(np.datetime64("2000-01-01"), np.datetime64("2004-01-01"))
TWO = SESSIONS[: 2 * SPAN]


def record(seed: int, horizon: int, worse: float = 0.0, since: int = SPAN) -> Floats:
    """Relative differences of 504 due days with overlapping outcomes, worse from a day on."""
    noise = np.random.default_rng(seed).normal(size=2 * SPAN + horizon - 1)
    moving = np.convolve(noise, np.full(horizon, horizon**-0.5), "valid")
    return 0.05 * moving - 0.02 + np.where(np.arange(2 * SPAN) >= since, worse, 0.0)


DEGRADED_AT = 1 / LEVEL  # where one model is judged alone


def on_the_edge(group: int, own: int) -> Floats:
    """As bad as the null allows in the second span, its luck half shared with the group's."""
    u = (record(group, 1) + record(1000 + 100 * group + own, 1) + 0.04) * 0.5**0.5
    u[SPAN:] += u[:SPAN].mean() + 1.9 * u[:SPAN].std() / SPAN**0.5
    return u


def course_of(u: Floats, horizon: int, margin: float = 0.0) -> EProcessPath:
    (path,) = courses(TWO, u, horizon, SESSIONS, SPAN, margin)
    return path


def peak(u: Floats, horizon: int, margin: float = 0.0) -> float:
    return float(course_of(u, horizon, margin).e_value.max())


def test_relative_difference_is_between_minus_one_and_one() -> None:
    found = relative_differences(np.array([1.0, 0, 3, 0]), np.array([1.0, 2, 1, 0]))
    assert found.tolist() == [0, -1, 0.5, 0]


@pytest.mark.parametrize("horizon", [1, 5, 21])
def test_a_model_that_stays_what_it_was_is_seldom_called_degraded(horizon: int) -> None:
    """At most once in twenty, whatever day one looks; the reference's own noise included."""
    alarms = [peak(record(seed, horizon), horizon) >= DEGRADED_AT for seed in range(150)]
    assert np.mean(alarms) <= 0.05


def test_without_the_interval_of_the_reference_it_would_be_unfair() -> None:
    """As bad as the interval allows is not degraded: the null includes its upper end."""
    alarms = []
    for seed in range(100):
        u = record(seed, 1)
        u[SPAN:] += np.mean(u[:SPAN]) - np.mean(u[SPAN:])  # exactly what it showed
        alarms.append(peak(u, 1) >= DEGRADED_AT)
    assert not any(alarms)


def planted(*e: float, first: int = 0) -> EProcessPath:
    """A course of these e-values, from the first-th day of the second span on."""
    values = np.array(e)
    days = TWO[SPAN + first : SPAN + first + values.size]
    return EProcessPath(days, values, np.maximum.accumulate(values), 0.0, TWO[:SPAN], TWO[-1])


def test_one_of_many_needs_more_and_those_called_stay_so_until_all_is_lost() -> None:
    """Three models: 60 for one alone, 30 each for two."""
    a, b, late = judge([planted(25, 40, 40, 1), planted(1, 30, 2, 2), planted(9, 9, first=2)])
    assert a.critical.tolist() == [40, 20, 60, 60], "two judged, both called, then three judged"
    day = TWO[SPAN + 1]
    assert a.since.tolist() == [None, day.item(), day.item(), None], "all evidence is lost"
    assert b.since.tolist() == [None, day.item(), day.item(), day.item()]
    assert np.isnat(late.since).all()


def test_of_those_called_few_are_no_worse_and_what_is_worse_is_found() -> None:
    worse = np.arange(20) < 4
    false, found = [], []
    for group in range(20):
        shift = np.where(np.arange(2 * SPAN) >= SPAN, 0.08, 0.0)
        cells = [
            course_of(on_the_edge(group, own) + shift * bad, 1) for own, bad in enumerate(worse)
        ]
        called = np.array([not np.isnat(verdict.since).all() for verdict in judge(cells)])
        false.append((called & ~worse).sum() / max(called.sum(), 1))
        found.append(called[worse].mean())
    assert np.mean(false) <= 0.05
    assert np.mean(found) >= 0.9


@pytest.mark.parametrize(("horizon", "worse"), [(1, 0.05), (5, 0.12)])
def test_degradation_is_seen_within_the_span(horizon: int, worse: float) -> None:
    found = [peak(record(seed, horizon, worse), horizon) >= DEGRADED_AT for seed in range(40)]
    assert np.mean(found) >= 0.9


def test_a_change_late_in_the_span_is_seen_too() -> None:
    seen = [peak(record(seed, 1, 0.08, SPAN + 150), 1) >= DEGRADED_AT for seed in range(40)]
    assert np.mean(seen) >= 0.9


def test_the_margin_is_tolerated() -> None:
    assert peak(record(1, 1, 0.05), 1) >= DEGRADED_AT
    assert peak(record(1, 1, 0.05), 1, margin=0.05) < DEGRADED_AT


def test_it_recovers_when_all_evidence_is_lost_again() -> None:
    u = record(2, 1, 0.10)
    u[SPAN + 60 :] = -0.15
    path = course_of(u, 1, 0.01)
    (verdict,) = judge([path])
    degraded = ~np.isnat(verdict.since)
    first = int(np.argmax(degraded))
    assert path.e_value[first] >= DEGRADED_AT > path.e_value[first - 1]
    assert set(verdict.since[degraded]) == {path.days[first]}
    assert not degraded[-1]
    end = first + int(np.argmin(degraded[first:]))
    assert path.e_value[end] <= 1 < path.e_value[end - 1]
    assert path.largest[-1] == path.e_value.max()


def test_a_reference_needs_half_of_its_sessions_and_some_variation() -> None:
    u = record(3, 1)
    assert courses(TWO[127:], u[127:], 1, SESSIONS, SPAN, 0.01) == []
    assert len(courses(TWO[126:], u[126:], 1, SESSIONS, SPAN, 0.01)) == 1
    assert courses(TWO, np.zeros(2 * SPAN), 1, SESSIONS, SPAN, 0.01) == [], "the baseline itself"
    assert courses(TWO[:0], u[:0], 1, SESSIONS, SPAN, 0.01) == []


def losses(last: int, worse: float = 0.1) -> pl.DataFrame:
    u = record(4, 5, worse)[:last]
    return pl.DataFrame(
        {
            "model_id": "own-v1",
            "kind": "price",
            "horizon": 5,
            "due_day": TWO[:last],
            "loss": 1 + u,
            "loss_baseline": 1 - u,
        }
    )


def test_reports_say_what_was_known_on_their_day() -> None:
    """So a range of days is its days one by one: nothing is carried over but the record itself."""
    reports = TWO[[SPAN - 3, SPAN + 4, SPAN + 60, 2 * SPAN - 1]]
    together = degradation(losses(2 * SPAN), reports, SESSIONS, SPAN, 0.01)
    assert together["as_of_day"].to_list() == reports[1:].tolist(), "no reference before"
    for day, last in zip(reports[1:], (SPAN + 5, SPAN + 61, 2 * SPAN), strict=True):
        alone = degradation(losses(last), np.array([day]), SESSIONS, SPAN, 0.01)
        assert alone.equals(together.filter(pl.col("as_of_day") == day.item()))
    row = together.row(2, named=True)
    assert (row["name"], row["model_id"], row["kind"], row["horizon"]) == (
        "crps",
        "own-v1",
        "price",
        5,
    )
    assert (row["n_reference"], row["n_current"], row["critical_value"]) == (SPAN, SPAN, 20)
    assert row["reference_value"] == pytest.approx(record(4, 5)[:SPAN].mean())
    assert row["drifted"] == (row["since"] is not None)
    assert row["p_value"] <= min(1 / row["value"], 1)
