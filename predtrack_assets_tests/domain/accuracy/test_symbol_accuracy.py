"""Shrinkage, multiple testing and the call for retraining."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.accuracy.symbol_accuracy import RetrainingRule, symbol_accuracy
from predtrack_assets.domain.statistics.multiple_testing import (
    benjamini_hochberg,
    discoveries,
    holm,
)
from predtrack_assets.domain.statistics.shrinkage import beta_prior

# statsmodels, multipletests (the p-values of Benjamini & Hochberg's worked example)
P = [
    0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216, 0.222, 0.251, 0.269,
    0.275, 0.34, 0.341, 0.384, 0.569, 0.594, 0.696, 0.762, 0.94, 0.942, 0.975, 0.986,
]  # fmt: skip
BH = [
    0.025, 0.1, *[0.21] * 3, 0.25, 0.26428571428571423, *[0.49107142857142855] * 7,
    *[0.5328125] * 2, 0.5647058823529412, *[0.781578947368421] * 2, 0.87, 0.9071428571428571,
    *[0.986] * 4,
]  # fmt: skip
HOLM = [0.025, 0.192, 0.897, 0.902, 0.902, *[1.0] * 20]
SESSIONS = np.busday_offset("2020-01-01", np.arange(400), roll="forward")


def outcomes(hits: dict[str, np.ndarray], horizon: int = 1, **columns: object) -> pl.DataFrame:
    """One model's daily outcomes per symbol, due on 21 successive sessions."""
    return pl.concat(
        pl.DataFrame({
            "model_id": "m", "kind": "direction", "event": "up", "horizon": horizon,
            "symbol": symbol, "due_day": SESSIONS[np.arange(len(y)) % 21], "status": "validated",
            "confidence": 0.6, "occurred": y, "error_magnitude": np.nan,
            "actual_return": 0.0, "sigma": 0.01, "q50": None, **columns,
        }, schema_overrides={"q50": pl.Float64})
        for symbol, y in hits.items()
    )  # fmt: skip


def report(hits: dict[str, np.ndarray], **rule: float) -> pl.DataFrame:
    return symbol_accuracy(outcomes(hits), SESSIONS[20:21], "rolling_30d", RetrainingRule(**rule))


def test_adjusted_p_values() -> None:
    order = np.random.default_rng(0).permutation(len(P))
    np.testing.assert_allclose(benjamini_hochberg(np.array(P)[order]), np.array(BH)[order])
    np.testing.assert_allclose(holm(np.array(P)[order]), np.array(HOLM)[order])


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), max_size=60),
    st.sampled_from([0.05, 0.1, 0.3]),
)
def test_discoveries_are_adjusted_p_values_within_each_family(
    rows: list[tuple[float, int]], fdr: float
) -> None:
    p, family = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], dtype=int)
    found = discoveries(p, family, fdr)
    for one in set(family.tolist()):
        adjusted = benjamini_hochberg(p[family == one])
        clear = np.abs(adjusted - fdr) > 1e-12
        assert (found[family == one] == (adjusted <= fdr))[clear].all()


def test_prior_finds_the_spread_that_the_symbols_have() -> None:
    rng = np.random.default_rng(1)
    rates = rng.beta(12, 8, 4000)
    n = rng.integers(30, 200, 4000)
    a, b = beta_prior(rng.binomial(n, rates) / n, n, np.zeros(4000, int), [n.sum()])
    assert (a[0], b[0]) == pytest.approx((12, 8), rel=0.1)


def test_without_spread_the_prior_weighs_as_much_as_the_pool() -> None:
    a, b = beta_prior([0.6, 0.6, 0.6], [50, 50, 50], [0, 0, 0], [40.0])
    assert a[0] + b[0] == pytest.approx(40)
    assert a[0] / 40 == pytest.approx(0.6, abs=0.001)


def test_one_symbol_has_a_uniform_prior() -> None:
    a, b = beta_prior([0.9], [50], [0], [50.0])
    assert (a[0], b[0]) == (1, 1)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(1, 500)), min_size=1, max_size=20),
    st.floats(1, 1000),
)
def test_a_prior_is_always_a_distribution(rows: list[tuple[float, float]], limit: float) -> None:
    rates, n = map(np.array, zip(*rows, strict=True))
    a, b = beta_prior(rates, n, np.zeros(len(rows), int), [limit])
    assert a[0] > 0
    assert b[0] > 0
    assert a[0] + b[0] <= max(limit, 2) * (1 + 1e-12)


def test_one_lucky_call_does_not_outrank_a_record() -> None:
    rng = np.random.default_rng(2)
    crowd = {f"S{i}": rng.random(210) < 0.55 for i in range(20)}
    record = np.arange(2100) % 50 != 0
    table = report({**crowd, "LUCKY": np.array([True]), "STEADY": record})
    rank = table.sort("posterior_mean", descending=True)["symbol"].to_list()
    raw = table.sort("accuracy_rate", descending=True)["symbol"].to_list()
    assert raw[0] == "LUCKY"
    assert rank.index("STEADY") < rank.index("LUCKY")


def test_a_posterior_lies_between_the_symbol_and_the_pool() -> None:
    rng = np.random.default_rng(3)
    table = report({f"S{i}": rng.random(210) < 0.3 + 0.04 * i for i in range(10)})
    pooled = table["accurate_predictions"].sum() / table["total_predictions"].sum()
    for row in table.to_dicts():
        assert row["posterior_low"] < row["posterior_mean"] < row["posterior_high"]
        low, high = sorted([row["accuracy_rate"], pooled])
        assert low - 0.02 <= row["posterior_mean"] <= high + 0.02


