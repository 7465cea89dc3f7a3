"""Predictions of minutes, resolved by bars of minutes that somebody put in."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from predtrack_assets_tests import graph
from predtrack_assets_tests.warehouse.test_schema import MODEL, insert

DAY, NEXT = date(2024, 3, 5), date(2024, 3, 6)
OPENING = datetime(2024, 3, 5, 15, tzinfo=UTC)
CLOSES = [100.0, 101.0, 102.0, 101.5, 103.0, 102.5, 104.0, 103.5, 105.0, 104.5, 99.0, 98.0, 97.0]
FIVE = timedelta(minutes=5)
BAR = {
    "symbol": "AAA",
    "minutes": 5,
    "volume": 1.0,
    "source": "test",
}
SAID = {
    "model_id": "mine-1", "symbol": "AAA", "trading_day": DAY, "horizon_unit": "minute",
    "due_day": DAY, "sigma": 0.002, "feature_digest": 1, "origin": "replay",
}  # fmt: skip
DIRECTION = {"kind": "direction", "event": "up", "confidence": 0.8, "climatology": 0.5}
PRICE = {"kind": "price", "event": "within_5pct", "confidence": 0.9, "climatology": 0.9}
TOUCH = {
    "kind": "time_to_hit", "event": "hit", "confidence": 0.6, "climatology": 0.5, "side": "above",
    "hit_rule": "touch", "predicted_days": 10.0,
}  # fmt: skip
VOLATILITY = {"kind": "volatility", "predicted_volatility": 0.003}
STORED = """
    SELECT kind, to_char(as_of AT TIME ZONE 'UTC', 'HH24:MI') AS decided, horizon, status, occurred,
           actual_price, actual_days, realised_volatility, reason, resolved_day, knowledge_time
    FROM forecasts.outcomes ORDER BY kind, as_of, horizon, knowledge_time
