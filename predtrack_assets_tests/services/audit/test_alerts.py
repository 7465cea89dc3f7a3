"""Alerts over a real database and a webhook on loopback: opened once, told once, over once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from predtrack_assets.domain.audit.alerts import Policy, Rule, Rules
from predtrack_assets.services.audit import alerts as service
from predtrack_assets.services.audit.alert_channels import SCHEMES, Channel, channels
from predtrack_assets.services.audit.alerts import evaluate, load_rules, silence, tell
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse.audit import alerts as store
from predtrack_assets.warehouse.audit.alert_signals import SIGNALS
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests import graph

RULES = Rules((Rule("bars", "refused_bars", "$count: $subjects ($details)", above=1),))


class Hook(BaseHTTPRequestHandler):
    """A webhook that remembers what it was sent, and answers what the test says."""

    got: ClassVar[list[dict[str, str]]]
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).got.append(json.loads(body))
        self.send_response(type(self).status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[tuple[type[Hook], str]]:
    class Own(Hook):
        got: ClassVar[list[dict[str, str]]] = []

    with HTTPServer(("127.0.0.1", 0), Own) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Own, f"json://127.0.0.1:{server.server_port}/secret-path"
        server.shutdown()


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Ticks follow each other at once."""
    monkeypatch.setattr(service, "EVERY", service.EVERY * 0)
    return Database(url=database_url)


def refuse(database: Database, *reasons: str) -> None:
    for reason in reasons:
        for number in range(2):
            graph.execute(
                database.url or "",
                "INSERT INTO market.quarantine (symbol, reason, payload, source)"
                " VALUES (%s, %s, '{}', 'file')",
                f"S{number}",
                reason,
            )


def forget(database: Database) -> None:
    graph.execute(database.url or "", "DELETE FROM market.quarantine")


def test_a_fault_is_opened_told_and_resolved_once(
    database: Database, hook: tuple[type[Hook], str]
) -> None:
    received, url = hook
    ways = channels(url, print)
    refuse(database, "negative", "zero")
    first = evaluate(database, RULES)
    assert (first["opened"], first["seen"], first["closed"]) == (2, 0, 0)
    assert tell(database, RULES, ways) == {"sent": 1, "failed": 0, "held": 0}
    again = evaluate(database, RULES)
    assert (again["opened"], again["seen"], again["closed"]) == (0, 2, 0)
    assert tell(database, RULES, ways)["sent"] == 0
    forget(database)
    assert evaluate(database, RULES)["closed"] == 2
    assert tell(database, RULES, ways)["sent"] == 1
    assert tell(database, RULES, ways)["sent"] == 0
    assert [m["message"] for m in received.got] == [
        "2: negative, zero (2 bars within a day)",
        "Resolved: bars: negative, zero",
    ]
    refuse(database, "zero")
    assert evaluate(database, RULES)["opened"] == 1  # anew, beside the closed row
    rows = database.read(store.HISTORY)
    assert len(rows) == 2


def test_two_that_evaluate_and_tell_at_once_do_it_once(database_url: str) -> None:
    database = Database(url=database_url)
    refuse(database, "negative")
    heard: list[str] = []

    def hear(title: str, text: str, severity: str) -> str:
        heard.append(text)
        return ""

    def work(_: int) -> bool:
        skipped = evaluate(database, RULES)["skipped"]
        tell(database, RULES, [Channel("list", hear)])
        return bool(skipped)

    with ThreadPoolExecutor(4) as pool:
        skipped = list(pool.map(work, range(4)))
    assert sorted(skipped) == [False, True, True, True]
    assert heard == ["1: negative (2 bars within a day)"]


def test_what_a_channel_does_not_take_is_tried_again_and_on_record(
    database: Database, hook: tuple[type[Hook], str]
) -> None:
    received, url = hook
    ways = channels(url, print)
    refuse(database, "negative")
    evaluate(database, RULES)
    received.status = 500
    assert tell(database, RULES, ways) == {"sent": 0, "failed": 1, "held": 0}
    received.status = 200
    assert tell(database, RULES, ways) == {"sent": 1, "failed": 0, "held": 0}
    log = database.read(store.MESSAGES).to_dicts()
    assert [(m["status"], m["channel"]) for m in log] == [("sent", "json 1"), ("failed", "json 1")]
    assert "secret-path" not in json.dumps(log, default=str)


