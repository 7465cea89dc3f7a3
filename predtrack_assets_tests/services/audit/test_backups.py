"""A backup holds every row of a moment, goes back whole or not at all, and tells damage."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest

from predtrack_assets.services.audit.backups import OURS, restore, take_backup
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.stores import artifacts
from predtrack_assets.stores.backups import MANIFEST, BackupError, open_backup
from predtrack_assets.warehouse.database.binaries import ServerError
from predtrack_assets.warehouse.database.catalogue import compare_catalogues, read_catalogue
from predtrack_assets.warehouse.database.migrate import migrate
from predtrack_assets.warehouse.database.row_digests import different_tables, row_digests_of
from predtrack_assets.warehouse.database.transaction import Database
from predtrack_assets.warehouse.database.urls import database_name, with_database
from predtrack_assets.warehouse.models import registry
from predtrack_assets.warehouse.models.registry import Training
from predtrack_assets_tests.builders.ledgers import commit, predictions, verdict_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def full(url: str) -> str:
    commit(url, predictions(days=4, models=("one-1", "two-1")))
    return url


def counts(url: str) -> tuple[bool, int, int]:
    verdict = verdict_of(url)
    return verdict.good, verdict.batches_good, verdict.rows_good


def backed_up(url: str, place: Path, now: datetime = NOW) -> Path:
    take_backup(str(place), {OURS: full(url)}, now)
    return place / f"{now:%Y-%m-%dT%H%M%SZ}"


def test_what_is_restored_is_what_was_backed_up(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    backed_up(database_url, tmp_path)
    address, manifest = restore(str(tmp_path), {OURS: empty_database_url}, str(tmp_path / "fits"))
    assert address.endswith("2026-03-02T120000Z")
    assert manifest.tables[OURS]["forecasts.predictions"][0] == verdict_of(database_url).rows
    here, there = row_digests_of(database_url), row_digests_of(empty_database_url)
    assert different_tables(here, there) == ["public.predtrack_views"]
    made = migrate(empty_database_url, PROJECT_ROOT / "sql")
    assert made
    assert all(name.startswith("views/") for name in made)
    assert (
        compare_catalogues(read_catalogue(database_url), read_catalogue(empty_database_url)) == []
    )
    assert counts(empty_database_url) == counts(database_url)


def test_readers_get_no_temporary_tables_in_what_was_restored(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    backed_up(database_url, tmp_path)
    restore(str(tmp_path), {OURS: empty_database_url}, str(tmp_path / "fits"))
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("SET ROLE predtrack_reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TEMP TABLE t (a int)")


def test_rows_written_meanwhile_are_in_neither_dump_nor_digest(
    database_url: str, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(database_url)
    before = row_digests_of(database_url)
    wrote = []

    def meanwhile(what: str, *_: int) -> None:
        if not wrote:
            wrote.append(
                commit(database_url, predictions(days=1, symbols=("NEW",), models=("three-1",)))
            )

    taken = take_backup(str(tmp_path), {OURS: database_url}, NOW, meanwhile)
    assert wrote
    assert different_tables(before, row_digests_of(database_url))
    assert different_tables(before, taken.tables[OURS]) == []
    restore(str(tmp_path), {OURS: empty_database_url}, str(tmp_path / "fits"))
    after = row_digests_of(empty_database_url)
    assert different_tables(before, after) == ["public.predtrack_views"]


def test_fitted_models_come_along(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    full(database_url)
    fit = artifacts.store(b"{}", str(tmp_path / "here"))
    register_fit(database_url, date(2011, 1, 31), fit)
    lost = artifacts.store(b"[]", str(tmp_path / "here"))
    register_fit(database_url, date(2011, 2, 28), lost)
    Path(lost.uri.removeprefix("file://")).unlink()
    taken = take_backup(str(tmp_path / "backups"), {OURS: database_url}, NOW)
    assert taken.artifacts == [fit.sha256]
    assert len(taken.missing) == 1
    assert "the file of fit one-1@2011-02-28 is missing" in taken.missing[0]
    restore(str(tmp_path / "backups"), {OURS: empty_database_url}, str(tmp_path / "there"))
    found = tmp_path / "there" / fit.sha256[:2] / f"{fit.sha256}.json"
    assert found.read_bytes() == b"{}"


def register_fit(url: str, through: date, fit: artifacts.Artifact) -> None:
    training = Training(
        model_id="one-1",
        scope="*",
        trained_through=through,
        first_day=date(2009, 1, 2),
        samples=1000,
        symbols=["AAA"],
        feature_set="standard-v1",
        parameters={},
        code_version="1",
        input_digest="d1",
    )
    run = registry.start(Database(url=url), training, "run")
    with Database(url=url).transaction() as transaction:
        registry.succeed(transaction, run, training, fit, {"cutoff": str(through)}, {})


def test_nothing_is_written_over(database_url: str, tmp_path: Path) -> None:
    backed_up(database_url, tmp_path)
    with pytest.raises(ServerError, match="is not empty, and nothing is written over"):
        restore(str(tmp_path), {OURS: database_url}, str(tmp_path / "fits"))


def test_damage_is_told_and_restores_nothing(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    place = backed_up(database_url, tmp_path)
    dump = place / "predtrack.dump"
    whole = dump.read_bytes()
    dump.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    with pytest.raises(BackupError, match=r"predtrack\.dump is not what was written"):
        restore(str(tmp_path), {OURS: empty_database_url}, str(tmp_path / "fits"))
    dump.unlink()
    with pytest.raises(BackupError, match=r"predtrack\.dump is missing"):
        restore(str(tmp_path), {OURS: empty_database_url}, str(tmp_path / "fits"))
    dump.write_bytes(whole)
    manifest = json.loads((place / MANIFEST).read_text())
    manifest["tables"][OURS]["forecasts.predictions"][1] = "1"
    (place / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BackupError, match=r"nothing was restored: forecasts\.predictions$"):
        restore(str(tmp_path), {OURS: empty_database_url}, str(tmp_path / "fits"))
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('forecasts.predictions')").fetchone() == (
            None,
        )
    (place / MANIFEST).write_text("{")
    with pytest.raises(BackupError, match="damaged"):
        restore(str(place), {OURS: empty_database_url}, str(tmp_path / "fits"))


def test_the_newest_complete_backup_is_taken(database_url: str, tmp_path: Path) -> None:
    backed_up(database_url, tmp_path)
    later = backed_up(database_url, tmp_path, NOW.replace(hour=13))
    (tmp_path / "2026-03-02T140000Z").mkdir()  # without a manifest it is none
    with open_backup(str(tmp_path)) as (address, _, manifest):
        assert (address, manifest.taken_at) == (str(later), "2026-03-02T13:00:00+00:00")
    with pytest.raises(BackupError, match="no backup at"):
        open_backup(str(tmp_path / "nowhere")).__enter__()


def test_a_restore_killed_in_the_middle_leaves_nothing_and_can_be_repeated(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    backed_up(database_url, tmp_path)
    code = (
        "import sys, time; from predtrack_assets.services.audit.backups import restore;"
        "restore(sys.argv[1], {'predtrack': sys.argv[2]}, sys.argv[3],"
        " lambda *_: (print('x', flush=True), time.sleep(60)))"
    )
    command = [
        sys.executable,
        "-c",
        code,
        str(tmp_path),
        empty_database_url,
        str(tmp_path / "fits"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT_ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"x\n"
        process.send_signal(signal.SIGKILL)
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('forecasts.predictions')").fetchone() == (
            None,
        )
    restore(str(tmp_path), {OURS: empty_database_url}, str(tmp_path / "fits"))
    migrate(empty_database_url, PROJECT_ROOT / "sql")
    assert counts(empty_database_url) == counts(database_url)
    with psycopg.connect(with_database(database_url, "postgres")) as connection:
        left = f"{database_name(empty_database_url)}_restoring"
        query = "SELECT count(*) FROM pg_database WHERE datname = %s"
        assert connection.execute(query, [left]).fetchone() == (0,)


def test_a_backup_killed_in_the_middle_is_none_and_is_swept_away(
    database_url: str, tmp_path: Path
) -> None:
    full(database_url)
    code = (
        "import sys, time; from datetime import UTC, date, datetime;"
        "from predtrack_assets.services.audit.backups import take_backup;"
        "take_backup(sys.argv[1], {'predtrack': sys.argv[2]}, datetime(2026, 1, 1, tzinfo=UTC),"
        " lambda *_: (print('x', flush=True), time.sleep(60)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path), database_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT_ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"x\n"
        process.send_signal(signal.SIGKILL)
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == []
    with pytest.raises(BackupError, match="no backup at"):
        open_backup(str(tmp_path)).__enter__()
    place = backed_up(database_url, tmp_path)
    assert list(tmp_path.iterdir()) == [place]


def test_passwords_are_not_among_the_arguments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from predtrack_assets.warehouse.database import dumps

    seen: list[dict[str, object]] = []

    class Started:
        returncode = 0

        def __init__(self, command: list[str], **given: object) -> None:
            seen.append({"command": command, **given})

        def communicate(self) -> tuple[bytes, bytes]:
            return b"", b""

    monkeypatch.setattr(dumps.subprocess, "Popen", Started)
    monkeypatch.setattr(dumps, "client_program", lambda *_: "pg_dump")
    source = dumps.Snapshot(
        "postgresql://me:hush@db.example:6000/pt?sslmode=require", None, "s", 18
    )
    with dumps.dumping(source, tmp_path / "x"):
        pass
    environment = seen[0]["env"]
    assert isinstance(environment, dict)
    assert "hush" not in " ".join(map(str, seen[0]["command"]))
    expected = {"PGHOST": "db.example", "PGPORT": "6000", "PGUSER": "me", "PGPASSWORD": "hush"}
    assert expected.items() <= environment.items()
    assert environment["PGSSLMODE"] == "require"
    assert environment["PGDATABASE"] == "pt"
