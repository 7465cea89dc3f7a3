"""The embedded PostgreSQL server, and the two URLs everything else connects with.

One flock makes it safe: who starts the server takes it and hands it on to the server, whose
processes keep it until the last one is gone. Holding it proves that no server of ours lives, so
what a killed one left behind may be removed. A server lives when it answers, never by its pid.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shlex
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.binaries import (
    Account,
    ServerError,
    choose_account,
    find_binaries,
    reaches,
)
from predtrack_assets.warehouse.database.urls import database_name, normalise, redact, with_database

DATABASE = "predtrack"
START_TIMEOUT = 600.0  # seconds; recovery after a crash may take minutes
MAX_SOCKET_PATH = 103  # bytes; the kernel's limit on a socket's path, the smallest of all systems

# The log lives on one machine and nobody reads it but recovery: it is kept short, and in the least
# detail. ALTER SYSTEM overrules each of these, for who wants a replica (wal_level, max_wal_senders).
CONFIGURATION = """\
# Written by PredTrack at each start; it is how it knows the directory as its own.
port = {port}
max_connections = 200
shared_buffers = 256MB
fsync = on
wal_level = minimal
max_wal_senders = 0
wal_compression = on
min_wal_size = 64MB
max_wal_size = 256MB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
log_checkpoints = off
timezone = 'UTC'
log_timezone = 'UTC'
"""
CONFIGURATION_FILE = "predtrack.conf"


class ServerNotRunning(ServerError):
    """The embedded server does not answer."""


class EmbeddedServer:
    """A PostgreSQL server of our own on a Unix socket, all of whose state is below `home`.

    For Linux and macOS. Runs as the current user; as root, as an unprivileged one (see binaries).
    Nothing is removed or changed but what we made. Methods raise ServerError with what to do.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().resolve()
        if set(str(self.home)) & set('"$`,\\\n'):
            raise ServerError(
                f'PREDTRACK_HOME cannot contain any of " $ ` , \\ in its path: {home}'
            )

    def start(self) -> str:
        """Make the server run and its database exist; the libpq URL of that database.

        Does nothing if it runs. Waits for one that is starting or recovering.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.is_running():
            self._start_or_wait()
        url = self.url()
        ensure_database(url)
        return url

    def stop(self) -> None:
        """Stop the server and wait for its end; open transactions are rolled back."""
        if not self._data_dir.exists():
            return
        with self._lock_unless_running() as lock:
            if lock is not None:
                return
        command: list[str | Path] = [
            self._bin / "pg_ctl",
            "stop",
            "-w",
            "-m",
            "fast",
            "-t",
            f"{START_TIMEOUT:.0f}",
        ]
        if self._account().run([*command, "-D", self._data_dir]) != 0:
            raise ServerError(f"The server did not stop.\n{self._end_of_log()}")

    def is_running(self) -> bool:
        """Whether our server, and no other, answers."""
        return self._answering_address() is not None

    def url(self, database: str = DATABASE) -> str:
        """libpq URL of `database`; ServerNotRunning if the server does not answer."""
        address = self._answering_address()
        if address is None:
            raise ServerNotRunning(
                f"The embedded PostgreSQL server of {self.home} is not running. "
                "Start it with: predtrack db start"
            )
        return _url(address, database)

    @property
    def psql_path(self) -> Path:
        """The psql that fits the server."""
        return self._bin / "psql"

    @property
    def log_path(self) -> Path:
        """The server's log."""
        return self._data_dir / "server.log"

    @cached_property
    def _version_and_bin(self) -> tuple[int, Path]:
        return find_binaries(self.home)

    @property
    def _bin(self) -> Path:
        return self._version_and_bin[1]

    @property
    def _data_dir(self) -> Path:
        return self.home / f"postgres-{self._version_and_bin[0]}"

    def _account(self) -> Account:
        return choose_account(self.home, self._data_dir, self._bin)

    def _answering_address(self) -> tuple[str, str] | None:
        """(socket directory, port) where our server answers, as its own pid file tells them."""
        try:
            lines = (self._data_dir / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise ServerError(
                f"{self._data_dir} belongs to another user; use PREDTRACK_HOME for one of yours."
            ) from error
        if len(lines) < 5 or not lines[4]:
            return None
        address = lines[4], lines[3]
        try:
            with psycopg.connect(_url(address, "postgres"), connect_timeout=3) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
        except psycopg.OperationalError:
            return None
        # A stale pid file may name a socket at which someone else listens by now.
        return address if row is not None and Path(row[0]) == self._data_dir else None

    @contextmanager
    def _lock_unless_running(self) -> Iterator[int | None]:
        """The lock's descriptor, or None as soon as the server answers."""
        path = self.home / f"{self._data_dir.name}.lock"
        lock = self._open_lock(path)
        try:
            deadline = time.monotonic() + START_TIMEOUT
            while not self.is_running():
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise ServerError(
                            f"A server holds {path} but does not answer.\n{self._end_of_log()}"
                        ) from None
                    time.sleep(0.02)
                else:
                    yield lock
                    return
            yield None
        finally:
            os.close(lock)  # never LOCK_UN: that would take it from the server as well

    def _open_lock(self, path: Path) -> int:
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except PermissionError as error:
            raise ServerError(
                f"This user may not write {path}; use PREDTRACK_HOME for a directory of yours."
            ) from error
        if os.geteuid() == 0:  # or the owner of the home could not use it without root again
            os.fchown(lock, self.home.stat().st_uid, -1)
        return lock

    def _start_or_wait(self) -> None:
        with self._lock_unless_running() as lock:
            if lock is None or self.is_running():
                return
            account = self._account()
            if not self._data_dir.exists():
                self._create(account, lock)
            self._check_data_dir(account)
            self._bring_settings_up_to_date(account)
            socket_dir = self._prepare_socket_dir(account)
            # We hold the lock, so this can only be what a killed server left behind.
            (self._data_dir / "postmaster.pid").unlink(missing_ok=True)
            options = ["-k", str(socket_dir), "-c", "listen_addresses="]
            command: list[str | Path] = [
                self._bin / "pg_ctl",
                "start",
                "-w",
                "-t",
                f"{START_TIMEOUT:.0f}",
            ]
            where: list[str | Path] = [
                "-D",
                self._data_dir,
                "-l",
                self.log_path,
                "-o",
                shlex.join(options),
            ]
            if account.run([*command, *where], pass_fds=(lock,)) != 0 or not self.is_running():
                raise ServerError(f"PostgreSQL did not start.\n{self._end_of_log()}")

    def _create(self, account: Account, lock: int) -> None:
        """initdb beside the data directory, which so appears whole or not at all."""
        unfinished = self.home / f"{self._data_dir.name}.unfinished"
        command: list[str | Path] = [
            self._bin / "initdb",
            "-D",
            unfinished,
            "-U",
            "postgres",
            "-A",
            "trust",
        ]
        message = ""
        for locale in ("C.UTF-8", "C"):  # not every system has the first
            if unfinished.exists():
                shutil.rmtree(unfinished)
            unfinished.mkdir(mode=0o700)
            account.give(unfinished)
            with tempfile.TemporaryFile() as output:
                status = account.run(
                    [*command, "-E", "UTF8", f"--locale={locale}"], output, (lock,)
                )
                output.seek(0)
                message = output.read().decode(errors="replace")
            if status == 0:
                break
        else:
            raise ServerError(f"initdb failed in {unfinished}:\n{message}")
        # A port of its own: a server whose home was deleted under it unlinks, as it ends, the
        # socket of its own port, and not that of the server which then took its place.
        port = 20000 + secrets.randbelow(40000)
        (unfinished / CONFIGURATION_FILE).write_text(CONFIGURATION.format(port=port))
        account.give(unfinished / CONFIGURATION_FILE)
        with (unfinished / "postgresql.conf").open("a") as configuration:
            configuration.write(f"\ninclude '{CONFIGURATION_FILE}'\n")
        unfinished.rename(self._data_dir)

    def _check_data_dir(self, account: Account) -> None:
        if not (self._data_dir / CONFIGURATION_FILE).is_file():
            raise ServerError(
                f"{self._data_dir} was not made by PredTrack, so it is left alone. "
                "Use another PREDTRACK_HOME, or set PREDTRACK_DATABASE_URL."
            )
        owner = self._data_dir.stat().st_uid
        if owner != account.uid:
            raise ServerError(
                f"{self._data_dir} belongs to uid {owner}; run as that user, or use another "
                "PREDTRACK_HOME."
            )

    def _bring_settings_up_to_date(self, account: Account) -> None:
        """Give a cluster that an earlier version made the settings of this one; its port stays."""
        path = self._data_dir / CONFIGURATION_FILE
        written = path.read_text()
        port = re.search(r"^port = (\d+)$", written, re.MULTILINE)
        if port is None or written == CONFIGURATION.format(port=port[1]):
            return
        renewed = path.with_suffix(".new")
        renewed.write_text(CONFIGURATION.format(port=port[1]))
        account.give(renewed)
        renewed.rename(path)

    def _prepare_socket_dir(self, account: Account) -> Path:
        """A directory that only `account` can enter, short enough for a socket's path."""
        digest = hashlib.sha256(os.fsencode(self._data_dir)).hexdigest()[:12]
        name = f"predtrack-{account.uid}-{digest}"
        every = (self.home / "socket", Path(tempfile.gettempdir()) / name, Path("/tmp") / name)
        for path in every:
            short = len(os.fsencode(path / ".s.PGSQL.00000.lock")) <= MAX_SOCKET_PATH
            if short and path.parent.is_dir() and reaches(account.uid, path.parent):
                break
        else:
            raise ServerError(f"No directory for a socket: none of {every} is short and reachable.")
        try:
            path.mkdir(mode=0o700)
            account.give(path)
        except FileExistsError:
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (account.uid, 0):
                raise ServerError(
                    f"{path} is not ours: remove it, or set another TMPDIR."
                ) from None
            account.give(path)
            path.chmod(0o700)
        for left_behind in path.glob(".s.PGSQL.*"):
            left_behind.unlink()
        return path

    def _end_of_log(self) -> str:
        if not self.log_path.is_file():
            return f"There is no log at {self.log_path}."
        lines = self.log_path.read_text(errors="replace").splitlines()[-15:]
        return "\n".join([f"The end of {self.log_path}:", *lines])


def database_url(settings: Settings) -> str:
    """libpq URL of our database: the one given, else of the embedded server, which is started."""
    if settings.database_url is not None:
        return normalise(settings.database_url.get_secret_value())
    return EmbeddedServer(settings.home).start()


def dagster_url(settings: Settings) -> str:
    """`postgresql+psycopg2://` URL of Dagster's storage: the one given, else database
    <name>_dagster beside ours, which is not created here (see ensure_database).
    """
    if settings.dagster_url is not None:
        return normalise(settings.dagster_url.get_secret_value(), "psycopg2")
    ours = database_url(settings)
    return normalise(with_database(ours, f"{database_name(ours)}_dagster"), "psycopg2")


def ensure_database(url: str) -> None:
    """Create the database of `url` (any driver) if the server has none of that name.

    Raises psycopg.OperationalError if the server cannot be reached, ServerError if it refuses.
    """
    url = normalise(url)
    name = database_name(url)
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        # Either there is no such database, or the server cannot be reached: this tells which.
        with psycopg.connect(with_database(url, "postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if known.fetchone() is not None:
                raise
            # template1 can be in use (TimescaleDB's workers look into it), and is then no template.
            create = sql.SQL("CREATE DATABASE {} TEMPLATE template0")
            try:
                connection.execute(create.format(sql.Identifier(name)))
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                return  # another process was faster
            except psycopg.errors.InsufficientPrivilege as error:
                raise ServerError(
                    f"Database {name} does not exist and this user may not create it: {redact(url)}"
                ) from error


def _url(address: tuple[str, str], database: str) -> str:
    directory, port = address
    return f"postgresql://postgres@/{quote(database, safe='')}?host={quote(directory)}&port={port}"
