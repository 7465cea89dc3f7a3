"""Evaluate alert rules and tell people, once each, however many processes try."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from time import monotonic
from typing import Any

import adbc_driver_manager

from predtrack_assets.domain.audit.alerts import Message, Rules, due, read_rules
from predtrack_assets.services.audit.alert_channels import Channel
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.audit import alerts as store
from predtrack_assets.warehouse.audit.alert_signals import SIGNALS
from predtrack_assets.warehouse.database.transaction import READER, Database, Transaction
from predtrack_assets.warehouse.reads import LIMITS

EVERY = timedelta(seconds=50)  # a tick within so short a time of the last one is the same tick
BUDGET = 40.0  # seconds in which messages are sent; the rest waits for the next tick
TITLE = "PredTrack"


def load_rules(settings: Settings) -> Rules:
    """The rules of the settings' file, or those that ship. Raises ValueError for a file that is wrong."""
    if settings.alert_rules is None:
        text = (
            files("predtrack_assets.services.audit").joinpath("alert_rules.toml").read_text("utf-8")
        )
        return read_rules(text, SIGNALS)
    return read_rules(settings.alert_rules.read_text("utf-8"), SIGNALS)


def evaluate(warehouse: Database, rules: Rules) -> dict[str, Any]:
    """Open, see again and close alerts: counts of each, and signals that could not be read.

    Rules whose signal fails keep their open alerts: not to know is not to be well. Nothing happens
    within EVERY of the last evaluation.
    """
    with warehouse.transaction() as transaction:
        clock = transaction.read(store.CLOCK).row(0, named=True)
        if clock["evaluated_at"] is not None and clock["at"] - clock["evaluated_at"] < EVERY:
            return {"opened": 0, "seen": 0, "closed": 0, "skipped": True, "unknown": []}
        found, unknown = _found(warehouse, rules)
        columns = {f"{name}": [row[key] for row in found] for name, key in _COLUMNS.items()}
        counts = transaction.read(store.SEE, **columns, unknown=unknown).row(0, named=True)
        transaction.read(store.TICK)
        return {**counts, "skipped": False, "unknown": unknown}


_COLUMNS = {
    "rules": "rule", "subjects": "subject", "severities": "severity", "values": "value",
    "details": "detail",
}  # fmt: skip


def _found(warehouse: Database, rules: Rules) -> tuple[list[dict[str, Any]], list[str]]:
    """Subjects that a rule is met by, and rules whose signal could not be read."""
    found: list[dict[str, Any]] = []
    unknown: list[str] = []
    for rule in rules.rules:
        try:
            with warehouse.transaction(READER) as transaction:
                transaction.read(LIMITS)
                rows = transaction.read(SIGNALS[rule.signal]).to_dicts()
        except adbc_driver_manager.Error:
            unknown.append(rule.name)
            continue
        found += [
            {**row, "subject": row["subject"][:200], "rule": rule.name, "severity": rule.severity}
            for row in rows
            if row["value"] is not None and rule.meets(row["value"])
        ]
    return found, unknown


def tell(warehouse: Database, rules: Rules, channels: Sequence[Channel]) -> dict[str, int]:
    """Send what is due, each message in a transaction of its own: how many were sent, failed, held.

    At least once: a process that dies between sending and its commit sends it again.
    """
    counts = {"sent": 0, "failed": 0, "held": 0}
    end = monotonic() + BUDGET
    while monotonic() < end:
        with warehouse.transaction() as transaction:
            now: datetime = transaction.read(store.CLOCK)["at"][0]
            waiting = _waiting(transaction, rules, now)
            if not waiting:
                break
            lately = transaction.read(store.SENT_LATELY).row(0, named=True)
            if lately["messages"] >= rules.policy.cap_per_hour:
                counts["held"] = len(waiting)
                if not lately["held"]:
                    cap = rules.policy.cap_per_hour
                    text = f"{len(waiting)} more messages held back: {cap} were sent within an hour"
                    _send(transaction, channels, Message("held", (), "warning", text))
                break
            sent = _send(transaction, channels, waiting[0])
        counts["sent" if sent else "failed"] += 1
        if not sent:
            break  # the next tick tries again
    _heartbeat(warehouse, rules, channels)
    return counts


