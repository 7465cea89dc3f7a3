"""Views of what is newest answer as the plain query would that reads everything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import psycopg
import pytest
from psycopg import sql

from predtrack_assets.domain.accuracy.day_sums import SCHEMA
from predtrack_assets.services.accuracy.period_reports import report_of
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

SUMS = """
    INSERT INTO accuracy.day_sums (known_day, due_day, model_id, kind, event, horizon, market_regime,
        origin, due, validated, expired, scored, hits, correct_calls, confidence, residual,
        squared_residual, bucket_7_n, bucket_7_hits, bucket_7_confidence, brier_no_change_n,
        brier_no_change_loss, brier_no_change_loss_baseline, brier_no_change_squares)
    SELECT day + late, day, model_id, 'direction', 'up', horizon, regime, 'replay', 5, 4, 1, 4, hits, hits,
           3, hits - 3, 1, 4, hits, 3, 4, 1 + hits, 2, 0.5
    FROM unnest('{b,a,c}'::text[]) model_id, unnest('{1,5}'::smallint[]) horizon,
         unnest('{bull,bear}'::text[]) regime, unnest('{0,3}'::int[]) late,
         LATERAL (SELECT DATE '2023-12-01' + d AS day FROM generate_series(0, 120) d) days,
         LATERAL (SELECT abs(hashtext(concat(model_id, horizon, day, regime, late))) % 5 AS hits) h
    WHERE hashtext(concat(model_id, horizon, day, late)) % 3 <> 0
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


def test_current_views_are_what_the_service_says_of_the_newest_day(
    connection: psycopg.Connection,
) -> None:
    """Every period of every cell up to its own newest due day, the newest sums of each day."""
    assert connection.execute("SELECT * FROM accuracy.v_current_performance").fetchall() == []
    assert connection.execute("SELECT * FROM accuracy.v_current_calibration").fetchall() == []
    connection.execute(SUMS)
    rows = connection.execute("SELECT * FROM accuracy.day_sums_current")
    columns = [column.name for column in rows.description or []]
    sums = pl.DataFrame(rows.fetchall(), schema=columns, orient="row", infer_schema_length=None)
    sums = sums.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    newest = dict(sums.group_by("model_id", "horizon").agg(pl.col("due_day").max()).select(
        pl.concat_str("model_id", "horizon"), "due_day").iter_rows())  # fmt: skip
    found = connection.execute(
        "SELECT model_id, horizon, period, period_start, period_end, n, dates, mean_score, skill,"
        " mean_difference, due, coverage FROM accuracy.v_current_performance"
    ).fetchall()
    assert len(found) == len(newest) * 6
    for model, horizon, period, start, end, *numbers in found:
        assert end == newest[f"{model}{horizon}"]
        of_cell = sums.filter(model_id=model, horizon=horizon)
        report = report_of(of_cell, np.array([end], "datetime64[D]"), period)
        (row,) = report.performance.iter_rows(named=True)
        assert row["period_start"] == start
        names = ("n", "dates", "mean_score", "skill", "mean_difference", "due", "coverage")
        assert [float(x) for x in numbers] == pytest.approx([row[name] for name in names])
    calibration = connection.execute(
        "SELECT model_id, horizon, ece, total_predictions, n_eff, coverage, period_end,"
        " calibration_quality FROM accuracy.v_current_calibration"
    ).fetchall()
    for model, horizon, *numbers, end, quality in calibration:
        of_cell = sums.filter(model_id=model, horizon=horizon)
        rates = report_of(of_cell, np.array([end], "datetime64[D]"), "rolling_30d").rates
        (row,) = rates.iter_rows(named=True)
        names = ("ece", "n", "n_eff", "coverage")
        assert [float(x) for x in numbers] == pytest.approx([row[name] for name in names])
        assert quality is None, "no week has been judged"


def test_months_of_the_documents_tables_are_what_the_service_says(
    connection: psycopg.Connection,
) -> None:
    connection.execute(SUMS)
    buckets = connection.execute(
        "SELECT sum(prediction_count), sum(accurate_count), min(expected_accuracy)"
        " FROM accuracy.calibration_metrics"
    ).fetchone()
    assert buckets is not None
    totals = connection.execute(
        "SELECT sum(scored), sum(hits), 0.75 FROM accuracy.day_sums_current"
    ).fetchone()
    assert [float(x) for x in buckets] == [float(x) for x in totals or ()]
    share = "SELECT DISTINCT coverage, pending FROM accuracy.coverage"
    assert connection.execute(share).fetchall() == [(0.8, 0)]
    skills = (
        "SELECT skill, 1 - mean_score / mean_score_baseline FROM accuracy.performance_analytics"
    )
    for skill, expected in connection.execute(skills):
        assert skill == pytest.approx(expected)


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
        due_day, resolved_day, status, confidence, occurred, brier, knowledge_time)
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
