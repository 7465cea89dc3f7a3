"""Success metrics and origins: what holds, what does not, and what nothing can be said of."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from predtrack_assets.cli.main import app
from predtrack_assets.domain.deployment.gates import CRITERIA, FAILED, PASSED
from predtrack_assets.reporting.tables.scores import success_table
from predtrack_assets.reporting.tables.stored import origin_line
from predtrack_assets.reporting.tables.text import wide_console
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests.builders.ledgers import attacker, commit, predictions
from predtrack_assets_tests.graph import execute, frame, random_walk, store_bars
from predtrack_assets_tests.services.deployment.test_decisions import (
    DAY,
    LATER,
    add_gate,
    insert,
    override,
)

SUMS: dict[str, Any] = {
    "model_id": "good", "kind": "price", "event": "within_5pct", "horizon": 5, "due_day": date(2024, 3, 29),
    "market_regime": "bull", "origin": "replay", "due": 100, "expired": 0,
}  # fmt: skip
SUMMARY: dict[str, Any] = {
    **{name: SUMS[name] for name in ("model_id", "kind", "event", "horizon")},
    "period": "monthly", "period_start": date(2024, 3, 1), "period_end": date(2024, 3, 29),
    "n": 100, "n_eff": 60.0, "due": 100, "expired": 0, "calibration_quality": "insufficient_data",
}  # fmt: skip
APRIL = date(2024, 4, 1)


def sums(url: str, hits: int = 80, confidence: float = 95.0, **changes: Any) -> None:
    """Sums of one due day: a hundred rows in the last bucket, so many hits."""
    row = {**SUMS, "validated": 100, **changes}
    n = row["validated"]
    row |= {"scored": n, "hits": hits, "correct_calls": hits, "confidence": confidence}
    row |= {
        "residual": hits - confidence,
        "squared_residual": 10.0,
        "known_day": row.get("known_day", row["due_day"]),
    }
    row |= {"bucket_9_n": n, "bucket_9_hits": hits, "bucket_9_confidence": confidence}
    report(url, "day_sums", row)


def report(url: str, table: str, row: dict[str, Any], **changes: Any) -> None:
    """One row of a report."""
    row = {**row, **changes}
    statement = sql.SQL("INSERT INTO accuracy.{} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    with psycopg.connect(url) as connection:
        connection.execute(statement, list(row.values()))


def measured(url: str, metric: str) -> list[tuple[Any, ...]]:
    """(value, n, status) of a metric, by subject."""
    query = "SELECT value, n, status FROM accuracy.v_success_metrics WHERE metric = %s"
    return frame(url, query, metric).rows()


def audited(url: str) -> dict[str, tuple[Any, ...]]:
    query = (
        "SELECT split_part(subject, ',', 1), value, status FROM accuracy.v_success_metrics"
        " WHERE metric = 'audit_completeness'"
    )
    return {subject: (value, status) for subject, value, status in frame(url, query).iter_rows()}


def test_of_nothing_there_is_nothing_to_say(database_url: str) -> None:
    add_gate(database_url, "good", PASSED)
    statuses = frame(database_url, "SELECT DISTINCT metric, status FROM accuracy.v_success_metrics")
    assert sorted(statuses.rows()) == [
        ("audit_completeness", "insufficient"),
        ("audit_completeness", "not"),  # the gate was written past the audit trail
        ("bad_deployments", "insufficient"),
        ("calibration", "insufficient"),
        ("symbol_coverage", "insufficient"),
        ("validation", "insufficient"),
    ]


def test_calibration_is_over_whole_months_and_the_days_since(database_url: str) -> None:
    """Misses of opposite sign in one bucket cancel, as in one report of all days."""
    add_gate(database_url, "good", PASSED)
    add_gate(database_url, "no_change", FAILED)
    for model in ("good", "no_change"):  # baselines are not judged
        sums(database_url, model_id=model)
        report(database_url, "calibration_summary", SUMMARY, model_id=model)
    assert measured(database_url, "calibration") == [(pytest.approx(0.15), 100, "insufficient")]
    sums(database_url, hits=100, due_day=APRIL)
    assert measured(database_url, "calibration")[0][:2] == (pytest.approx(0.05), 200)
    sizes = "SELECT n_eff FROM accuracy.v_success_metrics WHERE metric = 'calibration'"
    assert frame(database_url, sizes).item() == pytest.approx(60 + 1), "one day since is worth one"
    execute(database_url, "UPDATE accuracy.calibration_summary SET n_eff = 99")
    assert measured(database_url, "calibration") == [(pytest.approx(0.05), 200, "holds")]
    execute(database_url, "UPDATE accuracy.day_sums SET bucket_9_confidence = 70")
    assert measured(database_url, "calibration") == [(pytest.approx(0.2), 200, "not")]


def test_quarters_that_come_together_are_worth_less_than_their_sum(database_url: str) -> None:
    """Two years all right, two years all wrong: that is one change, whatever each month says."""
    add_gate(database_url, "good", PASSED)
    for quarter in range(16):
        day = date(2010 + quarter // 4, 3 * (quarter % 4) + 1, 28)
        sums(database_url, hits=100 if quarter < 8 else 0, due_day=day)
        when = {"period_start": day.replace(day=1), "period_end": day}
        report(database_url, "calibration_summary", SUMMARY, **when)
    query = "SELECT n, n_eff, status FROM accuracy.v_success_metrics WHERE metric = 'calibration'"
    n, n_eff, status = frame(database_url, query).row(0)
    assert (n, status) == (1_600, "insufficient")
    assert n_eff < 20


def test_what_fell_due_and_is_not_validated_counts(database_url: str) -> None:
    sums(database_url)
    assert measured(database_url, "validation") == [(1.0, 100, "holds")]
    sums(database_url, due_day=APRIL, validated=60, hits=50, expired=10)
    assert measured(database_url, "validation") == [(0.8, 200, "not")]
    late = {"due_day": APRIL, "validated": 90, "expired": 10}
    sums(database_url, **late, known_day=date(2024, 4, 2))
    assert measured(database_url, "validation") == [(0.95, 200, "not")], "the newest sums count"


def test_a_symbol_that_trades_is_predicted(database_url: str) -> None:
    commit(database_url, predictions(1, ("AAA",), ("good",), DAY))
    for seed, symbol in enumerate(("AAA", "BBB")):
        bars = random_walk(np.array([DAY], "datetime64[D]"), seed)
        store_bars(database_url, bars.with_columns(pl.lit(symbol).alias("symbol")))
    assert measured(database_url, "symbol_coverage") == [(0.5, 2, "not")]
    commit(database_url, predictions(1, ("BBB",), ("good",), DAY))
    assert measured(database_url, "symbol_coverage") == [(1.0, 2, "holds")]


def test_a_deployment_that_nothing_permits_is_bad(database_url: str) -> None:
    insert(database_url, gate_id=add_gate(database_url, "good", PASSED))
    failed = add_gate(database_url, "poor", FAILED)
    override(database_url, failed)
    assert measured(database_url, "bad_deployments") == [(0.0, 2, "holds")]
    with attacker(database_url) as connection:
        connection.execute(
            "INSERT INTO deployment.deployments (kind, scope, model_id, valid_from, gate_id,"
            " deployed_by, reason) VALUES ('price', 'h5', 'poor', %s, %s, 'mallory', 'because')",
            [LATER + timedelta(days=1), failed],
        )
    assert measured(database_url, "bad_deployments") == [(1.0, 3, "not")]


def test_what_no_event_or_batch_records_is_missed(database_url: str) -> None:
    commit(database_url, predictions(1, ("AAA",), ("good",), DAY))
    override(database_url, add_gate(database_url, "good", FAILED))
    assert audited(database_url) == {
        "deployments": (1.0, "holds"),
        "outcomes": (None, "insufficient"),
        "overrides": (1.0, "holds"),
        "predictions": (1.0, "holds"),
        "weeks of gates": (0.0, "not"),
    }
    with Database(url=database_url).transaction() as transaction:  # not sealed
        transaction.append(tables.PREDICTIONS, predictions(1, ("BBB",), ("good",), DAY))
    gate = add_gate(database_url, "good", PASSED, kind="direction")
    insert(database_url, kind="direction", gate_id=gate)
    found = audited(database_url)
    assert found["predictions"] == (0.5, "not")
    assert found["deployments"] == (0.5, "not")


def test_origins_count_what_was_sealed_in_time(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = Database(url=database_url)
    assert origin_line(warehouse) == "No prediction is in the ledger yet."
    commit(database_url, predictions(2, ("AAA",), ("old",), DAY))
    assert origin_line(warehouse) == (
        "All 12 predictions here are replays: recomputed as of their day, not written before it."
    )
    later = datetime.now(UTC).date() + timedelta(days=9)
    live = predictions(3, ("AAA",), ("new",), later).with_columns(origin=pl.lit("live"))
    commit(database_url, live)
    assert origin_line(warehouse) == (
        "Of 30 predictions here 18 are live, written before their outcome could be known, and 12"
        " replays, recomputed as of their day."
    )
    assert origin_line(warehouse, ["new"], ["price"]).startswith("All 6 predictions here are live")
    assert origin_line(warehouse, last=DAY).startswith("All 6 predictions here are replays")
    query = "SELECT * FROM forecasts.v_origins WHERE kind = 'price' ORDER BY model_id"
    days = later, later + timedelta(days=2)
    assert frame(database_url, query).rows() == [
        ("new", "price", 6, 0, *days, *days),
        ("old", "price", 0, 4, DAY, DAY + timedelta(days=1), None, None),
    ]
    gate = add_gate(database_url, "old", FAILED)
    nothing = dict.fromkeys(("value", "bound", "threshold", "n", "n_eff")) | {"status": FAILED}
    with attacker(database_url) as connection:
        criteria = json.dumps(dict.fromkeys(CRITERIA, nothing))
        connection.execute("UPDATE deployment.deployment_gates SET criteria = %s", [criteria])
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", database_url)
    shown = [CliRunner().invoke(app, ["gate", "show", *of]).output for of in ([], [gate])]
    assert "Of 20 predictions here 12 are live" in shown[0]  # of prices and directions
    assert "All 2 predictions here are replays" in shown[1]


def test_the_table_shows_the_worst_calibration_of_each_model(database_url: str) -> None:
    add_gate(database_url, "good", PASSED)
    for horizon, hits in ((1, 94), (5, 90), (21, 70)):
        sums(database_url, hits=hits, horizon=horizon)
        report(database_url, "calibration_summary", SUMMARY, horizon=horizon, n_eff=200.0)
    console = wide_console()
    with console.capture() as capture:
        console.print(success_table(Database(url=database_url)))
    line = next(line for line in capture.get().splitlines() if line.startswith("calibration"))
    assert line.split() == [
        *("calibration", "good", "price", "h21,", "worst", "of", "3"),
        *("<", "0.10", "0.250", "100", "not"),
    ]