def _waiting(transaction: Transaction, rules: Rules, now: datetime) -> list[Message]:
    alerts = transaction.read(store.UNTOLD).to_dicts()
    return due(alerts, transaction.read(store.SILENCES).to_dicts(), rules, now)


def _send(transaction: Transaction, channels: Sequence[Channel], message: Message) -> bool:
    """Send to every channel and note it; whether one took it."""
    took = False
    for channel in channels:
        fault = channel.send(TITLE, message.text, message.severity)
        took |= not fault
        note(transaction, message, channel.name, fault)
    if took and message.alert_ids:
        statement = store.RESOLVED if message.kind == "resolved" else store.TOLD
        transaction.read(statement, alerts=list(message.alert_ids))
    return took


def note(transaction: Transaction, message: Message, channel: str, fault: str) -> None:
    """Put an attempt to tell somebody on record."""
    transaction.read(
        store.NOTE,
        kind=message.kind,
        status="failed" if fault else "sent",
        channel=channel,
        alerts=len(message.alert_ids),
        message=message.text[:4000],
        fault=fault[:200],
    )


def _heartbeat(warehouse: Database, rules: Rules, channels: Sequence[Channel]) -> None:
    """Say that all is watched, so that silence means something."""
    if not rules.policy.heartbeat_hours:
        return
    with warehouse.transaction() as transaction:
        now: datetime = transaction.read(store.CLOCK)["at"][0]
        last = transaction.read(store.SENT_LATELY)["heartbeat_at"][0]
        if last is None or now - last >= timedelta(hours=rules.policy.heartbeat_hours):
            count = int(transaction.read(store.OPEN_COUNTS)["alerts"].sum())
            text = f"Heartbeat: rules are evaluated, {count} alerts are open"
            _send(transaction, channels, Message("heartbeat", (), "info", text))


def send_test(warehouse: Database, channels: Sequence[Channel], by: str) -> dict[str, str]:
    """Send a test to every channel: why each failed, or nothing."""
    message = Message("test", (), "info", f"Test, asked for by {by}: messages arrive here")
    faults = {}
    with warehouse.transaction() as transaction:
        for channel in channels:
            faults[channel.name] = channel.send(TITLE, message.text, message.severity)
            note(transaction, message, channel.name, faults[channel.name])
    return faults


def send_report(
    warehouse: Database, channels: Sequence[Channel], title: str, text: str, attachment: Path
) -> dict[str, str] | None:
    """Send a report to every channel, unless one of its title was sent; None where it was.

    Returns per channel why it failed, or nothing. A report that no channel took is not on record
    as sent, so that the next try sends it.
    """
    faults = {}
    with warehouse.transaction() as transaction:
        transaction.read(store.CLOCK)
        if transaction.read(store.REPORTED, title=title).item():
            return None
        message = Message("report", (), "info", title)
        for channel in channels:
            faults[channel.name] = channel.send(title, text, message.severity, attachment)
            note(transaction, message, channel.name, faults[channel.name])
    return faults


def silence(
    warehouse: Database, rules: Rules, rule: str, subject: str, minutes: int, reason: str, by: str
) -> datetime:
    """Tell nobody of a rule's alerts, or of one subject's, for so long; returns until when.

    Raises ValueError for a rule that there is not, no reason, and a time out of range.
    """
    if rules.named(rule) is None:
        names = ", ".join(r.name for r in rules.rules)
        raise ValueError(f"there is no alert rule {rule!r}: there are {names}")
    if not 1 <= minutes <= 366 * 24 * 60:
        raise ValueError("a silence lasts from a minute to a year")
    if not reason.strip():
        raise ValueError("say why, for those who wonder at the silence")
    with warehouse.transaction() as transaction:
        made = transaction.read(
            store.SILENCE, rule=rule, subject=subject, minutes=str(minutes), reason=reason, by=by
        )
    until: datetime = made["until"][0]
    return until
