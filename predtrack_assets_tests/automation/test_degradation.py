"""What has become worse is alerted once, and is told like any other event."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

import dagster as dg
import pytest

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.automation.degradation import build_degradation_sensor
from predtrack_assets.domain.deployment.gates import FAILED, INSUFFICIENT, PASSED
from predtrack_assets.services.audit.verification import verify
from predtrack_assets.services.deployment import decisions
from predtrack_assets.services.deployment.notifications import dispatch
from predtrack_assets_tests.graph import execute, frame
from predtrack_assets_tests.services.deployment.test_decisions import LATER, add_gate
from predtrack_assets_tests.warehouse.audit.test_decision_records import note_gates

WEEKS = [date(2024, 3, day) for day in (1, 8, 15, 22)]


def degrade(url: str, as_of_day: date, since: date, drifted: bool = True) -> None:
    """A weekly report on the direction forecasts of `good`."""
    execute(
        url,
        "INSERT INTO accuracy.drift_metrics (as_of_day, subject, name, model_id, kind, horizon,"
        " statistic, value, drifted, since, is_estimate, reference_start, reference_end,"
        " current_start, current_end, n_reference, n_current) VALUES (%s, 'performance', 'brier',"
        " 'good', 'direction', 5, 'e_value', %s, %s, %s, false, '2023-01-02', '2023-12-29',"
        " '2024-01-02', %s, 200, 20)",
        *(as_of_day, 31.4 if drifted else 2.0, drifted, since if drifted else None, as_of_day),
    )


def tick(url: str) -> tuple[str, list[str]]:
    """What one evaluation answers, and the errors that it logs."""
    context = dg.build_sensor_context(resources={"warehouse": Warehouse(url=url)})
    logged: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = logged.append
    context.log.addHandler(handler)
    answer: Any = build_degradation_sensor(())(context)
    return answer.skip_message, [record.getMessage() for record in logged]


def alerts(url: str) -> list[tuple[Any, ...]]:
    query = (
        "SELECT component_id, new_value ->> 'signal', (new_value ->> 'since')::date"
        " FROM deployment.improvement_events WHERE event_type = 'degradation' ORDER BY event_id"
    )
    return frame(url, query).rows()


def test_a_degraded_model_is_alerted_once_for_as_long_as_it_goes_on(database_url: str) -> None:
    add_gate(database_url, "good", INSUFFICIENT)
    assert tick(database_url) == ("0 new alerts of 0 open", [])
    degrade(database_url, WEEKS[0], WEEKS[0])
    said, logged = tick(database_url)
    assert said.startswith("1 new alert of 1 open: good, direction h5: brier worse than it showed")
    assert len(logged) == 1
    assert "e-value 31.4" in logged[0]
    degrade(database_url, WEEKS[1], WEEKS[0])
    assert tick(database_url) == ("0 new alerts of 1 open", [])
    degrade(database_url, WEEKS[2], WEEKS[0], drifted=False)
    assert tick(database_url) == ("0 new alerts of 0 open", [])
    degrade(database_url, WEEKS[3], WEEKS[3])
    assert len(tick(database_url)[1]) == 1, "another time"
    first, second = (("good direction/h5", "performance_drift", WEEKS[k]) for k in (0, 3))
    assert alerts(database_url) == [first, second]


def test_a_champion_that_fails_its_gate_is_alerted_and_told(database_url: str) -> None:
    with Warehouse(url=database_url).transaction() as transaction:
        decisions.deploy(
            transaction, kind="price", scope="h5", model_id="good", valid_from=LATER,
            gate_id=add_gate(database_url, "good", PASSED, WEEKS[0]), reason="it passed",
        )  # fmt: skip
    assert tick(database_url) == ("0 new alerts of 0 open", [])
    add_gate(database_url, "good", FAILED, WEEKS[1])
    add_gate(database_url, "good", FAILED, WEEKS[2])
    add_gate(database_url, "bad", FAILED, WEEKS[2])
    (message,) = tick(database_url)[1]
    assert message.startswith(
        "good, price h5: champion since 2024-03-02, its gate failed on 2024-03-08"
    )
    assert alerts(database_url) == [("good price/h5", "failing_champion", WEEKS[1])]
    told: list[str] = []
    dispatch(Warehouse(url=database_url), "log", lambda said: told.append(said["text"]))
    assert f"degradation: good price/h5 ({message})" in told
    add_gate(database_url, "good", PASSED, WEEKS[3])
    assert tick(database_url) == ("0 new alerts of 0 open", [])
    note_gates(database_url)
    with Warehouse(url=database_url).transaction() as transaction:
        verdict = verify(transaction)
    assert verdict.good
    weeks = frame(database_url, "SELECT DISTINCT as_of_day FROM deployment.deployment_gates")
    assert (verdict.events, verdict.decisions) == (5, 3 + len(weeks))


@pytest.mark.parametrize("allowed", [(), ("degradation_sensor",)])
def test_the_allow_list_starts_it(allowed: tuple[str, ...]) -> None:
    running = build_degradation_sensor(allowed).default_status is dg.DefaultSensorStatus.RUNNING
    assert running is bool(allowed)
