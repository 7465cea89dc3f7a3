"""predtrack doctor finds what is out of order, says what to do, and is quiet about what is not."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from predtrack_assets.cli.main import app
from predtrack_assets.clock import utc_now
from predtrack_assets.services.audit import diagnosis
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.migrate import rollback
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets_tests import graph
from predtrack_assets_tests.builders.ledgers import attacker, commit, predictions, register

SQL = PROJECT_ROOT / "sql"
NOW = datetime(2011, 3, 1, 12, tzinfo=UTC)
GRACE = timedelta(days=15)


def levels(findings: object) -> dict[str, str]:
    return {f.what: f.level for f in findings}  # type: ignore[attr-defined]


def test_a_new_home_is_in_order_but_for_its_prices(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_DATABASE_URL", database_url)
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 0, done.output
    found = {f["what"]: f for f in json.loads(done.stdout)}
    assert {what for what, f in found.items() if f["level"] != "ok"} == {"prices"}
    assert found["prices"]["remedy"] == "predtrack demo, or predtrack backfill"
    assert found["server"]["found"].startswith("PostgreSQL ")


def test_a_server_that_is_not_running_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDTRACK_SORUCE", "file")
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "PREDTRACK_SORUCE is none" in done.stdout
    assert "-> is it PREDTRACK_SOURCE?" in done.stdout
    assert "is not running" in done.stdout
    assert "-> predtrack db start" in done.stdout


def test_schema(database_url: str) -> None:
    assert levels(diagnosis.check_schema(database_url, SQL, thorough=True)) == {"schema": "ok"}
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE forecasts.outcomes DISABLE TRIGGER ALL")
    assert levels(diagnosis.check_schema(database_url, SQL, thorough=False)) == {"schema": "ok"}
    assert levels(diagnosis.check_schema(database_url, SQL, thorough=True)) == {"schema": "fault"}


def test_missing_migrations(database_url: str) -> None:
    rollback(database_url, SQL, to=8)
    (found,) = diagnosis.check_schema(database_url, SQL, thorough=True)
    assert (found.level, found.remedy) == ("fault", "predtrack db migrate")
    assert "09-trading" in found.found


def test_clocks(database_url: str) -> None:
    database = Database(url=database_url)
    assert levels(diagnosis.check_server(database, utc_now))["clocks"] == "ok"
    assert levels(diagnosis.check_server(database, lambda: NOW))["clocks"] == "fault"


def test_predictions_that_nobody_sealed_or_resolved(database_url: str) -> None:
    database = Database(url=database_url)
    commit(database_url, predictions(days=2, models=("mine-1",)))
    day = graph.frame(database_url, "SELECT max(due_day) AS d FROM forecasts.predictions").item()
    clean = levels(diagnosis.check_forecasts(database, day, GRACE))
    assert clean == {"ledger": "ok", "outcomes": "ok"}
    late = list(diagnosis.check_forecasts(database, day + timedelta(days=30), GRACE))
    assert levels(late) == {"ledger": "ok", "outcomes": "warning"}
    assert (
        late[1].found.startswith("12 predictions fell due")
        or "predictions fell due" in late[1].found
    )
    assert "predtrack backfill --from" in late[1].remedy
    unsealed = predictions(days=1, symbols=("EEE",), models=("mine-1",))
    register(database_url, unsealed)
    with database.transaction() as transaction:
        transaction.append(tables.PREDICTIONS, unsealed)
    assert levels(diagnosis.check_forecasts(database, day, GRACE))["ledger"] == "warning"


def test_refused_bars_and_old_prices(database_url: str) -> None:
    graph.execute(
        database_url,
        "INSERT INTO market.quarantine (symbol, trading_day, reason, payload, source)"
        " VALUES ('AAA', '2011-02-01', 'negative price', '{}', 'file')",
    )
    database = Database(url=database_url)
    found = list(diagnosis.check_market(database, utc_now(), date(2011, 2, 1)))
    assert levels(found) == {"prices": "warning", "quarantine": "warning"}
    assert "1 bars refused in 30 days, most: negative price" in found[1].found


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert levels(diagnosis.check_home(tmp_path)) == {"disk": "ok"}
    monkeypatch.setattr(diagnosis, "ROOM_ON_DISK", 1e18)
    assert levels(diagnosis.check_home(tmp_path)) == {"disk": "fault"}


def test_a_lost_file_of_a_fit(database_url: str, tmp_path: Path) -> None:
    from predtrack_assets.stores import artifacts
    from predtrack_assets_tests.services.audit.test_backups import register_fit

    commit(database_url, predictions(models=("one-1",)))
    fit = artifacts.store(b"{}", str(tmp_path))
    register_fit(database_url, date(2011, 1, 31), fit)
    database = Database(url=database_url)
    assert levels(diagnosis.check_models(database, NOW)) == {"models": "ok"}
    Path(fit.uri.removeprefix("file://")).write_bytes(b"[]")
    assert levels(diagnosis.check_models(database, NOW)) == {"models": "fault"}
    with attacker(database_url) as connection:
        connection.execute(
            "UPDATE models.training_runs SET status = 'failed', error_log = 'x', finished_at = now()"
        )
    assert levels(diagnosis.check_models(database, NOW))["fits"] == "warning"
