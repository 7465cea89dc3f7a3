"""The container files, as far as they can be checked without running containers."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import click
import dagster_webserver.cli
import pytest
import yaml
from dagster._cli import create_dagster_cli
from dagster._daemon.cli import create_dagster_daemon_cli

from predtrack_assets.settings import PROJECT_ROOT, Settings

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "compose.yaml").read_text())
DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text().replace("\\\n", " ")
PROGRAMS: dict[str, click.Command] = {
    "dagster": create_dagster_cli(),
    "dagster-daemon": create_dagster_daemon_cli(),
    "dagster-webserver": dagster_webserver.cli.dagster_webserver,
}


def commands() -> list[list[str]]:
    found = [json.loads(text) for text in re.findall(r"\bCMD (\[.*\])", DOCKERFILE)]
    for service in COMPOSE["services"].values():
        found.append(service.get("command", []))
        found.append(service.get("healthcheck", {}).get("test", [])[1:])
    return [command for command in found if command and command[0] in PROGRAMS]


@pytest.mark.parametrize("command", commands(), ids=shlex.join)
def test_every_dagster_command_and_option_exists(command: list[str]) -> None:
    program, *arguments = command
    current = PROGRAMS[program]
    while isinstance(current, click.Group):
        current = current.commands[arguments.pop(0)]
    current.make_context(program, arguments, resilient_parsing=False).close()


def test_settings_given_to_containers_exist() -> None:
    given = set(re.findall(r"\bPREDTRACK_\w+(?==)", DOCKERFILE))
    given |= {
        name for name in COMPOSE["x-predtrack"]["environment"] if name.startswith("PREDTRACK_")
    }
    assert {name.removeprefix("PREDTRACK_").lower() for name in given} <= set(Settings.model_fields)


def test_events_are_batched_and_the_user_is_not_root() -> None:
    assert "DAGSTER_EVENT_BATCH_SIZE=1000" in DOCKERFILE
    assert "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS=true" in DOCKERFILE
    assert re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE) == ["predtrack"]


def test_what_the_image_copies_is_in_its_build_context() -> None:
    ignored = (PROJECT_ROOT / ".dockerignore").read_text()
    for sources in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE):
        for source in sources.split():
            assert (PROJECT_ROOT / source).exists()
            assert f"!{source}\n" in ignored


def test_ports_are_published_on_the_loopback_only() -> None:
    published = [
        port for service in COMPOSE["services"].values() for port in service.get("ports", [])
    ]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_services_wait_for_what_they_need() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"db", "migrate", "code", "webserver", "daemon"}
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed] or needed == "code"  # the image's own
