"""Drift tables: what they refuse, and what the views make of alerts that were only ever added to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from predtrack_assets.warehouse.database.urls import with_role
from predtrack_assets_tests import graph

W1, W2, W3, W4 = "2024-03-08", "2024-03-15", "2024-03-22", "2024-03-28"
FEATURE = {
    "as_of_day": W1,
    "subject": "feature",
    "name": "rsi_14",
    "statistic": "psi",
    "value": 0.4,
    "drifted": True,
    "is_estimate": False,
    "reference_start": "2021-03-01",
    "reference_end": "2024-02-07",
    "current_start": "2024-02-08",
    "current_end": W1,
    "n_reference": 7560,
    "n_current": 210,
}
DEGRADED = {
    **FEATURE,
    "subject": "performance",
    "name": "crps",
    "model_id": "own",
    "kind": "price",
    "horizon": 5,
    "statistic": "e_value",
    "value": 31.0,
    "since": "2024-03-05",
}
ESTIMATE = {**DEGRADED, "statistic": "expected_brier", "value": 0.2, "drifted": False}
ESTIMATE |= {"is_estimate": True, "since": None}
OPENED = {
    **{k: FEATURE[k] for k in ("as_of_day", "subject", "name", "statistic", "value")},
    "event": "opened",
    "severity": "warning",
}
CLOSED = {**OPENED, "as_of_day": W3, "event": "closed", "statistic": None, "value": None}


def insert(connection: psycopg.Connection, table: str, row: dict[str, Any]) -> None:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier("accuracy", table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )
    connection.execute(statement, row)


@pytest.fixture
def writer(database_url: str) -> Iterator[psycopg.Connection]:
    graph.execute(
        database_url,
        "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description)"
        " VALUES ('own', 'own', 1, 'candidate', '{price}', 'x')",
    )
    with psycopg.connect(with_role(database_url, "predtrack_writer")) as connection:
        yield connection


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        (FEATURE | {"value": float("nan")}, "value"),
        (FEATURE | {"model_id": "own"}, "models_have_kinds"),
        (DEGRADED | {"horizon": None}, "models_have_kinds"),
        (ESTIMATE | {"drifted": True}, "estimates_decide_nothing"),
        (ESTIMATE | {"is_estimate": False}, "estimates_decide_nothing"),
        (FEATURE | {"is_estimate": True}, "estimates_decide_nothing"),
        (DEGRADED | {"since": None}, "since_when_degraded"),
        (FEATURE | {"current_end": W2}, "nothing_known_early"),
        (DEGRADED | {"since": W2}, "nothing_known_early"),
        (FEATURE | {"p_value": 0.5, "p_adjusted": 0.4}, "adjusted_upward"),
    ],
)
def test_impossible_rows_are_refused(
    row: dict[str, Any], constraint: str, writer: psycopg.Connection
) -> None:
    for good in (FEATURE, DEGRADED, ESTIMATE):
        insert(writer, "drift_metrics", good)
    with pytest.raises(errors.CheckViolation, match=constraint):
        insert(writer, "drift_metrics", row | {"name": "other"})


def test_missing_models_are_equal_in_the_key(writer: psycopg.Connection) -> None:
    insert(writer, "drift_metrics", FEATURE)
    with pytest.raises(errors.UniqueViolation):
        insert(writer, "drift_metrics", FEATURE)


@pytest.mark.parametrize("statement", ["UPDATE {} SET name = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_alerts_are_only_added_to(statement: str, database_url: str) -> None:
    rewrite = statement.format("accuracy.drift_alerts")
    with psycopg.connect(database_url) as superuser:
        insert(superuser, "drift_alerts", OPENED)
        with pytest.raises(errors.RestrictViolation, match="append-only"):
            superuser.execute(rewrite)


def rows(connection: psycopg.Connection, day: str) -> list[tuple[Any, ...]]:
    found = connection.execute(
        "SELECT opened_on::text, last_seen::text, closed_on::text"
        " FROM accuracy.drift_alerts_at(%s) ORDER BY 1",
        [day],
    )
    return found.fetchall()


def test_an_alert_is_open_until_it_is_closed(writer: psycopg.Connection) -> None:
    for week in (W1, W2):
        insert(writer, "drift_metrics", FEATURE | {"as_of_day": week})
    insert(writer, "drift_alerts", OPENED)
    insert(writer, "drift_alerts", CLOSED)
    assert rows(writer, "2024-03-07") == []
    assert rows(writer, W2) == [(W1, W2, None)], "as it stood then"
    assert rows(writer, W4) == [(W1, W2, W3)]
    insert(writer, "drift_alerts", OPENED | {"as_of_day": W4})
    assert rows(writer, W4) == [(W1, W2, W3), (W4, W4, None)]
    found = writer.execute("SELECT name, opened_on::text FROM accuracy.v_open_drift_alerts")
    assert found.fetchall() == [("rsi_14", W4)]


def test_a_repeated_word_says_nothing_and_the_last_of_a_day_counts(
    writer: psycopg.Connection,
) -> None:
    insert(writer, "drift_alerts", OPENED | {"as_of_day": W2})
    insert(writer, "drift_alerts", OPENED)  # an earlier week, computed later
    assert rows(writer, W4) == [(W1, W1, None)], "one alert"
    insert(writer, "drift_alerts", CLOSED | {"as_of_day": W1})
    insert(writer, "drift_alerts", CLOSED | {"as_of_day": W2})
    assert rows(writer, W4) == [], "what was found no longer to be so never was"


def test_degraded_models_are_those_of_the_latest_report(writer: psycopg.Connection) -> None:
    insert(writer, "drift_metrics", DEGRADED)
    query = "SELECT model_id, kind, horizon, score, e_value, since::text FROM accuracy.v_degraded_models"
    assert writer.execute(query).fetchall() == [("own", "price", 5, "crps", 31.0, "2024-03-05")]
    insert(writer, "drift_metrics", FEATURE | {"as_of_day": W2, "current_end": W2})
    assert writer.execute(query).fetchall() == []
