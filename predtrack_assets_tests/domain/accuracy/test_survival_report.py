"""Survival curves: Kaplan-Meier as SciPy and statsmodels have it, over everything that was predicted."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from predtrack_assets.domain.accuracy.report_windows import period_named
from predtrack_assets.domain.accuracy.survival_report import CURVES, survival_curves
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.domain.statistics.first_passage import hit_probability
from predtrack_assets.domain.statistics.kaplan_meier import kaplan_meier
from predtrack_assets.domain.time.calendar import calendar

SESSIONS = calendar("XNYS").between(date(2020, 1, 2), date(2020, 8, 31))
H = 6
subjects = st.lists(st.tuples(st.integers(1, H), st.booleans()), min_size=1, max_size=60)


def counted(rows: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    """Hits and at risk (1, H) of (time, hit) pairs."""
    time, hit = np.array([t for t, _ in rows]), np.array([h for _, h in rows])
    steps = np.arange(1, H + 1)
    hits = ((time == steps[:, None]) & hit).sum(axis=1)
    return hits[None], (time >= steps[:, None]).sum(axis=1)[None]


@settings(deadline=None)
@given(subjects)
def test_kaplan_meier_as_in_scipy(rows: list[tuple[int, bool]]) -> None:
    from scipy import stats

    data = stats.CensoredData(
        uncensored=[t for t, hit in rows if hit], right=[t for t, hit in rows if not hit]
    )
    known = np.arange(1, max(t for t, _ in rows) + 1)
    found = kaplan_meier(*counted(rows))
    sf = stats.ecdf(data).sf
    np.testing.assert_allclose(found.survival[0, : known.size], sf.evaluate(known), atol=1e-12)
    with np.errstate(all="ignore"):
        interval = sf.confidence_interval(0.95, method="log-log")
        low, high = interval.low.evaluate(known), interval.high.evaluate(known)
    inside = np.isfinite(found.low[0, : known.size])
    expected = (found.survival > 0) & (found.survival < 1)
    assert (inside == expected[0, : known.size]).all()
    np.testing.assert_allclose(found.low[0, : known.size][inside], low[inside], atol=1e-12)
    np.testing.assert_allclose(found.high[0, : known.size][inside], high[inside], atol=1e-12)


def test_kaplan_meier_as_in_statsmodels_with_ties() -> None:
    from statsmodels.duration.survfunc import SurvfuncRight

    rng = np.random.default_rng(1)
    time, hit = rng.integers(1, H + 1, 200), rng.random(200) < 0.6
    oracle = SurvfuncRight(time, hit)
    found = kaplan_meier(*counted(list(zip(time.tolist(), hit.tolist(), strict=True))))
    at = oracle.surv_times.astype(int) - 1
    np.testing.assert_allclose(found.survival[0, at], oracle.surv_prob)
    theta = np.log(-np.log(oracle.surv_prob))
    error = 1.959963984540054 * oracle.surv_prob_se / oracle.surv_prob / np.log(oracle.surv_prob)
    np.testing.assert_allclose(found.low[0, at], np.exp(-np.exp(theta - error)), rtol=1e-9)


def test_without_events_the_curve_stays_at_one_and_claims_no_interval() -> None:
    found = kaplan_meier(*counted([(3, False), (6, False)]))
    assert found.survival[0].tolist() == [1.0] * H
    assert np.isnan([found.low, found.high]).all()


def test_one_subject() -> None:
    hit = kaplan_meier(*counted([(2, True)]))
    assert hit.survival[0].tolist() == [1, 0, 0, 0, 0, 0], "and stays there with nobody at risk"
    assert np.isnan([hit.low, hit.high]).all()
    lost = kaplan_meier(*counted([(2, False)])).survival[0]
    assert lost[:2].tolist() == [1, 1]
    assert np.isnan(lost[2:]).all(), "nothing is known beyond what was seen"


def test_fewer_effective_rows_widen_the_interval() -> None:
    hits, at_risk = counted([(t, True) for t in (1, 2, 2, 3, 5)] + [(6, False)] * 5)
    widths = [
        (curve.high - curve.low)[0, 2]
        for curve in (kaplan_meier(hits, at_risk, np.array([d])) for d in (1.0, 0.5, 0.1))
    ]
    assert widths == sorted(widths)


def make(decisions: int, symbols: int, hazard: float, horizon: int, seed: int = 0) -> pl.DataFrame:
    """Touch predictions one a symbol and session, hit with `hazard` a session; all are settled."""
    rng = np.random.default_rng(seed)
    size = decisions * symbols
    start = np.repeat(np.arange(decisions), symbols)
    after = rng.geometric(hazard, size)
    hit = after <= horizon
    wait = np.where(hit, after, horizon)
    return pl.DataFrame(
        {
            "model_id": np.full(size, "m"),
            "horizon": np.full(size, horizon),
            "symbol": np.char.add("S", (np.arange(size) % symbols).astype(str)),
            "exchange": np.full(size, "XNYS"),
            "trading_day": SESSIONS[start],
            "due_day": SESSIONS[start + horizon],
            "confidence": rng.uniform(0.2, 0.5, size),
            "reference_price": np.full(size, 100.0),
            "sigma": np.full(size, 0.02),
            "target_price": np.where(np.arange(size) % 2, 104.0, 96.0),
            "status": np.full(size, "validated"),
            "resolved_day": SESSIONS[start + wait],
            "occurred": hit,
            "actual_days": np.where(hit, wait, -1).astype(np.int16),
        }
    ).with_columns(
        pl.when(pl.col("actual_days") > 0).then(pl.col("actual_days")),
        pl.col("trading_day", "due_day", "resolved_day").cast(pl.Date),
    )


def bars_of(predictions: pl.DataFrame) -> pl.DataFrame:
    days = pl.DataFrame({"trading_day": pl.Series(SESSIONS).cast(pl.Date)})
    return predictions.select("symbol").unique().join(days, how="cross")


PREDICTIONS = pl.concat([make(100, 4, 0.06, 5), make(100, 4, 0.06, 21, seed=1)])
BARS = bars_of(PREDICTIONS)
ENDS = SESSIONS[4:120:5]


def brute_force(rows: pl.DataFrame, end: np.datetime64, horizon: int) -> list[tuple[int, bool]]:
    """(time, hit) of each prediction as seen at the end of a day."""
    seen = []
    sessions = SESSIONS[end >= SESSIONS]
    for row in rows.to_dicts():
        passed = int((sessions > np.datetime64(row["trading_day"])).sum())
        if np.datetime64(row["resolved_day"]) <= end:
            seen.append((row["actual_days"] or horizon, row["occurred"]))
        else:
            seen.append((passed, False))
    return seen


@pytest.mark.parametrize("period", ["rolling_30d", "monthly", "quarterly"])
def test_a_curve_is_that_of_its_predictions_as_seen_by_its_end(period: str) -> None:
    curves = survival_curves(PREDICTIONS, BARS, ENDS, period)
    assert list(curves.schema.items()) == list(CURVES.items())
    for end in ENDS[::4]:
        start = period_named(period).starts(np.array([end]))[0]
        for horizon in (5, 21):
            rows = PREDICTIONS.filter(
                pl.col("trading_day").is_between(start, end), pl.col("horizon") == horizon
            )
            found = curves.filter(pl.col("period_end") == pl.lit(end), pl.col("horizon") == horizon)
            assert found["session"].to_list() == (list(range(1, horizon + 1)) if len(rows) else [])
            if rows.is_empty():
                continue
            seen = brute_force(rows, end, horizon)
            at_risk = [sum(t >= s for t, _ in seen) for s in range(1, horizon + 1)]
            hits = [sum(t == s and hit for t, hit in seen) for s in range(1, horizon + 1)]
            gone = [sum(t == s and not hit for t, hit in seen) for s in range(1, horizon + 1)]
            assert found["n"].unique().to_list() == [len(rows)]
            assert found["at_risk"].to_list() == at_risk
            assert found["hits"].to_list() == hits
            assert found["censored"].to_list() == gone
            said = found["predicted_survival"]
            assert said.null_count() == horizon - 1
            assert said[-1] == pytest.approx(1 - rows["confidence"].mean())
            distance = np.log(rows["target_price"].to_numpy() / 100)
            passage = hit_probability(distance, np.array(0.02), 3.0, -(0.02**2) / 2)
            assert found["baseline_survival"][2] == pytest.approx(1 - passage.mean())


def test_a_range_is_its_days_one_by_one_whatever_comes_later_or_in_which_order() -> None:
    whole = survival_curves(PREDICTIONS, BARS, ENDS, "rolling_30d")
    shuffled = PREDICTIONS.sample(fraction=1, shuffle=True, seed=2)
    unknown = ("status", "resolved_day", "occurred", "actual_days")
    parts = []
    for end in ENDS:
        day = pl.lit(end).cast(pl.Date)
        settled = pl.col("resolved_day") <= day
        known = shuffled.filter(pl.col("trading_day") <= day).with_columns(
            pl.when(settled).then(pl.col(name)) for name in unknown
        )
        bars = BARS.filter(pl.col("trading_day") <= day)
        parts.append(survival_curves(known, bars, np.array([end]), "rolling_30d"))
    keys = ["model_id", "horizon", "period_end", "session"]
    assert_frame_equal(whole, pl.concat(parts).sort(keys), check_exact=True)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = survival_curves(PREDICTIONS, BARS, ENDS, "monthly")
    monkeypatch.setattr("predtrack_assets.domain.accuracy.report_windows.CHUNK", 3000)
    assert_frame_equal(whole, survival_curves(PREDICTIONS, BARS, ENDS, "monthly"), check_exact=True)


def test_a_symbol_that_ended_was_seen_up_to_its_last_bar() -> None:
    """Three symbols whose last bars are 0, 2 and 4 sessions after the decision; all have expired."""
    last = {"S0": 0, "S1": 2, "S2": 4}
    made = make(1, 3, 0.5, 5).with_columns(
        status=pl.lit("expired"),
        resolved_day=pl.lit(SESSIONS[9]).cast(pl.Date),
        occurred=pl.lit(None, pl.Boolean),
        actual_days=pl.lit(None, pl.Int16),
    )
    bars = pl.concat(
        BARS.filter(pl.col("symbol") == symbol, pl.col("trading_day") <= SESSIONS[place].item())
        for symbol, place in last.items()
    )
    for end in (SESSIONS[9], SESSIONS[15]):
        curve = survival_curves(made, bars, np.array([end]), "rolling_30d")
        assert curve["n"].unique().to_list() == [3]
        assert curve["at_risk"].to_list() == [2, 2, 1, 1, 0]
        assert curve["censored"].to_list() == [0, 1, 0, 1, 0]
        assert curve["survival"].to_list() == [1.0, 1.0, 1.0, 1.0, None]
    resumed = pl.concat([bars, BARS.filter(pl.col("trading_day") > SESSIONS[6].item())])
    curve = survival_curves(made, resumed, SESSIONS[9:10], "rolling_30d")
    assert curve["at_risk"].to_list() == [2, 2, 1, 1, 0], "what came after the deadline is no sight"


def test_settled_predictions_alone_flatter_and_the_curve_does_not() -> None:
    """Predictions of a month, at its end: the true rate within 20 sessions is 71 %."""
    rows = make(22, 200, 0.06, 21, seed=3)
    end = SESSIONS[21:22]
    settled = rows.filter(pl.col("resolved_day") <= pl.lit(end[0]).cast(pl.Date))
    assert settled["occurred"].mean() > 0.9
    curve = survival_curves(rows, bars_of(rows), end, "to_date")
    assert 1 - curve["survival"][19] == pytest.approx(1 - 0.94**20, abs=0.04)


def test_copies_are_worth_no_more_than_what_they_copy() -> None:
    one = make(60, 1, 0.1, 5, seed=4)
    ten = pl.concat(one.with_columns(symbol=pl.lit(f"S{i}")) for i in range(10))
    end = SESSIONS[59:60]
    worth = [
        survival_curves(rows, bars_of(rows), end, "to_date").row(0, named=True)
        for rows in (one, ten)
    ]
    assert [row["n"] for row in worth] == [60, 600]
    assert worth[0]["n_eff"] <= 60 / 5, "five sessions overlap"
    assert worth[1]["n_eff"] < 60


@pytest.mark.slow
def test_the_interval_covers_where_outcomes_are_shared_and_overlap() -> None:
    """20 symbols with one random walk's touches; Greenwood on n would cover a third of the time."""
    rng = np.random.default_rng(5)
    horizon, decisions = 5, 100
    template = make(decisions, 20, 0.5, horizon)
    start = np.repeat(np.arange(decisions), 20)
    covered, narrow = [], []
    for _ in range(120):
        shock = rng.random(decisions + horizon + 1) < 0.1  # a session in which all are touched
        at = np.array(
            [np.flatnonzero(np.append(shock[d + 1 :], True))[0] + 1 for d in range(decisions)]
        )
        after = at[start]
        hit = after <= horizon
        rows = template.with_columns(
            pl.Series("occurred", hit),
            pl.Series("actual_days", np.where(hit, after, horizon)).cast(pl.Int16),
            pl.Series("resolved_day", SESSIONS[start + np.where(hit, after, horizon)]).cast(
                pl.Date
            ),
        )
        row = survival_curves(rows, BARS.clear(), SESSIONS[110:111], "to_date").row(-1, named=True)
        covered.append(row["survival_low"] <= 0.9**horizon <= row["survival_high"])
        plain = kaplan_meier(
            np.array([[row["n"] - round(row["survival"] * row["n"])]]), np.array([[row["n"]]])
        )
        narrow.append(plain.low[0, 0] <= 0.9**horizon <= plain.high[0, 0])
    assert np.mean(covered) >= 0.88
    assert np.mean(narrow) < 0.5


def test_nothing_in_nothing_out() -> None:
    assert survival_curves(PREDICTIONS[:0], BARS, ENDS, "monthly").schema == CURVES
    none: Days = ENDS[:0]
    assert survival_curves(PREDICTIONS, BARS, none, "monthly").schema == CURVES
    assert survival_curves(PREDICTIONS, BARS[:0], ENDS, "monthly").schema == CURVES


def test_an_unknown_period_is_refused() -> None:
    with pytest.raises(ValueError, match="fortnight"):
        survival_curves(PREDICTIONS, BARS, ENDS, "fortnight")