def test_retraining_is_called_for_where_it_is_certain() -> None:
    rng = np.random.default_rng(4)
    good = {f"G{i}": rng.random(210) < 0.6 for i in range(20)}
    bad = {f"B{i}": rng.random(210) < 0.2 for i in range(3)}
    table = report({**good, **bad, "FEW": np.zeros(5, bool)})
    flagged = table.filter("needs_retraining")
    assert flagged["symbol"].sort().to_list() == ["B0", "B1", "B2"]
    assert (flagged["p_below_threshold"] >= 0.95).all()
    assert (flagged["n_eff"] >= 20).all()


def test_five_misses_do_not_condemn_good_symbols() -> None:
    rng = np.random.default_rng(5)
    table = report({f"S{i}": rng.random(5) < 0.55 for i in range(1030)})
    assert (table["accuracy_rate"] < 0.5).sum() > 200
    assert table["needs_retraining"].sum() == 0


def test_the_rule_is_a_setting() -> None:
    rng = np.random.default_rng(6)
    hits = {f"S{i}": rng.random(210) < 0.6 for i in range(5)}
    assert report(hits)["needs_retraining"].sum() == 0
    assert report(hits, threshold=0.9)["needs_retraining"].sum() == 5
    assert report(hits, threshold=0.9, min_effective=1e6)["needs_retraining"].sum() == 0


def test_no_error_known_is_null() -> None:
    assert report({"S": np.ones(30, bool)})["avg_error_magnitude"].to_list() == [None]


def test_an_improbable_event_that_stays_away_was_called() -> None:
    """A touch given 10 % comes true one time in ten: that model is right, not in need of training."""
    seldom = np.arange(210) % 10 == 0
    for kind, called in (("time_to_hit", 189), ("direction", 189), ("price", 21)):
        rows = outcomes({"A": seldom, "B": seldom}, kind=kind, confidence=0.1)
        table = symbol_accuracy(rows, SESSIONS[20:21], "rolling_30d")
        assert table["accurate_predictions"].to_list() == [called] * 2, kind
        assert table["needs_retraining"].to_list() == [kind == "price"] * 2


def test_no_buys_are_no_rate_rather_than_a_bad_one() -> None:
    """sigma 1 %, one session: BUY and SELL beyond 0.6 %, right beyond 0.6 %; HOLD within 0.5 %."""
    medians = [0.0059, 0.0061, 0.0061, -0.0061, -0.0061, 0.0, 0.0]
    gone = [0.0, 0.0061, 0.0059, -0.0061, 0.0061, 0.0049, 0.0051]
    rows = outcomes({"A": np.ones(7, bool)}, kind="price", q50=medians, actual_return=gone)
    (row,) = symbol_accuracy(rows, SESSIONS[20:21], "rolling_30d").to_dicts()
    found = {name: [row[f"{side}_{name}"] for side in ("buy", "sell", "hold")]
             for name in ("count", "right", "accuracy")}  # fmt: skip
    assert found == {"count": [2, 2, 3], "right": [1, 1, 2], "accuracy": [0.5, 0.5, 2 / 3]}
    assert (row["band"], row["cost"]) == (0.5, 0.001)

    rows = outcomes({"A": np.ones(7, bool)}, kind="price", q50=0.0)
    (row,) = symbol_accuracy(rows, SESSIONS[20:21], "rolling_30d").to_dicts()
    assert (row["buy_count"], row["buy_right"]) == (0, 0)
    assert [row[f"buy_{name}"] for name in ("accuracy", "low", "high")] == [None] * 3
    assert row["hold_accuracy"] == 1.0

    rows = outcomes({"A": np.ones(7, bool)}, kind="time_to_hit")
    (row,) = symbol_accuracy(rows, SESSIONS[20:21], "rolling_30d").to_dicts()
    assert [row[f"{side}_count"] for side in ("buy", "sell", "hold")] == [None] * 3
    assert row["band"] is None


@pytest.mark.parametrize("bad", [0, 15])
@pytest.mark.parametrize("together", [0.0, 2.0])
def test_false_alarms_stay_below_the_rate_that_is_set(bad: int, together: float) -> None:
    """30 symbols right half of the time, up to 15 beside them a quarter of it; days move together."""
    rng = np.random.default_rng(7)
    worlds, rates = 200, np.repeat([0.5, 0.25], [30, bad])
    shape = (worlds, rates.size, 21)
    mood = together * rng.normal(0, 1, (worlds, 1, 21))  # shared by all symbols of a day
    limits = [NormalDist(0, (1 + together**2) ** 0.5).inv_cdf(rate) for rate in rates]
    hits = mood + rng.normal(0, 1, shape) < np.array(limits)[:, None]
    world, symbol, day = (index.ravel() for index in np.indices(shape))
    rows = outcomes({"S": hits.ravel()}).with_columns(
        pl.Series("model_id", world.astype(str)),
        pl.Series("symbol", symbol.astype(str)),
        pl.Series("due_day", SESSIONS[day]),
    )
    flags = symbol_accuracy(rows, SESSIONS[20:21], "rolling_30d").filter("needs_retraining")
    good = flags["symbol"].cast(pl.Int64) < 30
    per_world = flags.with_columns(good=good).group_by("model_id").agg(pl.col("good").mean())
    assert per_world["good"].sum() / worlds <= 0.10
    assert (~good).sum() >= 0.4 * bad * worlds
