"""Which messages are due: a function of alerts, silences, policy and the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predtrack_assets.domain.audit.alerts import Policy, Rule, Rules, due, read_rules

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE = Rule("late", "days", "$count late: $subjects ($details)")
RULES = Rules((RULE, Rule("down", "days", "$details", "critical")))


def alert(number: int = 1, **fields: Any) -> dict[str, Any]:
    row = {
        "alert_id": number, "rule": "late", "subject": f"S{number}", "severity": "warning",
        "detail": "3 days", "closed_at": None, "notified_at": None, "resolved_told": None,
    }  # fmt: skip
    return row | fields


def texts(
    alerts: list[dict[str, Any]], rules: Rules = RULES, now: datetime = NOW, **silence: Any
) -> list[str]:
    silences = [silence] if silence else []
    return [message.text for message in due(alerts, silences, rules, now)]


def test_alerts_of_a_rule_are_one_message() -> None:
    assert texts([alert(n) for n in range(1, 8)]) == [
        "7 late: S1, S2, S3, S4, S5, and 2 more (3 days)"
    ]
    found = due([alert(1), alert(2)], [], RULES, NOW)
    assert found[0].alert_ids == (1, 2)


def test_what_was_told_is_told_again_after_the_policys_time_only() -> None:
    assert texts([alert(notified_at=NOW - 23 * HOUR)]) == []
    assert texts([alert(notified_at=NOW - 24 * HOUR)]) == ["1 late: S1 (3 days)"]


def test_the_end_is_told_to_who_was_told_of_the_beginning() -> None:
    closed = {"closed_at": NOW - HOUR}
    assert texts([alert(**closed)]) == []
    assert texts([alert(**closed, notified_at=NOW - 2 * HOUR)]) == ["Resolved: late: S1"]
    assert texts([alert(**closed, notified_at=NOW - 2 * HOUR, resolved_told=NOW)]) == []


def test_the_worst_is_told_first() -> None:
    found = due([alert(1), alert(2, rule="down", severity="critical")], [], RULES, NOW)
    assert [m.severity for m in found] == ["critical", "warning"]


@pytest.mark.parametrize(
    ("silence", "told"),
    [
        ({"rule": "late", "subject": None, "until": NOW + HOUR}, 0),
        ({"rule": "late", "subject": "S1", "until": NOW + HOUR}, 0),
        ({"rule": "late", "subject": "S2", "until": NOW + HOUR}, 1),
        ({"rule": "late", "subject": None, "until": NOW}, 1),
        ({"rule": "down", "subject": None, "until": NOW + HOUR}, 1),
    ],
)
def test_a_silence_holds_for_its_rule_subject_and_time(silence: dict[str, Any], told: int) -> None:
    assert len(texts([alert()], **silence)) == told


def test_in_quiet_hours_only_what_is_critical_is_told() -> None:
    rules = Rules(RULES.rules, Policy(quiet_from="22:00", quiet_to="07:00", zone="Europe/Berlin"))
    both = [alert(1), alert(2, rule="down", severity="critical", detail="no prices")]
    night = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)  # half past midnight in Berlin
    assert texts(both, rules, night) == ["no prices"]
    assert len(texts(both, rules, datetime(2026, 3, 4, 6, 0, tzinfo=UTC))) == 2  # 07:00
    assert len(texts(both, rules, datetime(2026, 3, 4, 20, 59, tzinfo=UTC))) == 2


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1)))
def test_quiet_hours_and_their_complement_share_the_day(moment: datetime) -> None:
    at = moment.replace(tzinfo=UTC)
    night = Policy(quiet_from="22:00", quiet_to="07:00", zone="America/New_York")
    rest = Policy(quiet_from="07:00", quiet_to="22:00", zone="America/New_York")
    assert night.is_quiet(at) != rest.is_quiet(at)


def test_limits_of_a_rule_are_above_and_up_to() -> None:
    rule = Rule("late", "days", "", above=4, upto=30)
    assert [rule.meets(v) for v in (4, 4.5, 30, 31, float("nan"))] == [
        False,
        True,
        True,
        False,
        False,
    ]


HEAD = '[[rules]]\nname = "a"\nsignal = "days"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules = 1", "rules"),
        ("[[rules", "alert rules"),
        (HEAD, "text"),
        (HEAD + 'text = "x"\ncolour = 1', "colour"),
        (HEAD + 'text = "x"\nseverity = "bad"', "bad"),
        (HEAD + 'text = "$nothing"', "$nothing"),
        (HEAD + 'text = "5 $"', "$$"),
        (HEAD + 'text = "x"\nabove = 3\nupto = 3', "less than"),
        (HEAD.replace("days", "nights") + 'text = "x"', "no signal 'nights'"),
        (HEAD.replace('"a"', '"A b"') + 'text = "x"', "a name has"),
        ((HEAD + 'text = "x"\n') * 2, "two rules 'a'"),
        (HEAD + 'text = "x"\n[policy]\nzone = "Mars/Base"', "no time zone"),
        (HEAD + 'text = "x"\n[policy]\nquiet_from = "22:00"', "go together"),
        (HEAD + 'text = "x"\n[policy]\nquiet_from = "22"\nquiet_to = "07:00"', "HH:MM"),
        (HEAD + 'text = "x"\n[policy]\ncap_per_hour = 0', "cap_per_hour"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="alert") as refused:
        read_rules(text, {"days"})
    assert says in str(refused.value)
