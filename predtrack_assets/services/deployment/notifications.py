"""Send events of deployments and tests to a channel, each once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import requests

from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.deployment.improvements import due_notifications, note_notification

AT_ONCE = 20  # events per tick
TIMEOUT = 10.0  # seconds to connect, and to answer


Send = Callable[[Mapping[str, Any]], None]


class NotSent(RuntimeError):
    """A channel could not deliver; the message says why, without the address."""


def payload(event: Mapping[str, Any]) -> dict[str, Any]:
    """The payload of an event: plain JSON, with a key that is the same however often it is sent."""
    values = {name: json.loads(event[name] or "null") for name in ("old_value", "new_value")}
    plain = (
        "event_id", "event_type", "component_type", "component_id", "trigger_reason", "automated",
        "approved_by",
    )  # fmt: skip
    return {
        "idempotency_key": f"predtrack-event-{event['event_id']}",
        "text": sentence(event),
        "occurred_at": event["occurred_at"].isoformat(),
        **{name: event[name] for name in plain},
        **values,
    }


def sentence(event: Mapping[str, Any]) -> str:
    """One line on an event."""
    what = str(event["event_type"]).replace("_", " ")
    return f"{what}: {event['component_id']} ({event['trigger_reason']})"


def webhook(url: str) -> Send:
    """A channel that POSTs JSON. Raises ValueError where `url` is not one of http or https."""

    if not url.startswith(("http://", "https://")):
        raise ValueError("PREDTRACK_WEBHOOK_URL must begin with http:// or https://")

    def send(message: Mapping[str, Any]) -> None:
        headers = {"Idempotency-Key": str(message["idempotency_key"])}
        try:
            answer = requests.post(
                url, json=message, headers=headers, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:  # its message holds the address
            raise NotSent(type(error).__name__) from None
        if not 200 <= answer.status_code < 300:
            raise NotSent(f"HTTP status {answer.status_code}")

    return send


def channel(settings: Settings, log: Callable[[str], None]) -> tuple[str, Send]:
    """The channel that the settings ask for, under its name."""
    if settings.webhook_url is None:
        return "log", lambda message: log(str(message["text"]))
    return "webhook", webhook(settings.webhook_url.get_secret_value())


def dispatch(warehouse: Database, name: str, send: Send, limit: int = AT_ONCE) -> dict[str, int]:
    """Send what is due, each event in a transaction of its own; how many were sent and failed."""
    with warehouse.transaction() as transaction:
        waiting = due_notifications(transaction, limit)["event_id"].to_list()
    counts = {"sent": 0, "failed": 0}
    for event_id in waiting:
        with warehouse.transaction() as transaction:
            due = due_notifications(transaction, 1, event_id)
            if due.is_empty():  # another dispatcher was first
                continue
            status, message = "sent", ""
            try:
                send(payload(due.row(0, named=True)))
            except NotSent as error:
                status, message = "failed", str(error)
            note_notification(transaction, event_id, status, name, message)
            counts[status] += 1
    return counts
