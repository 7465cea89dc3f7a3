"""Alert rules, and who is to be told what of the alerts there are.

A rule takes a signal (rows of subject, value, detail) and opens an alert for each subject whose
value lies between its limits. What is told when follows from the policy alone: `due` is a
function of alerts, silences and the clock.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from string import Template
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
PLACES = {"count", "subjects", "details"}
SHOWN = 5  # subjects that a message names


class Rule(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """name; signal: what it looks at; above, upto: limits of the value; text: of the message, with
    $count, $subjects and $details."""

    name: str
    signal: str
    text: str
    severity: Literal["info", "warning", "critical"] = "warning"
    above: float = 0.0
    upto: float = float("inf")

    def meets(self, value: float) -> bool:
        """Whether a value is an alert."""
        return self.above < value <= self.upto


class Policy(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """When people are told. quiet_from, quiet_to: HH:MM in `zone`, in which only what is critical is
    told; heartbeat_hours: a message that all is watched, 0 for none."""

    repeat_hours: float = 24.0
    cap_per_hour: int = 20
    heartbeat_hours: float = 0.0
    quiet_from: str = ""
    quiet_to: str = ""
    zone: str = "UTC"

    def is_quiet(self, now: datetime) -> bool:
        """Whether a moment lies in the quiet hours, which may span midnight."""
        if not self.quiet_from:
            return False
        first, end = time.fromisoformat(self.quiet_from), time.fromisoformat(self.quiet_to)
        local = now.astimezone(ZoneInfo(self.zone)).time().replace(tzinfo=None)
        return first <= local < end if first <= end else local >= first or local < end


class Rules(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A checked file of rules."""

    rules: tuple[Rule, ...]
    policy: Policy = Policy()

    def named(self, name: str) -> Rule | None:
        """The rule of a name."""
        return next((rule for rule in self.rules if rule.name == name), None)


def read_rules(text: str, signals: Collection[str]) -> Rules:
    """The rules of a TOML text. Raises ValueError that says which line, rule or field is wrong."""
    try:
        rules = msgspec.convert(tomllib.loads(text), Rules, strict=False)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"alert rules: {error}") from None
    names = [rule.name for rule in rules.rules]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"alert rules: there are two rules {double[0]!r}")
    for rule in rules.rules:
        _check(rule, signals)
    _check_policy(rules.policy)
    return rules


def _check(rule: Rule, signals: Collection[str]) -> None:
    where = f"alert rule {rule.name[:80]!r}"
    if not NAME.fullmatch(rule.name):
        raise ValueError(f"{where}: a name has a-z, 0-9 and _, a letter first")
    if rule.signal not in signals:
        raise ValueError(
            f"{where}: there is no signal {rule.signal!r}, only {', '.join(sorted(signals))}"
        )
    if not rule.above < rule.upto:
        raise ValueError(f"{where}: above must be less than upto")
    template = Template(rule.text)
    if not template.is_valid():
        raise ValueError(f"{where}: its text has a $ that begins no name; write $$ for a dollar")
    if unknown := sorted(set(template.get_identifiers()) - PLACES):
        raise ValueError(
            f"{where}: its text may hold $count, $subjects, $details, not ${unknown[0]}"
        )


def _check_policy(policy: Policy) -> None:
    if not (0 < policy.repeat_hours <= 24 * 366 and 0 <= policy.heartbeat_hours <= 24 * 366):
        raise ValueError("alert policy: hours are more than 0 and at most a year")
    if not 1 <= policy.cap_per_hour <= 10_000:
        raise ValueError("alert policy: cap_per_hour is 1 to 10,000")
    if bool(policy.quiet_from) != bool(policy.quiet_to):
        raise ValueError("alert policy: quiet_from and quiet_to go together")
    try:
        ZoneInfo(policy.zone)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"alert policy: there is no time zone {policy.zone!r}") from None
    for text in filter(None, (policy.quiet_from, policy.quiet_to)):
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
            raise ValueError(f"alert policy: quiet hours are HH:MM, not {text!r}")


@dataclass(frozen=True)
class Message:
    """What is told once: kind (open, resolved), the alerts that it speaks of, severity, text."""

    kind: str
    alert_ids: tuple[int, ...]
    severity: str
    text: str


def due(
    alerts: Sequence[Mapping[str, Any]],
    silences: Sequence[Mapping[str, Any]],
    rules: Rules,
    now: datetime,
) -> list[Message]:
    """Messages that are due, one per rule and kind, critical ones first.

    alerts: alert_id, rule, subject, severity, detail, closed_at, notified_at, resolved_told; silences:
    rule, subject (None: all), until. An open alert is due when nobody was told, or longer ago than
    the policy repeats; a closed one when people were told of it and not yet of its end.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    repeat = timedelta(hours=rules.policy.repeat_hours)
    quiet = rules.policy.is_quiet(now)
    for alert in alerts:
        if _silenced(alert, silences, now) or (quiet and alert["severity"] != "critical"):
            continue
        told = alert["notified_at"]
        if alert["closed_at"] is None and (told is None or now - told >= repeat):
            groups.setdefault(("open", alert["rule"]), []).append(alert)
        if alert["closed_at"] is not None and told is not None and alert["resolved_told"] is None:
            groups.setdefault(("resolved", alert["rule"]), []).append(alert)
    found = [_message(kind, rule, part, rules) for (kind, rule), part in groups.items()]
    order = {"critical": 0, "warning": 1, "info": 2}
    return sorted(found, key=lambda m: (order[m.severity], m.kind, m.text))


def _silenced(
    alert: Mapping[str, Any], silences: Sequence[Mapping[str, Any]], now: datetime
) -> bool:
    return any(
        s["rule"] == alert["rule"] and s["subject"] in (None, alert["subject"]) and now < s["until"]
        for s in silences
    )


def _message(kind: str, name: str, alerts: Sequence[Mapping[str, Any]], rules: Rules) -> Message:
    """One message of a group: `12 symbols late: AAPL, MSFT, ... and 7 more`."""
    subjects = _listed([a["subject"] for a in alerts])
    details = _listed(list(dict.fromkeys(a["detail"] for a in alerts)), "; ")
    rule = rules.named(name)
    text = f"{name}: {subjects}"
    if kind == "open" and rule is not None:
        text = Template(rule.text).substitute(count=len(alerts), subjects=subjects, details=details)
    worst = min((a["severity"] for a in alerts), key=("critical", "warning", "info").index)
    ids = tuple(a["alert_id"] for a in alerts)
    return Message(kind, ids, worst, f"Resolved: {text}" if kind == "resolved" else text)


def _listed(words: Sequence[str], between: str = ", ") -> str:
    more = len(words) - SHOWN
    return between.join(words[:SHOWN]) + (f"{between}and {more:,} more" if more > 0 else "")
