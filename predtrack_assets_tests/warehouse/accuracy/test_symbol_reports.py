"""Views over the reports on symbols, and what their tables refuse."""

from __future__ import annotations

from itertools import product
from typing import Any

import psycopg
import pytest
from psycopg import sql

from predtrack_assets.domain.statistics import effective_size
from predtrack_assets_tests import graph

ROW: dict[str, Any] = {
    "symbol": "AAA", "model_id": "m-v1", "kind": "direction", "event": "up", "horizon": 1,
    "period": "rolling_30d", "period_start": "2024-02-10", "period_end": "2024-03-10",
    "total_predictions": 21, "accurate_predictions": 4, "accuracy_rate": 4 / 21, "n_eff": 21.0,
    "posterior_mean": 0.25, "posterior_low": 0.1, "posterior_high": 0.4, "threshold": 0.5,
    "p_below_threshold": 0.99996, "avg_confidence": 0.6, "needs_retraining": True,
    "buy_count": 0, "buy_right": 0, "sell_count": 3, "sell_right": 1, "sell_accuracy": 1 / 3,
    "hold_count": 18, "hold_right": 9, "hold_accuracy": 0.5, "band": 0.5, "cost": 0.001,
}  # fmt: skip
REGIME: dict[str, Any] = {
    "model_id": "m-v1", "kind": "direction", "event": "up", "horizon": 1, "market_regime": "bull",
    "period": "monthly", "period_start": "2024-03-01", "period_end": "2024-03-29",
    "sample_size": 30, "dates": 15, "n_eff": 20.0, "accuracy_rate": 0.6, "accuracy_low": 0.5,
    "accuracy_high": 0.7, "baseline_sample_size": 30, "baseline_dates": 15,
    "baseline_accuracy": 0.5, "outperformance": 0.1, "correlation_coefficient": 0.1,
    "standard_error": 0.1, "t_statistic": 1.0, "degrees_of_freedom": 14, "p_value": 0.33,
    "conclusion": "indistinguishable",
}  # fmt: skip


SUMMARY: dict[str, Any] = {
    **{name: ROW[name] for name in (
        "model_id", "kind", "event", "horizon", "period", "period_start", "period_end")},
    "n": 42, "n_eff": 14.0, "due": 42, "expired": 0, "calibration_quality": "insufficient_data",
}  # fmt: skip


@pytest.fixture(autouse=True)
def versions(database_url: str) -> None:
    """m-v1 and old-v1 are fitted, drift and history-v1 are not; old-v1 is retired."""
    graph.execute(
        database_url,
        "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description,"
        " scope, status) VALUES ('m-v1', 'm', 1, 'candidate', '{direction}', 'x', 'pooled', 'live'),"
        " ('old-v1', 'old', 1, 'candidate', '{direction}', 'x', 'pooled', 'retired'),"
        " ('history-v1', 'history', 1, 'candidate', '{direction}', 'x', NULL, 'live'),"
        " ('drift', 'drift', 1, 'baseline', '{direction}', 'x', NULL, 'live')",
    )


def insert(url: str, table: str, row: dict[str, Any], **changes: Any) -> None:
    row = {**row, **changes}
    statement = sql.SQL("INSERT INTO accuracy.{} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    with psycopg.connect(url) as connection:
        connection.execute(statement, list(row.values()))


def candidates(url: str) -> list[tuple[Any, ...]]:
    return graph.frame(
        url, "SELECT symbol, kind, horizon FROM accuracy.v_retraining_candidates ORDER BY 1, 2, 3"
    ).rows()


def test_candidates_are_those_of_the_latest_report_alone(database_url: str) -> None:
    """Once per model, kind and horizon; gone when recovered, and when no longer reported on."""
    later = {"period_start": "2024-02-17", "period_end": "2024-03-17"}
    for symbol in ("AAA", "BBB", "GONE"):
        insert(database_url, "symbol_accuracy", ROW, symbol=symbol)
    assert candidates(database_url) == [(s, "direction", 1) for s in ("AAA", "BBB", "GONE")]

    insert(database_url, "symbol_accuracy", ROW, **later)
    insert(database_url, "symbol_accuracy", ROW, **later, symbol="BBB", needs_retraining=False)
    insert(database_url, "symbol_accuracy", ROW, **later, kind="price", event="within_5pct")
    insert(database_url, "symbol_accuracy", ROW, **later, kind="price", event="within_band")
    later |= {"period": "monthly", "period_start": "2024-03-01", "period_end": "2024-03-29"}
    insert(database_url, "symbol_accuracy", ROW, **later, symbol="CCC")
    assert candidates(database_url) == [("AAA", "direction", 1), ("AAA", "price", 1)]


def test_a_candidate_is_of_a_version_that_a_fit_would_mend(database_url: str) -> None:
    for model in ("m-v1", "old-v1", "history-v1", "drift"):
        insert(database_url, "symbol_accuracy", ROW, model_id=model, symbol=model.upper())
    assert candidates(database_url) == [("M-V1", "direction", 1)]


def test_a_candidate_comes_with_its_reason(database_url: str) -> None:
    insert(database_url, "symbol_accuracy", ROW)
    row = graph.frame(database_url, "SELECT * FROM accuracy.v_retraining_candidates")
    assert row["reason"].to_list() == [
        "4 of 21 calls of 2024-02-10 to 2024-03-10 were correct (21 effective rows): shrunk toward all"
        " symbols a rate of 25.0 %, 95 % interval 10.0 to 40.0 %; below 50 % with probability 0.9999"
    ]
    assert row.select("threshold", "n_eff", "posterior_mean", "period_end").row(0)[:3] == (
        0.5, 21.0, 0.25,
    )  # fmt: skip


def test_a_ranking_goes_by_the_posterior_mean_of_the_latest_report(database_url: str) -> None:
    insert(database_url, "symbol_accuracy", ROW, symbol="OLD", posterior_mean=0.39)
    later = {"period_start": "2024-02-17", "period_end": "2024-03-17"}
    insert(database_url, "symbol_accuracy", ROW, **later, symbol="STEADY", posterior_mean=0.38)
    lucky = {"total_predictions": 1, "accurate_predictions": 1, "accuracy_rate": 1.0}
    insert(database_url, "symbol_accuracy", ROW, **later, symbol="LUCKY", **lucky)
    query = "SELECT rank, symbol FROM accuracy.get_symbol_ranking('m-v1', 'direction', 1, %s)"
    assert graph.frame(database_url, query, "rolling_30d").rows() == [(1, "STEADY"), (2, "LUCKY")]
    assert graph.frame(database_url, query, "monthly").rows() == []


def test_symbols_are_ranked_over_30_days_where_nothing_else_is_asked(database_url: str) -> None:
    cell = {"kind": "price", "event": "within_5pct"}
    insert(database_url, "symbol_accuracy", ROW, **cell, symbol="ROLLING")
    insert(database_url, "symbol_accuracy", ROW, **cell, symbol="MONTH", period="monthly")
    query = "SELECT symbol FROM accuracy.get_symbol_ranking('m-v1')"
    assert graph.frame(database_url, query)["symbol"].to_list() == ["ROLLING"]


@pytest.mark.parametrize("function", ["get_symbol_ranking", "calculate_ece"])
def test_an_unknown_model_is_an_error_that_names_the_known_ones(
    database_url: str, function: str
) -> None:
    known = "drift, history-v1, m-v1, old-v1"
    call = sql.SQL("SELECT * FROM accuracy.{}(%s)").format(sql.Identifier(function))
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name in ("price_prediction", None):
            said = f"there is no model {name or 'NULL'}; there are: {known}"
            with pytest.raises(psycopg.errors.InvalidParameterValue, match=said):
                connection.execute(call, [name])
        connection.execute("DELETE FROM models.model_registry")
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="there are: none yet"):
            connection.execute(call, ["m-v1"])