"""


def bars(**changes: Any) -> list[dict[str, Any]]:
    """Bars that end at 15:00, 15:05 and so on, known a minute later, a quarter high and low."""
    return [
        BAR | {
            "bar_end": OPENING + at * FIVE, "open": close, "high": close + 0.25, "low": close - 0.25,
            "close": close, "knowledge_time": OPENING + at * FIVE + timedelta(minutes=1),
        } | changes
        for at, close in enumerate(CLOSES)
    ]  # fmt: skip


def said(of: dict[str, Any], decided: int, minutes: int = 30, **changes: Any) -> dict[str, Any]:
    """A prediction made at the end of a bar, from its close, for so many minutes."""
    as_of = OPENING + decided * FIVE
    due = as_of + timedelta(minutes=minutes)
    moments = {"as_of": as_of, "horizon": minutes, "due_at": due, "earliest_resolution_time": due}
    row = SAID | of | moments | {"reference_price": CLOSES[min(decided, len(CLOSES) - 1)]}
    if of["kind"] == "price":
        row |= {"q50": 0.0, "predicted_price": row["reference_price"]}
    return row | changes


@pytest.fixture
def minutes(database_url: str) -> str:
    """One symbol with an hour of bars, and predictions of every kind."""
    listed = {
        "symbol": "AAA",
        "exchange": "XNYS",
        "asset_class": "stock",
        "currency": "USD",
        "source": "test",
    }
    with psycopg.connect(database_url) as connection:
        insert(connection, "market.symbols", listed)
        insert(connection, "models.model_registry", MODEL | {"model_id": "mine-1"})
        for bar in bars():
            insert(connection, "market.intraday_bars", bar)
        for row in (
            said(DIRECTION, 0),  # 100 to 104
            said(DIRECTION, 6),  # 104 to 97
            said(DIRECTION, 6, 25),  # 104 to 98
            said(PRICE, 0),
            said(TOUCH, 0, target_price=103.2),  # the bar of 15:20 reaches 103.25
            said(TOUCH, 6, target_price=106.0),  # no bar does
            said(VOLATILITY, 0),
            said(DIRECTION, 1, reference_price=101.2),  # no close
            said(DIRECTION, 12),  # no bars any more
        ):
            insert(connection, "forecasts.predictions", row)
    return database_url


def resolve(url: str, first: date = DAY, last: date = DAY) -> dict[str, dict[str, int]]:
    return graph.counts(graph.run(url, first, last, ["forecasts/outcomes"]))


def stored(url: str) -> dict[tuple[str, str, int], dict[str, Any]]:
    rows = graph.frame(url, STORED).iter_rows(named=True)
    return {(row["kind"], row["decided"], row["horizon"]): row for row in rows}


def test_a_horizon_of_minutes_is_resolved_by_bars_of_minutes(minutes: str) -> None:
    assert resolve(minutes)["forecasts/outcomes"]["inserted"] == 8
    found = stored(minutes)
    short = {
        key: (row["status"], row["occurred"], row["actual_price"]) for key, row in found.items()
    }
    assert short == {
        ("direction", "15:00", 30): ("validated", True, 104.0),
        ("direction", "15:30", 30): ("validated", False, 97.0),
        ("direction", "15:30", 25): ("validated", False, 98.0),
        ("direction", "15:05", 30): ("expired", None, None),
        ("price", "15:00", 30): ("validated", True, 104.0),
        ("time_to_hit", "15:00", 30): ("validated", True, 103.0),
        ("time_to_hit", "15:30", 30): ("validated", False, None),
        ("volatility", "15:00", 30): ("validated", None, 104.0),
    }
    assert found["direction", "15:05", 30]["reason"] == "reference_price_is_not_the_close"
    assert found["time_to_hit", "15:00", 30]["actual_days"] == 20
    steps = [math.log(b / a) ** 2 for a, b in pairwise(CLOSES[:7])]
    measured = found["volatility", "15:00", 30]["realised_volatility"]
    assert measured == pytest.approx(math.sqrt(sum(steps) / 30))
    known = {key: row["knowledge_time"] for key, row in found.items()}
    assert known["direction", "15:00", 30] == graph.utc(2024, 3, 5, 15, 31)
    assert known["time_to_hit", "15:00", 30] == graph.utc(2024, 3, 5, 15, 21)
    assert {row["resolved_day"] for row in found.values()} == {DAY}
    assert resolve(minutes)["forecasts/outcomes"]["inserted"] == 0


def test_without_its_bar_it_is_pending_and_then_expires(minutes: str) -> None:
    resolve(minutes, DAY, date(2024, 3, 8))
    key = ("direction", "16:00", 30)
    assert key not in stored(minutes)
    resolve(minutes, date(2024, 3, 11), date(2024, 3, 28))
    row = stored(minutes)[key]
    assert (row["status"], row["reason"]) == ("expired", None)


def test_a_corrected_bar_is_a_new_revision_from_when_it_was_known(minutes: str) -> None:
    resolve(minutes)
    with psycopg.connect(minutes) as connection:
        corrected = bars(knowledge_time=datetime(2024, 3, 6, 9, tzinfo=UTC))[6]
        insert(connection, "market.intraday_bars", corrected | {"close": 99.0, "low": 98.0})
    resolve(minutes, NEXT, NEXT)
    rows = graph.frame(
        minutes,
        "SELECT resolved_day, occurred FROM forecasts.outcomes"
        " WHERE kind = 'direction' AND as_of = %s ORDER BY knowledge_time",
        OPENING,
    )
    assert rows.rows() == [(DAY, True), (NEXT, False)]


def test_a_range_of_days_is_its_days_one_by_one(minutes: str) -> None:
    with psycopg.connect(minutes) as connection:
        corrected = bars(knowledge_time=datetime(2024, 3, 6, 9, tzinfo=UTC))[6]
        insert(connection, "market.intraday_bars", corrected | {"close": 99.0, "low": 98.0})
    last = date(2024, 3, 20)
    with graph.copy_of(minutes) as other:
        resolve(minutes, DAY, last)
        graph.run_day_by_day(other, DAY, last, ["forecasts/outcomes"])
        assert graph.frame(minutes, STORED).equals(graph.frame(other, STORED))
        assert len(graph.frame(other, STORED)) > 9
