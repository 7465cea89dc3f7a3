"""docs/reference/names.md leads people who come from the documents to things that exist."""

from __future__ import annotations

import re

import dagster as dg
import pytest
from typer.testing import CliRunner

from predtrack_assets.automation.schedules import TIMES
from predtrack_assets.cli.main import app
from predtrack_assets.definitions import ASSETS
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets_tests.graph import frame

PAGE = (PROJECT_ROOT / "docs" / "reference" / "names.md").read_text()
QUOTED = re.findall(r"`([^`]+)`", PAGE)


def test_its_tables_views_and_functions_exist(database_url: str) -> None:
    names = [name for name in QUOTED if re.fullmatch(r"[a-z]+\.[a-z_0-9]+", name)]
    found = frame(
        database_url,
        "SELECT name FROM unnest(%s::text[]) name"
        " WHERE to_regclass(name) IS NULL AND to_regproc(name) IS NULL",
        [name for name in names if not name.endswith(".py")],
    )
    assert len(names) > 30
    assert found["name"].to_list() == []


def test_its_modules_assets_and_schedules_exist() -> None:
    modules = [name for name in QUOTED if name.endswith(".py")]
    assert len(modules) > 8
    assert [m for m in modules if not (PROJECT_ROOT / "predtrack_assets" / m).exists()] == []
    assets = [asset for asset in ASSETS if isinstance(asset, dg.AssetsDefinition)]
    keys = {key.to_user_string() for asset in assets for key in asset.keys}
    assert set(re.findall(r"asset `([a-z_/]+)`", PAGE)) <= keys
    assert {name.removesuffix("_schedule") for name in re.findall(r"[a-z_]+_schedule", PAGE)} <= (
        TIMES.keys()
    )


@pytest.mark.parametrize("command", sorted({q for q in QUOTED if q.startswith("predtrack ")}))
def test_its_commands_exist(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split()[1:], "--help"])
    assert result.exit_code == 0, result.output
