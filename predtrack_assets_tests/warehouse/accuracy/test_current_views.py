"""Views of what is newest answer as the plain query would that reads everything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import psycopg
import pytest
from psycopg import sql

from predtrack_assets.warehouse.database.urls import with_database
from predtrack_assets_tests import graph
from predtrack_assets_tests.warehouse.test_schema import (
    DIRECTION,
    HIT,
    MODEL,
    OUTCOME,
    PRICE,
    REALISED,
    VOLATILITY,
    insert,
)

REPORTS = """
    INSERT INTO accuracy.performance_analytics (model_id, kind, horizon, score, baseline, period,
        period_start, period_end, n, n_eff, dates, mean_score, mean_score_baseline, mean_difference)
    SELECT model_id, kind, horizon, score, baseline, period, period_end - 6, period_end, 5, 5, 5,
           random(), random(), 0
    FROM unnest('{b,a,c}'::text[]) model_id, unnest('{price,direction}'::text[]) kind,
         unnest('{1,5}'::smallint[]) horizon, unnest('{brier,crps}'::text[]) score,
         unnest('{drift,no_change}'::text[]) baseline, unnest('{daily,weekly}'::text[]) period,
         LATERAL (SELECT DATE '2024-03-01' + d AS period_end FROM generate_series(0, 9) d) days
    WHERE hashtext(concat(model_id, kind, horizon, period, period_end)) % 3 = 0
"""
SUMMARIES = """
    INSERT INTO accuracy.calibration_summary (model_id, kind, event, horizon, period, period_start,
        period_end, n, n_eff, due, expired, ece, calibration_quality)
    SELECT model_id, kind, 'up', horizon, period, period_end - 6, period_end, 5, 5, 5, 0, random(),
           'good'
    FROM unnest('{b,a,c}'::text[]) model_id, unnest('{price,direction}'::text[]) kind,
         unnest('{1,5}'::smallint[]) horizon, unnest('{daily,rolling_30d}'::text[]) period,
         LATERAL (SELECT DATE '2024-03-01' + d AS period_end FROM generate_series(0, 9) d) days
    WHERE hashtext(concat(model_id, kind, horizon, period, period_end)) % 3 = 0
"""
PLAIN_PERFORMANCE = """
    SELECT DISTINCT ON (model_id, kind, horizon, score, baseline, period) *
    FROM accuracy.performance_analytics
    ORDER BY model_id, kind, horizon, score, baseline, period, period_end DESC
"""
PLAIN_CALIBRATION = """
    SELECT DISTINCT ON (model_id, kind, event, horizon) model_id, kind, event, horizon, ece,
           n AS total_predictions, n_eff, calibration_quality, period_end, rms_calibration_error,
           rms_calibration_upper, miscalibration, discrimination, uncertainty, coverage
    FROM accuracy.calibration_summary WHERE period = 'rolling_30d'
    ORDER BY model_id, kind, event, horizon, period_end DESC
