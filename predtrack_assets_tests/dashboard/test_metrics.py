"""Metrics, and what is shipped to watch them: every name exists, every query runs."""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from predtrack_assets.dashboard.logs import log_as_json
from predtrack_assets.dashboard.metrics import HELP, Stored
from predtrack_assets.services.audit.api_keys import create_key
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.audit.metrics import GAUGES
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests.dashboard.conftest import client_of

DEPLOY = PROJECT_ROOT / "deploy"
PROMTOOL = shutil.which("promtool")
RULES = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())
PANELS = json.loads((DEPLOY / "grafana" / "predtrack.json").read_text())["panels"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
EXPRESSIONS += [target["expr"] for _, target in TARGETS if "expr" in target]
QUERIES = {title: target["rawSql"] for title, target in TARGETS if "rawSql" in target}


def samples(client: TestClient) -> dict[str, dict[tuple[str, ...], float]]:
    """Name -> label values -> number."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_the_database_is_told_in_gauges(client: TestClient) -> None:
    found = samples(client)
    assert found["predtrack_database_up"] == {(): 1.0}
    assert set(found["predtrack_open_alerts"]) == {("info",), ("warning",), ("critical",)}
    assert found["predtrack_intake_rows_last_hour"]["accepted",] == 1
    assert found["predtrack_intake_rows_last_hour"]["rejected",] == 1
    day = 86_400
    assert found["predtrack_last_bar_timestamp_seconds"][()] / day == 18_698  # 2021-03-12
    assert found["predtrack_models"]["shadow",] >= 1


def test_every_number_of_the_query_has_its_help(lived_url: str) -> None:
    rows = Database(url=lived_url).read(GAUGES)
    assert set(rows["name"]) == HELP.keys()


def test_requests_are_counted_by_template(client: TestClient) -> None:
    for path in ("/models/no_change", "/models/drift", "/nowhere", "/api/v1/health/live"):
        client.get(path)
    found = samples(client)["predtrack_http_requests_total"]
    assert found["GET", "/models/{model}", "200"] == 2
    assert found["GET", "none", "404"] == 1
    assert found["GET", "/api/v1/health/live", "200"] == 1


def test_the_database_is_read_once_in_the_kept_time(
    lived_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = Stored(Database(url=lived_url))
    calls: list[int] = []
    fresh = stored._fresh
    monkeypatch.setattr(stored, "_fresh", lambda: (calls.append(1), fresh())[1])
    for _ in range(3):
        assert len(list(stored.collect())) == 1 + len(HELP)
    assert len(calls) == 1


def test_a_database_that_is_down_is_a_zero(lived_url: str) -> None:
    stored = Stored(Database(url=lived_url + "_gone"))
    families = list(stored.collect())
    assert families[0].samples[0].value == 0.0
    assert not any(family.samples for family in families[1:])


def test_from_elsewhere_a_key_is_asked_for(lived_url: str) -> None:
    with Database(url=lived_url).transaction() as transaction:
        key = create_key(transaction, "prometheus", ["read"])
    client = client_of(lived_url, local=False)
    assert client.get("/metrics").status_code == 401
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get("/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_name_metrics_that_there_are(client: TestClient, expression: str) -> None:
    client.get("/")
    there = set(samples(client)) | {"up"}
    named = set(re.findall(r"\b(predtrack_\w+|up)\b", expression))
    assert named
    assert named - {"up"} <= there | {f"predtrack_{name}" for name in HELP}


@pytest.mark.parametrize("title", QUERIES)
def test_every_query_of_the_grafana_board_runs(lived_url: str, title: str) -> None:
    text = re.sub(
        r"\$__timeFilter\((.*?)\) ", r"\1 >= now() - interval '30 years' ", QUERIES[title]
    )
    assert "$" not in text
    found = Database(url=lived_url).read(Query(text))
    assert found.columns


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "rules.yml"),
        ("test", "rules", "rules_test.yml"),
        ("check", "config", "prometheus.yml"),
    ],
)
def test_promtool_finds_no_fault(arguments: tuple[str, ...]) -> None:
    assert PROMTOOL
    done = subprocess.run(
        [PROMTOOL, *arguments],
        cwd=DEPLOY / "prometheus",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_logs_are_lines_of_json(
    client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", logging.WARNING)
    log_as_json()
    client.get("/models/no_change?x=1%0A2", headers={"X-Request-Id": "abc"})
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in capsys.readouterr().err.splitlines()
    ]
    (request,) = (line for line in lines if line["event"] == "request")
    assert request["route"] == "/models/{model}"
    assert (request["status"], request["request_id"], request["level"]) == (400, "abc", "info")
    assert request["ms"] > 0


def test_what_is_shipped_is_where_the_guide_says() -> None:
    guide = Path(PROJECT_ROOT / "docs" / "guide" / "operations.md").read_text()
    for file in ("deploy/prometheus/rules.yml", "deploy/grafana/predtrack.json"):
        assert file in guide