def test_messages_beyond_the_cap_are_held_back_and_one_says_so(database: Database) -> None:
    heard: list[str] = []

    def hear(title: str, text: str, severity: str) -> str:
        heard.append(text)
        return ""

    rules = Rules(
        tuple(Rule(f"r{n}", "refused_bars", f"rule {n}", above=1) for n in range(5)),
        Policy(cap_per_hour=2),
    )
    refuse(database, "negative")
    evaluate(database, rules)
    assert tell(database, rules, [Channel("list", hear)]) == {"sent": 2, "failed": 0, "held": 3}
    assert tell(database, rules, [Channel("list", hear)])["held"] == 3
    assert heard == ["rule 0", "rule 1", "3 more messages held back: 2 were sent within an hour"]


def test_a_heartbeat_is_sent_once_in_its_time(database: Database) -> None:
    heard: list[str] = []

    def hear(title: str, text: str, severity: str) -> str:
        heard.append(text)
        return ""

    rules = Rules(RULES.rules, Policy(heartbeat_hours=1))
    for _ in range(3):
        tell(database, rules, [Channel("list", hear)])
    assert heard == ["Heartbeat: rules are evaluated, 0 alerts are open"]


def test_what_is_silenced_is_open_and_untold(database: Database) -> None:
    heard: list[str] = []

    def hear(title: str, text: str, severity: str) -> str:
        heard.append(text)
        return ""

    refuse(database, "negative")
    silence(database, RULES, "bars", "negative", 60, "known", "ann")
    evaluate(database, RULES)
    assert tell(database, RULES, [Channel("list", hear)])["sent"] == 0
    assert len(database.read(store.OPEN)) == 1
    assert heard == []
    with pytest.raises(ValueError, match="no alert rule 'nothing'"):
        silence(database, RULES, "nothing", "", 60, "known", "ann")
    with pytest.raises(ValueError, match="say why"):
        silence(database, RULES, "bars", "", 60, " ", "ann")


def test_a_signal_that_cannot_be_read_closes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(database, "negative")
    evaluate(database, RULES)
    broken = type(SIGNALS["refused_bars"])("SELECT 1 / 0 AS value")
    monkeypatch.setitem(SIGNALS, "refused_bars", broken)
    found = evaluate(database, RULES)
    assert (found["closed"], found["unknown"]) == (0, ["bars"])
    assert len(database.read(store.OPEN)) == 1


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_signal_gives_subject_value_and_detail(database_url: str, signal: str) -> None:
    found = Database(url=database_url).read(SIGNALS[signal])
    assert found.columns == ["subject", "value", "detail"]
    assert found.is_empty()


def test_the_rules_that_ship_are_right_and_a_file_takes_their_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shipped = load_rules(get_settings())
    assert {rule.signal for rule in shipped.rules} == SIGNALS.keys()
    mine = tmp_path / "rules.toml"
    mine.write_text('[[rules]]\nname = "a"\nsignal = "drift"\ntext = "x"\n')
    monkeypatch.setenv("PREDTRACK_ALERT_RULES", str(mine))
    assert [rule.name for rule in load_rules(get_settings()).rules] == ["a"]


@pytest.mark.parametrize(
    "url", ["exec://rm", "syslog://", "file:///etc/passwd", "nothing", "http://x.example/secret"]
)
def test_other_schemes_are_refused_without_their_address(url: str) -> None:
    with pytest.raises(ValueError, match="address 1: its scheme is none of") as refused:
        channels(url, print)
    assert "secret" not in str(refused.value)


def test_an_address_that_cannot_be_used_is_refused_without_it() -> None:
    with pytest.raises(ValueError, match="apprise cannot use it") as refused:
        channels("slack://secret", print)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "mailtos://user:password@example.com?to=ops@example.com",
        "jsons://example.com/hook",
    ],
)
def test_slack_discord_mail_and_webhooks_are_channels(url: str) -> None:
    (found,) = channels(url, print)
    assert found.name == f"{url.partition('://')[0]} 1"
    assert found.name.split()[0] in SCHEMES


def test_without_addresses_alerts_are_logged() -> None:
    lines: list[str] = []
    (found,) = channels(" , ", lines.append)
    assert found.send("PredTrack", "text", "info") == ""
    assert lines == ["PredTrack: text"]
