"""Events that decisions leave: rolled back tests, disabled strategies, optimized parameters."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from psycopg import errors

from predtrack_assets.domain.deployment.gates import FAILED, PASSED
from predtrack_assets.services.deployment.champion_weeks import (
    EvaluationContext,
    Scope,
    selections_of,
)
from predtrack_assets.services.deployment.decisions import DecisionRefused
from predtrack_assets.services.deployment.gate_evidence import live_days
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.deployment import improvements
from predtrack_assets.warehouse.deployment.improvements import Optimized
from predtrack_assets.warehouse.market.epochs import Epoch
from predtrack_assets_tests.graph import execute, frame
from predtrack_assets_tests.services.deployment.test_decisions import (
    LATER,
    add_gate,
    insert,
    override,
    rolled_back,
)

NOW = datetime(2100, 1, 1, tzinfo=UTC)


def add_test(url: str, control: str, treatment: str, status: str, day: date) -> None:
    """One state of an A/B test that began on 2023-01-02."""
    conclusion = None if status == "running" else "so it was"
    execute(
        url,
        "INSERT INTO deployment.ab_tests (as_of_day, kind, scope, control, treatment, start_day,"
        " success_metric, status, decided_day, n, mean_difference, e_value, e_against, conclusion)"
        " VALUES (%s, 'price', 'h5', %s, %s, '2023-01-02', 'crps', %s, %s, 200, 0.1, %s, 0.1, %s)",
        *(day, control, treatment, status, None if status == "running" else day),
        *(25.0 if status == "promoted" else 2.0, conclusion),
    )


@pytest.fixture
def champions(database_url: str) -> str:
    """`first`, then `second`, which beat it in a test."""
    for days, model in enumerate(("first", "second")):
        gate = add_gate(database_url, model, PASSED)
        insert(database_url, model_id=model, gate_id=gate, valid_from=LATER + timedelta(days=days))
    add_test(database_url, "first", "second", "running", date(2024, 2, 23))
    add_test(database_url, "first", "second", "promoted", date(2024, 3, 1))
    return database_url


def states_of(url: str, treatment: str) -> list[tuple[str, str | None]]:
    query = (
        "SELECT status, conclusion FROM deployment.ab_tests WHERE treatment = %s ORDER BY as_of_day"
    )
    return frame(url, query, treatment).rows()


def test_a_rolled_back_treatment_ends_its_test(champions: str) -> None:
    rolled_back(champions, reason="it degraded")
    assert states_of(champions, "second")[-1] == (
        "rollback",
        "second was rolled back: it degraded",
    )
    latest = "SELECT status, e_value, n FROM deployment.v_ab_tests WHERE treatment = 'second'"
    assert frame(champions, latest).rows() == [("rollback", 25.0, 200)]


def test_a_retired_treatment_ends_its_test(database_url: str) -> None:
    gate = add_gate(database_url, "no_change", FAILED)
    insert(database_url, model_id="first", gate_id=add_gate(database_url, "first", PASSED))
    add_test(database_url, "no_change", "first", "promoted", date(2024, 3, 1))
    assert rolled_back(database_url, reason="it degraded") == ("first", None)
    said = ("rollback", "first was rolled back: it degraded")
    assert states_of(database_url, "first")[-1] == said
    with pytest.raises(DecisionRefused, match="baseline"):
        override(database_url, gate)


def test_a_rollback_of_what_came_without_a_test_ends_none(champions: str) -> None:
    insert(
        champions, model_id="third", gate_id=add_gate(champions, "third", PASSED),
        valid_from=LATER + timedelta(days=3),
    )  # fmt: skip
    add_test(champions, "second", "third", "rejected", date(2024, 3, 8))
    rolled_back(champions)
    assert [status for status, _ in states_of(champions, "third")] == ["rejected"]
    assert [status for status, _ in states_of(champions, "second")] == ["running", "promoted"]


def test_control_and_treatment_differ(champions: str) -> None:
    with pytest.raises(errors.CheckViolation, match="control_and_treatment_differ"):
        add_test(champions, "first", "first", "running", date(2024, 3, 1))


def test_an_override_that_ended_without_a_champion_before_it_disables_the_strategy(
    database_url: str,
) -> None:
    override(database_url, add_gate(database_url, "good", FAILED))
    gate = add_gate(database_url, "steady", PASSED, kind="direction")
    insert(database_url, model_id="steady", gate_id=gate, kind="direction")
    override(database_url, add_gate(database_url, "brief", FAILED, kind="direction"))
    warehouse = Database(url=database_url)
    for moment, expected in ((datetime.now(UTC), 0), (NOW, 1), (NOW, 0)):
        with warehouse.transaction() as transaction:
            assert improvements.note_disabled(transaction, moment) == expected
    (event,) = frame(
        database_url,
        "SELECT component_id, old_value ->> 'model_id' AS model, performance_before IS NOT NULL AS known"
        " FROM deployment.improvement_events WHERE event_type = 'strategy_disabled'",
    ).rows()
    assert event == ("recommendations/price/h5", "good", True)


def test_optimized_parameters_leave_an_event_with_both_records(database_url: str) -> None:
    found = Optimized(
        "model", "pooled-v1/price/h5", {"num_leaves": 8}, {"num_leaves": 4}, "weekly tuning",
        {"crps": 0.5}, {"crps": 0.4},
    )  # fmt: skip
    with Database(url=database_url).transaction() as transaction:
        improvements.note_optimized(transaction, found, LATER)
    (row,) = frame(
        database_url,
        "SELECT event_type, occurred_at, automated, notification_status, old_value::text,"
        " performance_after::text FROM deployment.v_improvement_events",
    ).rows()
    assert row[:4] == ("params_optimized", LATER, True, "pending")
    assert json.loads(row[4]) == {"num_leaves": 8}
    assert json.loads(row[5]) == {"crps": 0.4}


def test_a_version_in_shadow_is_tested_and_not_deployed_by_itself(database_url: str) -> None:
    for model in ("good", "quiet"):
        add_gate(database_url, model, PASSED)
    execute(
        database_url, "UPDATE models.model_registry SET status = 'shadow' WHERE model_id = 'quiet'"
    )
    epoch = Epoch(np.array(["2024-03-01"], "datetime64[D]"), date(2024, 3, 1))
    with Database(url=database_url).transaction() as transaction:
        live = live_days(transaction, epoch)
        context = EvaluationContext(transaction, epoch, get_settings(), live)
        selection = selections_of(context, "price", 5)[Scope("price", 5)]
    assert selection.treatments == ["good", "quiet"]
    assert selection.barred == ["quiet"]
