"""The embedded server, really started, killed, disturbed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from predtrack_assets.settings import PROJECT_ROOT, get_settings
from predtrack_assets.warehouse.database import binaries
from predtrack_assets.warehouse.database.binaries import Account, ServerError, find_binaries
from predtrack_assets.warehouse.database.embedded_server import (
    EmbeddedServer,
    ServerNotRunning,
    dagster_url,
    database_url,
    ensure_database,
)
from predtrack_assets.warehouse.database.urls import database_name, with_database

START = (
    "import sys; from pathlib import Path;"
    "from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer;"
    "print(EmbeddedServer(Path(sys.argv[1])).start())"
)


@pytest.fixture
def home(reachable_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of this test's own; a server still running on it is stopped in the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(reachable_directory))
    path = reachable_directory / uuid.uuid4().hex[:8]
    yield path
    if path.is_dir():
        EmbeddedServer(path).stop()


def data_dir(home: Path) -> Path:
    return home / f"postgres-{find_binaries(home)[0]}"


def postmaster(home: Path) -> int:
    return int((data_dir(home) / "postmaster.pid").read_text().split()[0])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def remember(url: str, value: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS memory (value int)")
        connection.execute("INSERT INTO memory VALUES (%s)", [value])


def remembered(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM memory ORDER BY value")]


def start_command(home: Path) -> list[str]:
    return [sys.executable, "-c", START, str(home)]


def test_start_stop_start(home: Path) -> None:
    server = EmbeddedServer(home)
    assert not server.is_running()
    with pytest.raises(ServerNotRunning, match="predtrack db start"):
        server.url()
    server.stop()

    url = server.start()
    assert server.is_running()
    assert database_name(url) == "predtrack"
    assert server.start() == server.url() == url
    assert server.url("postgres") == with_database(url, "postgres")
    remember(url, 1)
    server.stop()
    assert not server.is_running()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)

    assert EmbeddedServer(home).start() == url
    assert remembered(url) == [1]


def test_configuration(home: Path) -> None:
    with psycopg.connect(EmbeddedServer(home).start()) as connection:
        expected = {
            "listen_addresses": "",
            "fsync": "on",
            "max_wal_size": "256MB",
            "wal_level": "minimal",
            "shared_buffers": "256MB",
            "TimeZone": "UTC",
            "server_encoding": "UTF8",
        }
        for name, value in expected.items():
            assert connection.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,)
        row = connection.execute("SHOW unix_socket_directories").fetchone()
    assert row is not None
    assert Path(row[0]).stat().st_mode & 0o777 == 0o700
    assert data_dir(home).stat().st_mode & 0o777 == 0o700


def test_a_home_of_an_earlier_version_gets_the_settings_of_this_one(home: Path) -> None:
    server = EmbeddedServer(home)
    url = server.start()
    server.stop()
    path = data_dir(home) / "predtrack.conf"
    made = path.read_text()
    path.write_text(made.replace("max_wal_size = 256MB", "max_wal_size = 4GB"))
    assert server.start() == url, "its port stays"
    assert path.read_text() == made
    with psycopg.connect(url) as connection:
        assert connection.execute("SHOW max_wal_size").fetchone() == ("256MB",)


def test_psql_fits(home: Path) -> None:
    server = EmbeddedServer(home)
    command = [str(server.psql_path), "-X", "-A", "-t", "-c", "SELECT 6 * 7", server.start()]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "42\n"


def test_server_outlives_who_started_it(home: Path) -> None:
    # Reading its output to the end would hang if the server held on to it.
    process = subprocess.Popen(
        start_command(home),
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    output, errors = process.communicate(timeout=120)
    assert output == EmbeddedServer(home).url() + "\n"
    assert errors == ""
    assert os.getsid(postmaster(home)) != process.pid
    assert os.getpgid(postmaster(home)) != process.pid


def test_kill_9_of_the_server(home: Path) -> None:
    server = EmbeddedServer(home)
    url = server.start()
    remember(url, 1)
    killed = postmaster(home)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not server.is_running())
    assert server.start() == url
    assert postmaster(home) != killed
    assert remembered(url) == [1]


def test_kill_9_with_a_backend_that_does_not_notice(home: Path) -> None:
    server = EmbeddedServer(home)
    url = server.start()
    remember(url, 1)
    busy = "DO $$ BEGIN LOOP EXIT WHEN clock_timestamp() > now() + interval '2 s'; END LOOP; END $$"

    def work() -> None:
        with (
            pytest.raises(psycopg.OperationalError),
            psycopg.connect(url) as connection,
        ):
            connection.execute(busy)

    thread = threading.Thread(target=work)
    thread.start()
    query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %' AND state = 'active'"
    with psycopg.connect(url, autocommit=True) as connection:
        wait_until(lambda: connection.execute(query).fetchone() == (1,))
    os.kill(postmaster(home), signal.SIGKILL)
    assert server.start() == url
    thread.join()
    remember(url, 2)
    assert remembered(url) == [1, 2]


def test_stale_pid_file_of_another_process(home: Path) -> None:
    server = EmbeddedServer(home)
    url = server.start()
    pid_file = data_dir(home) / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()

    bystander = subprocess.Popen(["sleep", "600"])
    socket_lock = Path(lines[4]) / f".s.PGSQL.{lines[3]}.lock"
    for path in (pid_file, socket_lock):
        path.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
    assert not server.is_running()
    server.stop()
    assert server.start() == url
    server.stop()
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_stale_pid_file_that_leads_to_another_server(home: Path, postgres_server: str) -> None:
    server = EmbeddedServer(home)
    url = server.start()
    server.stop()
    with psycopg.connect(postgres_server) as connection:
        host, port = connection.info.host, connection.info.port
    pid_file = data_dir(home) / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{data_dir(home)}\n0\n{port}\n{host}\n\n0\nready\n")
    assert not server.is_running()
    server.stop()
    assert server.start() == url


def test_processes_that_start_at_once_share_one_server(home: Path) -> None:
    home.mkdir()
    processes = [
        subprocess.Popen(start_command(home), stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT)
        for _ in range(3)
    ]
    outputs = {process.communicate(timeout=120)[0].strip() for process in processes}
    server = EmbeddedServer(home)
    assert outputs == {server.url()}
    assert server.log_path.read_text().count("starting PostgreSQL") == 1


def test_interrupted_creation_is_begun_again(home: Path) -> None:
    unfinished = home / f"{data_dir(home).name}.unfinished"
    process = subprocess.Popen(start_command(home), stdout=subprocess.DEVNULL, cwd=PROJECT_ROOT)
    wait_until((unfinished / "PG_VERSION").exists)
    process.kill()
    process.wait()
    remember(EmbeddedServer(home).start(), 1)
    assert not unfinished.exists()


def test_home_deleted_under_a_running_server(home: Path) -> None:
    server = EmbeddedServer(home)
    server.start()
    orphan = postmaster(home)
    shutil.rmtree(home)
    url = EmbeddedServer(home).start()
    os.kill(orphan, signal.SIGQUIT)
    wait_until(lambda: not is_alive(orphan))
    remember(url, 1)
    assert remembered(url) == [1]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("name", ["a home, with a comma", 'a "home"', "a $HOME"])
def test_homes_that_cannot_be_quoted_are_refused(home: Path, name: str) -> None:
    with pytest.raises(ServerError, match="PREDTRACK_HOME cannot contain"):
        EmbeddedServer(home / name)


def test_long_home_with_spaces(home: Path) -> None:
    long = home / "it's a long way" / ("x" * 120)
    server = EmbeddedServer(long)
    url = server.start()
    try:
        remember(url, 1)
        server.stop()
        assert server.start() == url
        assert remembered(url) == [1]
    finally:
        server.stop()


def test_socket_directory_of_somebody_else_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = home / "tmp"
    short.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    server = EmbeddedServer(home / ("x" * 120))
    url = server.start()
    server.stop()
    (socket_dir,) = short.iterdir()
    target = home / "target"
    socket_dir.rename(target)
    socket_dir.symlink_to(target)
    with pytest.raises(ServerError, match="is not ours"):
        server.start()
    # A restart of the machine may empty the directory for temporary files.
    socket_dir.unlink()
    assert server.start() == url
    server.stop()


def test_foreign_data_directory_is_left_alone(home: Path) -> None:
    foreign = data_dir(home)
    foreign.mkdir(parents=True)
    (foreign / "PG_VERSION").write_text(foreign.name.removeprefix("postgres-"))
    with pytest.raises(ServerError, match="was not made by PredTrack"):
        EmbeddedServer(home).start()
    assert [path.name for path in foreign.iterdir()] == ["PG_VERSION"]


def test_data_of_another_version_is_not_shadowed(tmp_path: Path) -> None:
    (tmp_path / "postgres-14").mkdir()
    with pytest.raises(ServerError, match=r"holds data of PostgreSQL \[14\]"):
        EmbeddedServer(tmp_path).start()


def test_no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_candidates", list)
    with pytest.raises(ServerError, match="PREDTRACK_DATABASE_URL"):
        EmbeddedServer(tmp_path).start()


@pytest.mark.parametrize("namespace", [binaries.NAMESPACE, ("false",)])
def test_home_closed_to_everybody_else(
    home: Path, namespace: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "NAMESPACE", namespace)
    home.mkdir(mode=0o700)
    server = EmbeddedServer(home / "inner")
    url = server.start()
    remember(url, 1)
    server.stop()
    assert server.start() == url
    assert remembered(url) == [1]
    assert home.stat().st_mode & 0o777 == 0o700
    server.stop()


def test_no_account_can_run_the_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(account: Account, program: Path) -> bool:
        return False

    monkeypatch.setattr(binaries, "_can_run", refuse)
    with pytest.raises(ServerError, match="No account here can run"):
        EmbeddedServer(home).start()


def test_as_an_ordinary_user(home: Path) -> None:
    """Root becomes one for this; Python itself may be out of that one's reach."""
    uid = os.geteuid() or binaries.NOBODY_UID
    account = Account(uid)
    if not binaries._can_run(account, Path(sys.executable)):
        account = Account(uid, binaries._lending_access(uid))
    home.mkdir()
    account.give(home)
    code = (
        f"import sys; sys.path.insert(0, {str(PROJECT_ROOT)!r}); from pathlib import Path;"
        "from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer;"
        "server = EmbeddedServer(Path(sys.argv[1])); url = server.start();"
        "assert server.start() == url; server.stop(); assert not server.is_running();"
        "print(server.start() == url)"
    )
    with tempfile.TemporaryFile() as output:
        status = account.run([sys.executable, "-c", code, home], output)
        output.seek(0)
        assert (status, output.read().decode()) == (0, "True\n")
    assert {path.stat().st_uid for path in home.iterdir()} == {uid}
    # Whoever may enter a data directory uses the server as it is, root included.
    remember(EmbeddedServer(home).start(), 1)


def test_given_urls_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://me@host/name")
    assert database_url(get_settings()) == "postgresql://me@host/name"
    assert dagster_url(get_settings()) == "postgresql+psycopg2://me@host/name_dagster"
    monkeypatch.setenv("PREDTRACK_DAGSTER_URL", "postgres://me@host/other")
    assert dagster_url(get_settings()) == "postgresql+psycopg2://me@host/other"


def test_without_a_url_the_embedded_server_is_started(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_HOME", str(home))
    url = database_url(get_settings())
    assert url == EmbeddedServer(home).url()
    assert database_name(dagster_url(get_settings())) == "predtrack_dagster"


def test_ensure_database(postgres_server: str) -> None:
    name = f"predtrack_test_{uuid.uuid4().hex[:12]}"
    url = with_database(postgres_server, name)
    ensure_database(url.replace("postgresql://", "postgresql+psycopg2://"))
    ensure_database(url)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (name,)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name}".encode())


def test_ensure_database_of_no_server(tmp_path: Path) -> None:
    with pytest.raises(psycopg.OperationalError):
        ensure_database(f"postgresql://postgres@/predtrack?host={tmp_path}")