POOLED = """
    SELECT kind, side, given::int, came_right::int, accuracy, n_eff, accuracy_low, accuracy_high,
           symbols
    FROM accuracy.v_recommendation_accuracy ORDER BY kind, side
"""


def test_recommendations_of_a_model_add_up_over_its_symbols(database_url: str) -> None:
    """42 rows of direction are worth 14, so three calls are worth one, whatever kind gave them."""
    for symbol in ("AAA", "BBB"):
        insert(database_url, "symbol_accuracy", ROW, symbol=symbol)
        insert(
            database_url, "symbol_accuracy", ROW, symbol=symbol, kind="price", event="within_5pct"
        )
    none = dict.fromkeys(
        [name for name in ROW if name.startswith(("buy", "sell", "hold"))] + ["band", "cost"]
    )
    insert(database_url, "symbol_accuracy", ROW, kind="time_to_hit", event="hit", **none)
    insert(database_url, "calibration_summary", SUMMARY)
    rows: list[tuple[Any, ...]] = []
    for kind in ("direction", "price"):
        rows.append((kind, "BUY", 0, 0, None, 0.0, None, None, 2))
        for side, given, right in (("HOLD", 36, 18), ("SELL", 6, 2)):
            rate, worth = right / given, given / 3
            bounds = [
                pytest.approx(float(end), rel=1e-12) for end in effective_size.wilson(rate, worth)
            ]
            rows.append((kind, side, given, right, rate, pytest.approx(worth), *bounds, 2))
    assert graph.frame(database_url, POOLED).rows() == rows


def test_a_pooled_rate_does_not_stand_without_its_interval(database_url: str) -> None:
    insert(database_url, "symbol_accuracy", ROW)
    insert(database_url, "calibration_summary", SUMMARY, period_end="2024-03-03")
    for row in graph.frame(database_url, POOLED).iter_rows(named=True):
        said = (row["accuracy"], row["n_eff"], row["accuracy_low"], row["accuracy_high"])
        assert said == (None, None, None, None)
        assert row["given"] == ROW[f"{row['side'].lower()}_count"]


def test_wilson_is_that_of_the_domain(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        wilson = "SELECT low, high FROM accuracy.wilson(%s::float8, %s::float8)"
        for rate, n_eff in product((0.0, 0.37, 1.0), (0.5, 3.0, 250.0)):
            expected = [float(end) for end in effective_size.wilson(rate, n_eff)]
            assert connection.execute(wilson, [rate, n_eff]).fetchone() == pytest.approx(expected)
        for nothing in ([0.5, 0], [0.5, None], [0.5, -1], [None, 3]):
            assert connection.execute(wilson, nothing).fetchone() == (None, None)


def test_no_buys_are_not_zero_percent(database_url: str) -> None:
    for changes in (
        {"buy_accuracy": 0.0},
        {"sell_accuracy": None},
        {"sell_right": 4},
        {"threshold": 1.5},
        {"period": "fortnight"},
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            insert(database_url, "symbol_accuracy", ROW, **changes)
    insert(database_url, "symbol_accuracy", ROW)


def test_a_conclusion_has_its_test(database_url: str) -> None:
    for changes in (
        {"p_value": None},
        {"conclusion": "insufficient_data"},
        {"baseline_accuracy": None},
        {"market_regime": "choppy"},
        {"accuracy_rate": float("nan")},
        {"standard_error": 0.0},
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            insert(database_url, "accuracy_correlation", REGIME, **changes)
    insert(database_url, "accuracy_correlation", REGIME)
