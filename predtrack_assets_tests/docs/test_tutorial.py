"""The tutorials: every block runs, and what the page shows appears."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from predtrack_assets.settings import PROJECT_ROOT

TUTORIALS = PROJECT_ROOT / "docs" / "tutorial"
PORTS = ("8600", "3000")  # of the pages; a test takes free ones


def blocks(page: str, ports: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Language and text of a page's blocks that run or are shown, with ports instead of PORTS."""
    text = (TUTORIALS / page).read_text()
    for port, ours in zip(PORTS, ports, strict=False):
        text = text.replace(port, ours)
    return re.findall(r"^```(sh|python|text)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def command_of(number: int, language: str, text: str) -> str:
    """The shell's way to run a block, or to say that what it shows must have appeared."""
    if language == "python":
        return f"{shlex.quote(sys.executable)} -c {shlex.quote(text)}"
    return text if language == "sh" else f"echo '--- block {number}'"


def free_ports() -> tuple[str, ...]:
    """As many as PORTS, none of them taken."""
    free = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    ports = tuple(str(each.getsockname()[1]) for each in free)
    for each in free:
        each.close()
    return ports


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", sorted(path.name for path in TUTORIALS.glob("*.md")))
def test_every_block_of_a_tutorial_runs_and_shows_what_the_page_says(
    page: str, reachable_directory: Path
) -> None:
    work = reachable_directory / page.removesuffix(".md")
    (work / "bin").mkdir(parents=True)
    command = work / "bin" / "predtrack"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m predtrack_assets.cli "$@"\n')
    command.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PREDTRACK_HOME"},
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{PROJECT_ROOT}:{PROJECT_ROOT / 'client'}",
        "XDG_STATE_HOME": str(work / "state"),
    }
    found = blocks(page, free_ports())
    script = ["set -e", "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT"]
    script += [command_of(number, *block) for number, block in enumerate(found)]
    try:
        done = subprocess.run(
            ["bash", "-c", "\n".join([*script, "echo '--- block end'"])],
            cwd=work, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        for home in {data.parent for data in work.glob("*/postgres-*")}:
            subprocess.run([command, "db", "stop", "--home", home], env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    before = ""
    parts = re.split(r"--- block (\d+)\n", done.stdout)
    for output, number in zip(parts[::2], parts[1::2], strict=False):
        before += output
        for line in found[int(number)][1].splitlines():
            assert line in before, line
