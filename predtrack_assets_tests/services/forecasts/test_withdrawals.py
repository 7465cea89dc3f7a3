"""Withdrawals on a real database: in time only, visible, counted as due and not validated."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import psycopg
import pytest
from psycopg import errors

from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.services.audit.verification import verify
from predtrack_assets.services.forecasts.external_models import register_model
from predtrack_assets.services.forecasts.intake import Sender, take_predictions
from predtrack_assets.services.forecasts.withdrawals import withdraw, withdrawable_until
from predtrack_assets.warehouse.database.transaction import READER, Database
from predtrack_assets_tests import graph
from predtrack_assets_tests.builders.api import make_key, served

ROUND = "24/7"
TODAY = datetime.now(UTC).date()


@pytest.fixture
def market(database_url: str) -> str:
    """Prices of two symbols up to the last completed session; AAPL's next one has not opened."""
    days = calendar("XNYS").between(TODAY - timedelta(days=200), TODAY)
    closes = calendar("XNYS").closes_utc(days)
    days = days[closes < np.datetime64(datetime.now(UTC).replace(tzinfo=None))]
    walks = [
        graph.random_walk(days, seed).with_columns(symbol=pl.lit(symbol))
        for seed, symbol in enumerate(["AAPL", "MSFT"])
    ]
    graph.store_bars(database_url, pl.concat(walks))
    with Database(url=database_url).transaction() as transaction:
        for owner in ("ann", "bob"):
            register_model(
                transaction, name=f"of-{owner}", version=1, kinds=["direction"], owner=owner
            )
    return database_url


def taken(url: str, day: date | None = None, owner: str = "ann", p: float = 0.6) -> str:
    row: dict[str, Any] = {"symbol": "AAPL", "horizon": 5, "direction": {"p_up": p}}
    row |= {"decision_day": day.isoformat()} if day else {}
    with Database(url=url).transaction() as transaction:
        answer = take_predictions(
            transaction, model=f"of-{owner}", version=1, rows=[row], sender=Sender(owner, "r"),
            body=b"{}",
        )  # fmt: skip
    assert answer["rows"][0]["status"] == "accepted", answer
    identity: str = answer["rows"][0]["prediction_id"]
    return identity


def session_is_open() -> bool:
    """Whether the session after the last completed one has begun: then nothing is in time."""
    now = np.datetime64(datetime.now(UTC).replace(tzinfo=None))
    exchange = calendar("XNYS")
    recent = exchange.between(TODAY - timedelta(days=10), TODAY + timedelta(days=10))
    after = recent[exchange.closes_utc(recent) > now][0]
    return bool(exchange.opens_utc(after) <= now)


def withdrawn(url: str, ids: list[str], owner: str = "ann") -> list[dict[str, Any]]:
    with Database(url=url).transaction() as transaction:
        return withdraw(transaction, ids, "the wrong file", owner)


def test_only_the_owner_withdraws_and_only_what_there_is(market: str) -> None:
    old = taken(market, calendar("XNYS").offset(TODAY, -30).item())
    other = taken(market, owner="bob")
    nobody = "00000000-0000-0000-0000-000000000000"
    answers = withdrawn(market, [old, other, nobody, "x"])
    assert [row.get("code") for row in answers] == [
        "withdrawal_too_late", "model_of_another_owner", "prediction_unknown", "prediction_unknown",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="1 to 200"):
        withdraw(None, [old], "", "ann")  # type: ignore[arg-type]


