"""The gate on records whose truth is known: what must not pass, what must, and how often it errs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from benchmarks import gate_power
from predtrack_assets.domain.deployment.gates import (
    CRITERIA,
    FAILED,
    INSUFFICIENT,
    PASSED,
    Thresholds,
    evaluate,
)
from predtrack_assets.domain.deployment.track_record import (
    BINS,
    Due,
    Record,
    add_up,
    measure,
    score_sums,
)
from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS
from predtrack_assets.domain.statistics import expanding, returns
from predtrack_assets.domain.statistics.effective_size import wilson
from predtrack_assets.domain.statistics.scoring_rules import crps_from_quantiles

LIMITS = Thresholds()
LONG = 1500


def judge(record: Record, days: int = LONG, limits: Thresholds = LIMITS, trials: int = 1) -> dict:
    report = gate_power.START + np.array([days])
    return evaluate([record], report, limits, np.array([trials])).row(0, named=True)


@pytest.fixture(scope="module")
def good() -> Record:
    """A model that foresees 30 % of the variance of what is to come, and says no more than that."""
    return gate_power.simulate(7, LONG, 0.3)


def test_a_good_model_passes_once_its_evidence_is_long_enough(good: Record) -> None:
    report = gate_power.START + np.arange(10, LONG, 20)
    frame = evaluate([good], report, LIMITS, np.full(report.size, 10))
    statuses = frame["gate_status"].to_list()
    days = (frame["as_of_day"].to_numpy() - gate_power.START).astype(int)
    early = [s for s, day in zip(statuses, days, strict=True) if day < 252]
    assert set(early) == {INSUFFICIENT}
    assert statuses[-1] == PASSED
    assert frame["failure_reasons"][-1].to_list() == []
    last = frame.row(-1, named=True)
    assert {last[name]["status"] for name in CRITERIA} == {PASSED}
    for name in CRITERIA:
        beyond = last[name]["bound"] - last[name]["threshold"]
        assert (beyond <= 0) == (name in ("max_drawdown", "calibration"))


def always_no_change(confidence: float = 0.95) -> Record:
    """Says at every moment that the price stays, with that confidence, on quiet stocks."""
    random = np.random.default_rng(0)
    horizon, symbols, spread = 5, 10, 0.012 * np.sqrt(5)
    z = gate_power.overlapping(random, (LONG, symbols), horizon, 0.3) * spread
    still = np.zeros((z.size, QUANTILE_LEVELS.size))
    normal = np.broadcast_to(gate_power.ndtri(QUANTILE_LEVELS) * spread, still.shape)
    said = np.full(z.shape, confidence)
    gain = crps_from_quantiles(normal, QUANTILE_LEVELS, z.ravel()) - crps_from_quantiles(
        still, QUANTILE_LEVELS, z.ravel()
    )
    base = gate_power.simulate(0, LONG, 0.0)
    assert not base.returns.gross_exposure.any(), "no change means HOLD"
    scores = gate_power.scores_of(
        gate_power.START + np.arange(LONG), said, np.abs(z) < 0.05, gain.reshape(z.shape)
    )
    return replace(base, scores=scores)


def test_no_change_with_confidence_passes_nothing_though_it_is_accurate() -> None:
    gate = judge(always_no_change())
    assert gate["gate_status"] == FAILED
    assert gate["accuracy"]["status"] == PASSED, "the requirement's own rule lets it through"
    assert gate["skill"]["status"] == FAILED
    for name in ("market_outperformance", "sharpe_ratio", "max_drawdown"):
        assert gate[name]["status"] == INSUFFICIENT, "nothing was recommended"
        assert gate[name]["value"] is None
    assert len(gate["failure_reasons"]) == 4
    sharpe = gate["failure_reasons"][2]
    assert sharpe.startswith("sharpe_ratio insufficient_evidence: no BUY or SELL to measure, ")
    assert "it takes" not in sharpe, "the record is long enough"


def test_a_reason_says_what_a_short_record_lacks(good: Record) -> None:
    report = gate_power.START + np.array([7])
    reasons = evaluate([good], report, LIMITS, np.ones(1, np.int64))["failure_reasons"].item()
    said = {reason.split()[0]: reason.split(": ", 1)[1] for reason in reasons}
    for name in ("skill", "max_drawdown"):
        assert said[name].startswith("too few days to measure, ")
    assert said["accuracy"].endswith("; it takes n_eff 100)")
    assert said["sharpe_ratio"].endswith("; it takes 252 sessions)")
    words = " ".join(reasons).replace(",", " ").split()
    assert not {"none", "null", "nan"} & {word.lower() for word in words}


def test_the_baseline_itself_has_no_skill_whatever_rounding_says() -> None:
    record = always_no_change()
    rounding = np.random.default_rng(1).uniform(0, 1e-15, LONG) * record.scores.count
    gate = judge(replace(record, scores=replace(record.scores, loss_difference=rounding)))
    assert gate["skill"]["status"] == FAILED
    assert gate["skill"]["bound"] == 0


@pytest.mark.parametrize("criterion", CRITERIA)
def test_each_criterion_alone_can_stop_a_good_model(good: Record, criterion: str) -> None:
    out_of_reach = {
        "accuracy": 0.999, "skill": 1.0, "market_outperformance": 50.0, "sharpe_ratio": 50.0,
        "max_drawdown": 0.001, "calibration": 0.0001,
    }  # fmt: skip
    gate = judge(good, limits=replace(LIMITS, **{criterion: out_of_reach[criterion]}))
    assert gate["gate_status"] == FAILED
    assert [name for name in CRITERIA if gate[name]["status"] != PASSED] == [criterion]
    (reason,) = gate["failure_reasons"]
    assert reason.startswith(f"{criterion} failed: ")
    assert str(out_of_reach[criterion]) in reason


def test_a_missing_metric_never_passes(good: Record) -> None:
    silent = replace(good.returns, gross_exposure=np.zeros_like(good.returns.gross_exposure))
    gate = judge(replace(good, returns=silent))
    assert gate["gate_status"] == INSUFFICIENT
    flat = replace(good.returns, following=np.zeros_like(good.returns.following))
    assert judge(replace(good, returns=flat))["sharpe_ratio"]["status"] == INSUFFICIENT


def test_floors_are_floors_of_the_effective_sample(good: Record) -> None:
    short = judge(good, limits=replace(LIMITS, min_effective=1e6))
    assert short["accuracy"]["status"] == short["calibration"]["status"] == INSUFFICIENT
    assert short["gate_status"] == INSUFFICIENT
    assert judge(good)["accuracy"]["n_eff"] < judge(good)["accuracy"]["n"] / 2


def test_more_trials_ask_for_a_higher_sharpe(good: Record) -> None:
    one, many = judge(good, trials=1), judge(good, trials=10_000)
    assert one["sharpe_ratio"]["threshold"] == pytest.approx(LIMITS.sharpe_ratio)
    assert many["sharpe_ratio"]["threshold"] > LIMITS.sharpe_ratio
    assert many["deflated_sharpe"] <= one["deflated_sharpe"]


def test_the_harder_benchmark_counts(good: Record) -> None:
    easy = good.returns.benchmarks
    rising = easy + 0.01
    both = replace(good.returns, benchmarks=np.concatenate([easy, rising], axis=1))
    alone = replace(good.returns, benchmarks=rising)
    value = judge(replace(good, returns=both))["market_outperformance"]
    assert value == judge(replace(good, returns=alone))["market_outperformance"]


def test_the_sharpe_bound_says_what_both_probabilities_say(good: Record) -> None:
    for sharpe in np.linspace(0.5, 8, 16):
        limits = replace(LIMITS, sharpe_ratio=float(sharpe))
        gate = judge(good, limits=limits, trials=50)
        both = min(gate["psr"], gate["deflated_sharpe"]) > 0.95
        assert both == (gate["sharpe_ratio"]["status"] == PASSED)


def test_a_record_is_judged_alone_as_among_weeks(good: Record) -> None:
    report = gate_power.START + np.array([300, 900, 1400])
    together = evaluate([good], report, LIMITS, np.full(3, 4))
    for i in range(3):
        alone = evaluate([good], report[i : i + 1], LIMITS, np.array([4]))
        assert alone.row(0) == together.row(i)


def test_lasting_volatility_lets_no_accuracy_through_at_its_limit() -> None:
    world, n = gate_power.CLUSTERED[0], 60
    passed = by_wilson = 0
    for seed in range(n):
        record = gate_power.at_the_limit(world, seed)
        found = judge(record, gate_power.THREE_YEARS)["accuracy"]
        passed += found["status"] == PASSED
        by_wilson += wilson(found["value"], found["n_eff"], 0.9)[0] > LIMITS.accuracy
    allowed = 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / n)
    assert passed / n <= allowed < by_wilson / n


def test_a_higher_level_moves_every_bound_away(good: Record) -> None:
    strict = replace(LIMITS, level=0.99)
    usual, other = judge(good), judge(good, limits=strict)
    for name in CRITERIA:
        moved = other[name]["bound"] - usual[name]["bound"]
        if name == "max_drawdown":  # a quantile among a thousand paths, many of them alike
            assert moved >= 0
        else:
            assert moved > 0 if name == "calibration" else moved < 0
        assert other[name]["value"] == usual[name]["value"]
    reached = judge(good, limits=replace(strict, sharpe_ratio=usual["sharpe_ratio"]["bound"]))
    (reason,) = (r for r in reached["failure_reasons"] if r.startswith("sharpe_ratio"))
    assert "99 % bound" in reason
    assert 0.9 < reached["psr"] < 0.99


def test_only_a_drawdown_may_equal_its_limit(good: Record) -> None:
    gate = judge(good)
    equal = {name: gate[name]["bound"] for name in CRITERIA}
    same = judge(good, limits=replace(LIMITS, **equal))
    assert {name: same[name]["status"] for name in CRITERIA} == {
        name: PASSED if name == "max_drawdown" else FAILED for name in CRITERIA
    }


def test_calibration_counts_what_the_probabilities_leave_unexplained() -> None:
    """Events come and go with volatility; probabilities that go along leave errors that do not."""
    random = np.random.default_rng(3)
    p = np.repeat(random.choice([0.3, 0.9], LONG // 25), 25)[:, None] + np.zeros(10)
    occurred = random.random(p.shape) < p
    days = gate_power.START + np.arange(LONG)
    scores = gate_power.scores_of(days, p, occurred, np.zeros(p.shape))
    exact = occurred - p
    for found, expected in zip(
        scores.residuals(),
        (exact.sum(axis=1), np.full(LONG, 10.0), np.square(exact).sum(axis=1)),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, atol=1e-9)
    base = gate_power.simulate(0, LONG, 0.0)
    gate = judge(replace(base, scores=scores, horizon=1))
    of_events = expanding.effective_sizes(
        scores.hits, scores.count, scores.hits, np.array([LONG]), 1
    )
    assert gate["calibration"]["n_eff"] > 4 * of_events[2][0]
    assert gate["calibration"]["status"] == PASSED


@pytest.mark.parametrize(("lost", "status"), [(0.04, PASSED), (0.06, INSUFFICIENT)])
def test_a_record_that_lacks_what_fell_due_is_no_evidence(
    good: Record, lost: float, status: str
) -> None:
    """Nothing tells whether what was refused, has expired or is overdue was like the rest."""
    due = Due(good.scores.days, good.scores.count / (1 - lost))
    gate = judge(replace(good, due=due))
    assert gate["gate_status"] == gate["coverage"]["status"] == status
    assert gate["coverage"]["value"] == pytest.approx(1 - lost)
    assert {gate[name]["status"] for name in CRITERIA} == {PASSED}
    if status == INSUFFICIENT:
        (reason,) = gate["failure_reasons"]
        assert reason.startswith("coverage insufficient_evidence: of ")
        assert " 0.94 were validated, it takes 0.95" in reason


def test_sharpe_is_of_the_return_above_the_risk_free_one(good: Record) -> None:
    held = replace(
        good, returns=replace(good.returns, net_exposure=np.ones(good.returns.days.size))
    )
    rich = replace(LIMITS, risk_free_rate=0.05)
    known = good.returns.following[good.returns.days <= gate_power.START + LONG]
    expected = returns.sharpe(known, 0.05 / 252)
    assert judge(held, limits=rich)["sharpe_ratio"]["value"] == pytest.approx(expected)
    cash = replace(
        good, returns=replace(good.returns, net_exposure=np.zeros(good.returns.days.size))
    )
    assert judge(cash, limits=rich)["sharpe_ratio"] == judge(cash)["sharpe_ratio"], (
        "a book that costs nothing earns the interest on top"
    )


def test_retired_trials_tell_how_much_trials_vary(good: Record) -> None:
    report, trials = gate_power.START + np.array([LONG]), np.array([50])
    alone = evaluate([good], report, LIMITS, trials)
    moved = replace(good.returns, following=good.returns.following - 0.02)
    wild = replace(good, model_id="wild", returns=moved)
    beside = evaluate([good], report, LIMITS, trials, [wild])
    assert beside["model_id"].to_list() == [good.model_id], "it is judged no more"
    sharpe = [f["sharpe_ratio"].struct.field("threshold").item() for f in (alone, beside)]
    assert sharpe[0] < sharpe[1]
    both = evaluate([good, wild], report, LIMITS, trials).filter(model_id=good.model_id)
    assert both.equals(beside)


def rows(kind: str, n: int = 200) -> pl.DataFrame:
    random = np.random.default_rng(2)
    p, y = random.random(n), random.random(n) < 0.5
    days = np.datetime64("2020-01-01") + random.integers(0, 20, n)
    return pl.DataFrame(
        {
            "kind": [kind] * n,
            "horizon": pl.Series([5] * n, dtype=pl.Int16),
            "confidence": p,
            "sigma": [0.01] * n,
            "q50": random.normal(0, 0.03, n),
            "occurred": y,
            "brier": (p - y) ** 2,
            "brier_no_change": [0.25] * n,
            "crps": random.random(n),
            "crps_no_change": random.random(n),
            "known_day": days,
        }
    )


def test_what_is_counted_of_a_prediction() -> None:
    price = measure(rows("price"))
    assert (price["called"] == price["occurred"]).all()
    assert (price["loss_difference"] == price["crps_no_change"] - price["crps"]).all()
    direction = measure(rows("direction"))
    assert (
        direction["called"] == (direction["occurred"] == (direction["confidence"] >= 0.5))
    ).all()
    assert (direction["loss_difference"] == 0.25 - direction["brier"]).all()
    assert set(direction["position"].unique()) == {-1, 0, 1}
    buys = direction.filter(pl.col("position") == 1)
    assert buys["confidence"].min() > 0.69, "half a spread, and the cost"


def test_sums_do_not_depend_on_order_or_parts() -> None:
    measured = measure(rows("price"))
    whole = score_sums(measured)
    assert whole.count.sum() == 200
    assert whole.bins.shape == (whole.days.size, BINS)
    shuffled = score_sums(measured.sample(fraction=1, shuffle=True, seed=1))
    parts = add_up([score_sums(measured[:77]), score_sums(measured[77:])])
    for name in ("days", "count", "hits", "loss_difference", "bins", "bin_hits", "bin_confidence"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(shuffled, name))
        np.testing.assert_allclose(
            getattr(whole, name).astype(float), getattr(parts, name).astype(float), atol=1e-12
        )


@pytest.mark.slow
def test_null_models_pass_no_more_often_than_promised() -> None:
    """Overlapping horizons, correlated symbols; each criterion with the truth at its limit."""
    n = 150
    allowed = 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / n)
    rates = gate_power.one_look(simulations=n)
    assert set(rates) == set(CRITERIA) - {"max_drawdown"}, "which is a quantile by definition"
    assert max(rates.values()) <= allowed, rates


@pytest.mark.slow
def test_models_that_act_on_noise_never_pass_at_any_weekly_look() -> None:
    assert gate_power.ever_passed(simulations=8, years=4) == 0