"""


@pytest.fixture(scope="module")
def shared(postgres_server: str, template_database: str) -> Iterator[psycopg.Connection]:
    """A connection to an empty database, whose every test is rolled back."""
    empty = with_database(postgres_server, template_database)
    with graph.copy_of(empty) as url, psycopg.connect(url) as connection:
        yield connection


@pytest.fixture
def connection(shared: psycopg.Connection) -> Iterator[psycopg.Connection]:
    yield shared
    shared.rollback()


@pytest.mark.parametrize(
    ("fill", "asked", "plain"),
    [
        (REPORTS, "SELECT * FROM accuracy.v_current_performance", PLAIN_PERFORMANCE),
        (SUMMARIES, "SELECT * FROM accuracy.v_current_calibration", PLAIN_CALIBRATION),
    ],
)
def test_every_cell_has_its_newest_report_however_old(
    connection: psycopg.Connection, fill: str, asked: str, plain: str
) -> None:
    assert connection.execute(asked).fetchall() == []
    connection.execute(fill)
    found, expected = connection.execute(asked), connection.execute(plain)
    assert [c.name for c in found.description or []] == [c.name for c in expected.description or []]
    rows = found.fetchall()
    assert rows == expected.fetchall()
    ends = {value for row in rows for value in row if isinstance(value, date)}
    assert len(ends) > 2, "cells end on different days"


def test_a_score_that_the_newest_report_leaves_out_is_not_current(
    connection: psycopg.Connection,
) -> None:
    connection.execute(REPORTS)
    connection.execute("""
        DELETE FROM accuracy.performance_analytics
        WHERE (model_id, kind, horizon, period) = ('a', 'price', 1, 'daily') AND score = 'crps'
          AND period_end = (SELECT max(period_end) FROM accuracy.performance_analytics
                            WHERE (model_id, kind, horizon, period) = ('a', 'price', 1, 'daily'))
    """)
    view = """
        SELECT DISTINCT score FROM accuracy.v_current_performance
        WHERE (model_id, kind, horizon, period) = ('a', 'price', 1, 'daily')
    """
    assert connection.execute(view).fetchall() == [("brier",)]


def test_the_latest_gate_is_one_per_version_kind_and_scope(connection: psycopg.Connection) -> None:
    for model in ("a", "b"):
        insert(
            connection, "models.model_registry", {**MODEL, "model_id": model, "model_name": model}
        )
    for model, kind, day in [
        ("a", "price", "2024-03-01"), ("a", "price", "2024-03-08"), ("a", "direction", "2024-03-01"),
        ("b", "price", "2024-03-01"),
    ]:  # fmt: skip
        connection.execute(
            "INSERT INTO deployment.deployment_gates (model_id, kind, horizon, as_of_day, gate_status,"
            " accuracy, trial_count, criteria, thresholds, failure_reasons)"
            " VALUES (%s, %s, 5, %s, 'failed', 0.5, 1, '{}', '{}', '{x}')",
            [model, kind, day],
        )
    rows = connection.execute("SELECT kind, model_id, as_of_day FROM deployment.v_latest_gates")
    assert rows.fetchall() == [
        ("direction", "a", date(2024, 3, 1)),
        ("price", "a", date(2024, 3, 8)),
        ("price", "b", date(2024, 3, 1)),
    ]


KINDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("price_predictions", PRICE, OUTCOME),
    ("direction_predictions", DIRECTION,
     {**OUTCOME, "kind": "direction", "event": "up"}),
    ("time_predictions", HIT, {**OUTCOME, "kind": "time_to_hit", "event": "hit"}),
    ("volatility_predictions", VOLATILITY, REALISED),
]  # fmt: skip


@pytest.mark.parametrize(("view", "prediction", "outcome"), KINDS, ids=[k[0] for k in KINDS])
def test_a_prediction_stands_beside_the_latest_of_its_outcomes(
    connection: psycopg.Connection, view: str, prediction: dict[str, Any], outcome: dict[str, Any]
) -> None:
    insert(connection, "forecasts.predictions", prediction)
    name = sql.Identifier("forecasts", view)
    asked = sql.SQL(
        "SELECT trading_day, symbol, validation_status, validated_at::date FROM {}"
        " WHERE symbol = 'AAA' AND trading_day BETWEEN '2024-03-01' AND '2024-03-31'"
    ).format(name)
    day = date(2024, 3, 5)
    assert connection.execute(asked).fetchall() == [(day, "AAA", "pending", None)]
    insert(connection, "forecasts.outcomes", outcome)
    restated = {"resolved_day": "2024-03-08", "knowledge_time": "2024-03-09T00:00:00Z"}
    insert(connection, "forecasts.outcomes", {**outcome, **restated})
    found = connection.execute(asked).fetchall()
    assert found == [(day, "AAA", "validated", date(2024, 3, 9))]
    by_id = connection.execute(
        sql.SQL(
            "SELECT status FROM forecasts.prediction_status"
            " WHERE prediction_id = (SELECT id FROM {})"
        ).format(name)
    )
    assert by_id.fetchall() == [("validated",)]


OUTCOMES = """
    INSERT INTO forecasts.outcomes (model_id, kind, event, symbol, trading_day, horizon, as_of,
        due_day, resolved_day, status, confidence, occurred, score, knowledge_time)
    SELECT 'm', 'direction', 'up', 's' || s, day, 5, (day + 1)::timestamp AT TIME ZONE 'UTC',
           day + 7, day + 7, 'validated', 0.5, revision = 0, 0.25,
           (day + 8 + revision)::timestamp AT TIME ZONE 'UTC'
    FROM generate_series(1, 20) s, generate_series(0, 1) revision,
         LATERAL (SELECT DATE '2024-01-01' + d AS day FROM generate_series(0, 499) d) days
    WHERE revision = 0 OR s = 3
"""
BY_DUE_DAY = [
    "due_day = '2024-06-03'",
    "due_day = '2024-06-03' AND model_id = 'm' AND kind = 'direction' AND status = 'validated'",
    "due_day BETWEEN '2024-06-03' AND '2024-06-07'",
]


@pytest.fixture(scope="module")
def outcomes(postgres_server: str, template_database: str) -> Iterator[psycopg.Connection]:
    """10,500 outcomes of 20 symbols over 500 days, those of one restated a day later."""
    empty = with_database(postgres_server, template_database)
    with graph.copy_of(empty) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(OUTCOMES)
        connection.execute("VACUUM ANALYZE forecasts.outcomes")
        yield connection


@pytest.mark.parametrize("asked", BY_DUE_DAY)
def test_outcomes_by_due_day_are_read_by_an_index(outcomes: psycopg.Connection, asked: str) -> None:
    query = f"SELECT * FROM forecasts.outcomes_current WHERE {asked}"  # noqa: S608
    plan = "\n".join(row[0] for row in outcomes.execute(f"EXPLAIN {query}"))  # type: ignore[arg-type]
    assert "outcomes_by_due_day" in plan
    assert "Seq Scan" not in plan


def test_outcomes_of_a_symbol_are_read_by_the_key(outcomes: psycopg.Connection) -> None:
    query = "SELECT * FROM forecasts.outcomes_current WHERE trading_day = '2024-06-03' AND symbol = 's3'"
    plan = "\n".join(row[0] for row in outcomes.execute(f"EXPLAIN {query}"))  # type: ignore[arg-type]
    assert "outcomes_pkey" in plan
    assert "Seq Scan" not in plan


def test_outcomes_as_of_a_moment_are_the_latest_revisions_known(
    outcomes: psycopg.Connection,
) -> None:
    query = """
        SELECT count(*), count(*) FILTER (WHERE occurred)
        FROM forecasts.outcomes_as_of(%s) WHERE due_day = '2024-06-10'
    """
    asked = ["2024-06-10T23:59Z", "2024-06-11Z", "2024-06-12Z"]
    found = [outcomes.execute(query, [moment]).fetchone() for moment in asked]
    assert found == [(0, 0), (20, 20), (20, 19)]
    query = "SELECT count(*), count(*) FILTER (WHERE occurred) FROM forecasts.outcomes_current"
    assert outcomes.execute(query).fetchone() == (10_000, 9_500)


def test_outcomes_current_has_every_column_of_its_table(outcomes: psycopg.Connection) -> None:
    columns = """
        SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = %s::regclass AND attnum > 0
    """
    of_table, of_view = (
        outcomes.execute(columns, [f"forecasts.{name}"]).fetchone()
        for name in ("outcomes", "outcomes_current")
    )
    assert of_view == of_table
