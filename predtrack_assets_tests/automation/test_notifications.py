"""Telling of events: each once, later when it failed, and never with the address in the open."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import psycopg
import pytest
from pydantic import SecretStr

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.automation import notifications
from predtrack_assets.services.deployment import notifications as dispatching
from predtrack_assets.services.deployment.notifications import NotSent, dispatch, webhook
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.deployment.improvements import (
    MAX_NOTIFICATIONS,
    Optimized,
    note_optimized,
)
from predtrack_assets_tests.graph import execute, frame

MOMENT = datetime(2024, 3, 2, tzinfo=UTC)


@pytest.fixture
def warehouse(database_url: str) -> Warehouse:
    """Two events that nobody has been told of."""
    found = Warehouse(url=database_url)
    with found.transaction() as transaction:
        for name in ("a", "b"):
            event = Optimized("model", name, {"leaves": 8}, {"leaves": 4}, "weekly", {}, {})
            note_optimized(transaction, event, MOMENT)
    return found


class Channel:
    """Remembers what it was given; refuses the first `refusals` times."""

    def __init__(self, refusals: int = 0) -> None:
        self.said: list[Mapping[str, Any]] = []
        self.refusals = refusals

    def __call__(self, said: Mapping[str, Any]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise NotSent("HTTP status 503")
        self.said.append(said)


def attempts(warehouse: Warehouse) -> list[tuple[str, str | None]]:
    query = "SELECT status, message FROM deployment.event_notifications ORDER BY recorded_at"
    return frame(str(warehouse.url), query).rows()


def hours_pass(warehouse: Warehouse, hours: int = 1) -> None:
    with psycopg.connect(str(warehouse.url)) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE deployment.event_notifications"
            " SET recorded_at = recorded_at - %s * interval '1 hour'",
            [hours],
        )


def test_each_event_is_told_once(warehouse: Warehouse) -> None:
    channel = Channel()
    assert dispatch(warehouse, "webhook", channel) == {"sent": 2, "failed": 0}
    assert dispatch(warehouse, "webhook", channel) == {"sent": 0, "failed": 0}
    assert [said["component_id"] for said in channel.said] == ["a", "b"]
    keys = {said["idempotency_key"] for said in channel.said}
    assert len(keys) == 2
    states = "SELECT DISTINCT notification_status FROM deployment.v_improvement_events"
    assert frame(str(warehouse.url), states).rows() == [("sent",)]


def test_what_failed_is_tried_again_after_a_while_under_the_same_key(warehouse: Warehouse) -> None:
    channel = Channel(refusals=1)
    assert dispatch(warehouse, "webhook", channel) == {"sent": 1, "failed": 1}
    assert dispatch(warehouse, "webhook", channel) == {"sent": 0, "failed": 0}, "too soon"
    hours_pass(warehouse)
    assert dispatch(warehouse, "webhook", channel) == {"sent": 1, "failed": 0}
    assert attempts(warehouse)[0] == ("failed", "HTTP status 503")
    assert {said["event_id"] for said in channel.said} == {1, 2}


def test_nobody_is_tried_for_ever(warehouse: Warehouse) -> None:
    channel = Channel(refusals=1000)
    for _ in range(MAX_NOTIFICATIONS + 2):
        dispatch(warehouse, "webhook", channel)
        hours_pass(warehouse, 10)
    assert len(attempts(warehouse)) == 2 * MAX_NOTIFICATIONS


def test_a_crash_between_telling_and_committing_tells_again_with_the_same_key(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Channel()

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dispatching, "note_notification", crash)
        with pytest.raises(KeyboardInterrupt):
            dispatch(warehouse, "webhook", channel)
    assert attempts(warehouse) == []
    dispatch(warehouse, "webhook", channel)
    first, again, _ = (said["idempotency_key"] for said in channel.said)
    assert first == again


def test_a_tick_is_bounded(warehouse: Warehouse) -> None:
    assert dispatch(warehouse, "log", Channel(), limit=1) == {"sent": 1, "failed": 0}


@contextmanager
def receiver(status: int) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """A server on the loopback that answers `status`; its URL, and what it was given."""
    received: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.headers["Idempotency-Key"], json.loads(body)))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook/token-1234", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_webhook_is_given_json_and_a_key(warehouse: Warehouse) -> None:
    with receiver(204) as (url, received):
        assert dispatch(warehouse, "webhook", webhook(url)) == {"sent": 2, "failed": 0}
    key, said = received[0]
    assert key == said["idempotency_key"] == "predtrack-event-1"
    assert said["new_value"] == {"leaves": 4}
    assert said["text"] == "params optimized: a (weekly)"
    assert said["occurred_at"] == "2024-03-02T00:00:00+00:00"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_another_answer_than_yes_is_a_failure(warehouse: Warehouse, status: int) -> None:
    with receiver(status) as (url, _):
        assert dispatch(warehouse, "webhook", webhook(url)) == {"sent": 0, "failed": 2}
    assert attempts(warehouse) == [("failed", f"HTTP status {status}")] * 2


def test_no_answer_is_a_failure_and_the_address_is_kept_to_itself(warehouse: Warehouse) -> None:
    with receiver(204) as (url, _):
        pass
    assert dispatch(warehouse, "webhook", webhook(url)) == {"sent": 0, "failed": 2}
    assert attempts(warehouse) == [("failed", "ConnectionError")] * 2
    assert "token" not in repr(Settings(webhook_url=SecretStr(url)))
    with pytest.raises(ValueError, match="must begin with http") as refusal:
        webhook("file:///etc/token-1234")
    assert "token" not in str(refusal.value)


def test_the_sensor_logs_by_default_and_starts_nothing(warehouse: Warehouse) -> None:
    sensor = notifications.build_notification_sensor(())
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    assert (
        notifications.build_notification_sensor([notifications.NOTIFICATIONS]).default_status
        is dg.DefaultSensorStatus.RUNNING
    )
    with dg.build_sensor_context(resources={"warehouse": warehouse}) as context:
        answer = sensor(context)
        assert isinstance(answer, dg.SkipReason)
        assert answer.skip_message == "log: 2 sent, 0 failed"


def test_an_event_without_values_can_be_told(warehouse: Warehouse) -> None:
    execute(
        str(warehouse.url),
        "INSERT INTO deployment.improvement_events (event_type, occurred_at, component_type,"
        " component_id, trigger_reason, automated) VALUES ('retrain', now(), 'model', 'c', 'r', true)",
    )
    channel = Channel()
    dispatch(warehouse, "log", channel)
    assert channel.said[-1]["new_value"] is None
