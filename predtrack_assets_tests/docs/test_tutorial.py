"""docs/tutorial/first-hour.md: every command runs, and what the page shows appears."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from predtrack_assets.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "tutorial" / "first-hour.md").read_text()
BLOCKS = re.findall(r"^```(sh|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_command_of_the_tutorial_runs_and_shows_what_the_page_says(
    reachable_directory: Path,
) -> None:
    work = reachable_directory / "tutorial"
    (work / "bin").mkdir(parents=True)
    command = work / "bin" / "predtrack"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m predtrack_assets.cli "$@"\n')
    command.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PREDTRACK_HOME"},
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    script = ["set -e"]
    for number, (language, text) in enumerate(BLOCKS):
        script += [text if language == "sh" else f"echo '--- block {number}'"]
    try:
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=work, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        subprocess.run([command, "db", "stop", "--home", work / "first-hour"], env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    before = ""
    parts = re.split(r"--- block (\d+)\n", done.stdout)
    for output, number in zip(parts[::2], parts[1::2], strict=False):
        before += output
        for line in BLOCKS[int(number)][1].splitlines():
            assert line in before, line
