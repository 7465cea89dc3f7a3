"""Migrations are applied once, in order, whole or not at all, and never behind one's back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database import migrate as module
from predtrack_assets.warehouse.database.binaries import find_binaries
from predtrack_assets.warehouse.database.catalogue import compare_catalogues, read_catalogue
from predtrack_assets.warehouse.database.migrate import MigrationError, migrate, rollback, status
from predtrack_assets.warehouse.database.urls import with_role

FILES = {
    "01-birds.sql": "-- a % sign and a $tag$ are plain text\nCREATE TABLE birds (name text);",
    "01-birds.down.sql": "DROP TABLE birds;",
    "02-finch.sql": "INSERT INTO birds VALUES ('finch'); INSERT INTO birds VALUES ('wren');",
    "02-finch.down.sql": "DELETE FROM birds;",
}
WAITING = {
    "02-finch.sql": "-- requires: timescaledb\nCREATE TABLE waited (name text);",
    "02-finch.down.sql": "DROP TABLE waited;",
    "03-nest.sql": "CREATE TABLE nests (name text);",
    "03-nest.down.sql": "DROP TABLE nests;",
}
SINGERS = "CREATE VIEW singers AS SELECT name FROM birds;"
CHOIR = "CREATE FUNCTION choir() RETURNS SETOF singers LANGUAGE sql AS 'SELECT * FROM singers';"


@pytest.fixture
def sql_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "sql"
    directory.mkdir()
    write(directory, FILES)
    return directory


def write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def states(url: str, sql_dir: Path) -> list[str]:
    return [item.state for item in status(url, sql_dir)]


def relations(url: str) -> set[str]:
    query = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute(query)}


def test_up_down_up(empty_database_url: str, sql_dir: Path) -> None:
    url = empty_database_url
    assert states(url, sql_dir) == ["pending", "pending"]
    assert relations(url) == set()
    assert migrate(url, sql_dir) == ["01-birds", "02-finch"]
    assert migrate(url, sql_dir) == []
    assert states(url, sql_dir) == ["applied", "applied"]
    assert all(item.applied_at is not None for item in status(url, sql_dir))
    assert rollback(url, sql_dir, to=1) == ["02-finch"]
    assert states(url, sql_dir) == ["applied", "pending"]
    assert rollback(url, sql_dir) == ["01-birds"]
    assert relations(url) == {"predtrack_migrations"}
    assert migrate(url, sql_dir) == ["01-birds", "02-finch"]


def test_a_new_file_is_applied_alone(empty_database_url: str, sql_dir: Path) -> None:
    migrate(empty_database_url, sql_dir)
    write(sql_dir, {"03-nest.sql": "CREATE TABLE nests ()", "03-nest.down.sql": "DROP TABLE nests"})
    assert migrate(empty_database_url, sql_dir) == ["03-nest"]


def test_a_failing_file_leaves_nothing(empty_database_url: str, sql_dir: Path) -> None:
    (sql_dir / "02-finch.sql").write_text("CREATE TABLE half ();\nSELECT * FROM no_such_table;")
    with pytest.raises(MigrationError, match=r"02-finch\.sql, line 2: .*no_such_table"):
        migrate(empty_database_url, sql_dir)
    assert states(empty_database_url, sql_dir) == ["applied", "pending"]
    assert relations(empty_database_url) == {"predtrack_migrations", "birds"}


@pytest.mark.parametrize("act", [migrate, rollback])
def test_an_edited_file_is_refused(
    empty_database_url: str, sql_dir: Path, act: Callable[[str, Path], list[str]]
) -> None:
    migrate(empty_database_url, sql_dir)
    (sql_dir / "01-birds.sql").write_text("CREATE TABLE birds (name text, weight real);")
    with pytest.raises(MigrationError, match=r"01-birds\.sql was edited"):
        act(empty_database_url, sql_dir)
    assert states(empty_database_url, sql_dir) == ["edited", "applied"]


def test_other_line_ends_are_no_edit(empty_database_url: str, sql_dir: Path) -> None:
    migrate(empty_database_url, sql_dir)
    path = sql_dir / "01-birds.sql"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(empty_database_url, sql_dir) == []


def test_a_missing_or_renamed_file_is_refused(empty_database_url: str, sql_dir: Path) -> None:
    migrate(empty_database_url, sql_dir)
    for end in (".sql", ".down.sql"):
        (sql_dir / f"02-finch{end}").rename(sql_dir / f"02-thrush{end}")
    with pytest.raises(MigrationError, match=r"02-finch\.sql is missing"):
        migrate(empty_database_url, sql_dir)
    for end in (".sql", ".down.sql"):
        (sql_dir / f"02-thrush{end}").unlink()
    with pytest.raises(MigrationError, match=r"02-finch\.sql is missing"):
        migrate(empty_database_url, sql_dir)
    assert states(empty_database_url, sql_dir) == ["applied", "missing"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"views/fish.sql": ""}, r"views/fish\.sql: no numbered file is of a room fish"),
        ({"views/birds.sql": "COMMIT;"}, r"birds\.sql: COMMIT; is refused"),
        ({"04-gap.sql": "", "04-gap.down.sql": ""}, r"04-gap\.sql: expected number 03"),
        ({"02-twice.sql": "", "02-twice.down.sql": ""}, r"02-twice\.sql: 02-finch\.sql has the"),
        ({"03-oneway.sql": ""}, r"03-oneway\.down\.sql is missing"),
        ({"03-only.down.sql": ""}, r"03-only\.down\.sql: there is no 03-only\.sql"),
        ({"schema.sql": ""}, r"schema\.sql: expected NN-name\.sql"),
        ({"03-x.sql": "BEGIN;\nCOMMIT;", "03-x.down.sql": ""}, r"03-x\.sql: BEGIN; is refused"),
    ],
)
def test_malformed_directories_are_refused(
    empty_database_url: str, sql_dir: Path, files: dict[str, str], message: str
) -> None:
    write(sql_dir, files)
    with pytest.raises(MigrationError, match=message):
        migrate(empty_database_url, sql_dir)
    assert relations(empty_database_url) == set()


def test_no_directory_is_refused(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="no directory"):
        migrate(empty_database_url, tmp_path / "nowhere")


def test_an_extension_is_waited_for(
    empty_database_url: str, sql_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = empty_database_url
    write(sql_dir, WAITING)
    monkeypatch.setattr(module, "HAS_TIMESCALEDB", "SELECT false")
    assert migrate(url, sql_dir) == ["01-birds", "03-nest"]
    assert states(url, sql_dir) == ["applied", "skipped", "applied"]
    assert migrate(url, sql_dir) == []
    assert rollback(url, sql_dir) == ["03-nest", "01-birds"]
    assert states(url, sql_dir) == ["pending", "pending", "pending"]

    migrate(url, sql_dir)
    monkeypatch.setattr(module, "HAS_TIMESCALEDB", "SELECT true")
    assert migrate(url, sql_dir) == ["02-finch"]
    assert states(url, sql_dir) == ["applied", "applied", "applied"]
    assert rollback(url, sql_dir) == ["03-nest", "02-finch", "01-birds"]


def test_what_a_file_sets_ends_with_it(empty_database_url: str, sql_dir: Path) -> None:
    (sql_dir / "01-birds.sql").write_text(
        "CREATE TABLE birds (name text); CREATE SCHEMA attic;"
        "SET search_path = attic; SET ROLE pg_monitor;"
    )
    assert migrate(empty_database_url, sql_dir) == ["01-birds", "02-finch"]


def test_migrates_as_the_role_of_the_url(empty_database_url: str, sql_dir: Path) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("GRANT CREATE ON SCHEMA public TO pg_monitor")
    migrate(with_role(empty_database_url, "pg_monitor"), sql_dir)
    with psycopg.connect(empty_database_url) as connection:
        query = "SELECT tableowner FROM pg_tables WHERE tablename = 'birds'"
        assert connection.execute(query).fetchone() == ("pg_monitor",)


def test_processes_at_once_apply_each_file_once(empty_database_url: str, sql_dir: Path) -> None:
    (sql_dir / "01-birds.sql").write_text("SELECT pg_sleep(0.3); CREATE TABLE birds (name text);")
    code = (
        "import sys; from pathlib import Path;"
        "from predtrack_assets.warehouse.database.migrate import migrate;"
        "print(len(migrate(sys.argv[1], Path(sys.argv[2]))))"
    )
    command = [sys.executable, "-c", code, empty_database_url, str(sql_dir)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT)
        for _ in range(2)
    ]
    assert sorted(process.communicate()[0].strip() for process in processes) == ["0", "2"]
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM birds").fetchone() == (2,)


def test_files_work_with_psql(empty_database_url: str, sql_dir: Path, tmp_path: Path) -> None:
    psql = find_binaries(tmp_path)[1] / "psql"
    for name in ("01-birds.sql", "02-finch.sql"):
        options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction"]
        command = [str(psql), *options, "-f", str(sql_dir / name), empty_database_url]
        subprocess.run(command, check=True)
    assert relations(empty_database_url) == {"birds"}


def test_numbers_may_begin_with_0(empty_database_url: str, sql_dir: Path) -> None:
    write(sql_dir, {"00-eggs.sql": "CREATE TABLE eggs ();", "00-eggs.down.sql": "DROP TABLE eggs;"})
    assert migrate(empty_database_url, sql_dir) == ["00-eggs", "01-birds", "02-finch"]
    assert rollback(empty_database_url, sql_dir, to=0) == ["02-finch", "01-birds"]
    assert rollback(empty_database_url, sql_dir) == ["00-eggs"]


def test_views_come_last_and_again_when_a_file_changes(
    empty_database_url: str, sql_dir: Path
) -> None:
    url = empty_database_url
    write(sql_dir, {"views/birds.sql": SINGERS, "views/finch.sql": CHOIR})
    assert migrate(url, sql_dir) == ["01-birds", "02-finch", "views/birds", "views/finch"]
    assert migrate(url, sql_dir) == []
    assert states(url, sql_dir) == ["applied"] * 4

    renamed = SINGERS.replace("SELECT name", "SELECT upper(name) AS bird")
    write(sql_dir, {"views/birds.sql": renamed})
    assert states(url, sql_dir) == ["applied", "applied", "pending", "applied"]
    assert migrate(url, sql_dir) == ["views/birds", "views/finch"]
    assert rows(url, "SELECT bird FROM choir()") == [("FINCH",), ("WREN",)]

    (sql_dir / "views/finch.sql").unlink()
    assert migrate(url, sql_dir) == ["views/birds"]
    assert rows(url, "SELECT to_regproc('choir')") == [(None,)]
    assert rows(url, "SELECT bird FROM singers") == [("FINCH",), ("WREN",)]


def test_views_that_are_gone_come_back(empty_database_url: str, sql_dir: Path) -> None:
    write(sql_dir, {"views/birds.sql": SINGERS})
    migrate(empty_database_url, sql_dir)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("DROP VIEW singers")
    assert states(empty_database_url, sql_dir)[-1] == "pending"
    assert migrate(empty_database_url, sql_dir) == ["views/birds"]
    assert states(empty_database_url, sql_dir)[-1] == "applied"


def test_views_that_fail_leave_those_there_were(empty_database_url: str, sql_dir: Path) -> None:
    write(sql_dir, {"views/birds.sql": SINGERS})
    migrate(empty_database_url, sql_dir)
    write(sql_dir, {"views/birds.sql": SINGERS + "\nCREATE VIEW bad AS TABLE fish;"})
    with pytest.raises(MigrationError, match=r"views/birds\.sql, line 2: .*fish"):
        migrate(empty_database_url, sql_dir)
    assert rows(empty_database_url, "SELECT count(*) FROM singers") == [(2,)]


def test_views_of_others_are_not_dropped(empty_database_url: str, sql_dir: Path) -> None:
    write(sql_dir, {"views/birds.sql": SINGERS})
    migrate(empty_database_url, sql_dir)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE VIEW mine AS SELECT * FROM singers")
    write(sql_dir, {"views/birds.sql": f"{SINGERS} -- sing"})
    with pytest.raises(MigrationError, match=r"something of your own builds on it.*view mine"):
        migrate(empty_database_url, sql_dir)
    assert rows(empty_database_url, "SELECT count(*) FROM mine") == [(2,)]


def test_a_database_of_an_earlier_version_is_refused(
    empty_database_url: str, sql_dir: Path
) -> None:
    early = {"01-create-tables.sql": "CREATE TABLE birds ();", "01-create-tables.down.sql": ""}
    other = sql_dir.parent / "early"
    other.mkdir()
    write(other, early)
    migrate(empty_database_url, other)
    with pytest.raises(MigrationError, match=r"01-create-tables.*begin with a new PREDTRACK_HOME"):
        migrate(empty_database_url, sql_dir)


def test_the_projects_own_files_go_up_down_up(empty_database_url: str) -> None:
    files = PROJECT_ROOT / "sql"
    first = migrate(empty_database_url, files)
    assert first
    made = read_catalogue(empty_database_url)
    assert rollback(empty_database_url, files) == first[::-1]
    assert read_catalogue(empty_database_url) == {}
    assert migrate(empty_database_url, files) == first
    assert compare_catalogues(read_catalogue(empty_database_url), made) == []


def test_the_projects_own_files_work_with_psql(
    empty_database_url: str, database_url: str, tmp_path: Path
) -> None:
    psql = find_binaries(tmp_path)[1] / "psql"
    files = PROJECT_ROOT / "sql"
    options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction"]
    for item in status(database_url, files):
        if item.state == "applied" and item.name != "08-timescale":
            path = files / f"{item.name}.sql"
            subprocess.run([str(psql), *options, "-f", str(path), empty_database_url], check=True)
    made = read_catalogue(empty_database_url)
    assert made
    assert compare_catalogues(made, read_catalogue(database_url)) == []
