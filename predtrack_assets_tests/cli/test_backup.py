"""predtrack backup and predtrack restore, as a user types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from predtrack_assets.cli.main import app
from predtrack_assets_tests.builders.ledgers import commit, predictions


def test_there_and_back(
    database_url: str, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(database_url, predictions())
    place = tmp_path / "backups"
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", database_url)
    made = CliRunner().invoke(app, ["backup", "--to", str(place)])
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("backed up ")
    assert len(list(place.iterdir())) == 1

    refused = CliRunner().invoke(app, ["restore", "--from", str(place)])
    assert refused.exit_code == 1
    assert "is not empty, and nothing is written over" in str(refused.exception)

    monkeypatch.setenv("PREDTRACK_DATABASE_URL", empty_database_url)
    (tmp_path / "new").mkdir()
    back = CliRunner().invoke(
        app, ["restore", "--from", str(place), "--home", str(tmp_path / "new")]
    )
    assert back.exit_code == 0, back.output
    assert "tables equal" in back.stdout
    assert "ledger: 18 of 18 batches, 108 of 108 rows verified" in back.stdout