@pytest.mark.skipif(session_is_open(), reason="the session after the decision day is open")
def test_what_is_withdrawn_stays_and_is_an_event_of_the_trail(market: str) -> None:
    identity = taken(market)
    first, again = (withdrawn(market, [identity])[0]["status"] for _ in range(2))
    assert (first, again) == ("withdrawn", "duplicate")
    client = served(market, make_key(market))
    (row,) = client.get("/api/v1/predictions").json()["rows"]
    assert (row["prediction_id"], row["withdrawn"]) == (identity, True)
    (listed,) = client.get("/api/v1/withdrawals?model=of-ann-v1").json()["rows"]
    assert (listed["prediction_id"], listed["reason"]) == (identity, "the wrong file")
    with psycopg.connect(market) as connection:
        event = connection.execute(
            "SELECT subject, payload ->> 'reason', actor FROM audit.audit_trail"
            " WHERE event_type = 'withdrawal'"
        ).fetchone()
        assert event == ("of-ann-v1", "the wrong file", "ann")
        with pytest.raises(errors.RestrictViolation):
            connection.execute("DELETE FROM forecasts.withdrawals")
    with Database(url=market).transaction(READER) as transaction:
        assert verify(transaction).good


def test_a_withdrawal_by_the_api_is_answered_row_by_row(market: str) -> None:
    old = taken(market, calendar("XNYS").offset(TODAY, -30).item())
    client = served(market, make_key(market))
    body = {"prediction_ids": [old, "no-identity"], "reason": "typing error"}
    rows = client.post("/api/v1/withdrawals", json=body).json()["rows"]
    assert [row["status"] for row in rows] == ["rejected", "rejected"]
    for wrong in ({"reason": ""}, {"prediction_ids": []}, {"extra": 1}):
        assert client.post("/api/v1/withdrawals", json=body | wrong).status_code == 422


INSERT = """
    INSERT INTO forecasts.withdrawals (model_id, kind, symbol, trading_day, as_of, horizon,
                                       horizon_unit, withdrawable_until, reason, withdrawn_by)
    SELECT model_id, kind, symbol, trading_day, as_of, horizon, horizon_unit, {until}, 'x', 'ann'
    FROM forecasts.predictions
"""


@pytest.mark.parametrize(
    ("until", "error"),
    [
        ("earliest_resolution_time + interval '1 day'", errors.IntegrityConstraintViolation),
        ("now() - interval '1 second'", errors.IntegrityConstraintViolation),
    ],
)
def test_the_database_refuses_what_could_be_known(
    market: str, until: str, error: type[Exception]
) -> None:
    taken(market)
    with psycopg.connect(market) as connection, pytest.raises(error):
        connection.execute(INSERT.format(until=until))


def test_what_is_withdrawn_falls_due_and_is_not_validated(market: str) -> None:
    """The row is put in as if in time long ago, since the outcome of a live one is not known yet."""
    day = calendar("XNYS").offset(TODAY, -30).item()
    kept, gone = taken(market, day), taken(market, day, owner="bob")
    with psycopg.connect(market) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            INSERT.replace("withdrawn_by)", "withdrawn_by, recorded_at)")
            .replace("'ann'", "'bob', '2000-01-01'")
            .format(until="'2001-01-01'::timestamptz")
            + " WHERE model_id = 'of-bob-v1'"
        )
    due = calendar("XNYS").offset(day, 5).item()
    graph.run_reference(market)
    graph.run(market, day, due, ["forecasts/outcomes", "accuracy/day_sums"])
    with psycopg.connect(market) as connection:
        found = connection.execute(
            "SELECT prediction_id::text, status, reason FROM forecasts.outcomes ORDER BY status"
        ).fetchall()
        sums = connection.execute(
            "SELECT model_id, sum(due), sum(validated) FROM accuracy.day_sums GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert found == [
        (gone, "expired", "withdrawn_before_anything_was_known"),
        (kept, "validated", None),
    ]
    assert sums == [("of-ann-v1", 1, 1), ("of-bob-v1", 1, 0)]


def test_the_moment_is_the_next_opening_of_the_exchange() -> None:
    row = {
        "exchange": "XNYS", "trading_day": date(2026, 11, 25), "horizon_unit": "session",
        "as_of": datetime(2026, 11, 26, tzinfo=UTC),
        "earliest_resolution_time": datetime(2026, 12, 3, 21, tzinfo=UTC),
    }  # fmt: skip
    assert withdrawable_until(row) == datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
    assert withdrawable_until({**row, "horizon_unit": "minute"}) == row["as_of"]
    assert withdrawable_until({**row, "exchange": ROUND}) == row["as_of"]
