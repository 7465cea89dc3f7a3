"""`predtrack up` and `predtrack dev`: what has to run, started with one command and ended with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Annotated

import typer

from predtrack_assets.cli.command import Home, use_home
from predtrack_assets.faults import Fault
from predtrack_assets.settings import Settings, get_settings

LOCAL = "127.0.0.1"
READY_SECONDS = 180
STOP_SECONDS = 30


@dataclass(frozen=True)
class Service:
    """A program that is kept running. health: a URL that answers 200 once it is ready."""

    name: str
    command: list[str]
    health: str
    log: Path


def up(
    port: Annotated[int, typer.Option(help="Of the API and the dashboard.")] = 8600,
    dagster_port: Annotated[int, typer.Option(help="Of the Dagster UI.")] = 3000,
    home: Home = None,
) -> None:
    """Start the database, Dagster and the API with its dashboard; Ctrl-C ends them all.

    Waits until each answers, then prints where. Everything listens on 127.0.0.1. A database that
    ran before goes on running.
    """
    settings = use_home(home)
    if port == dagster_port:
        raise ValueError("--port and --dagster-port are the same")
    for option, number in (("--port", port), ("--dagster-port", dagster_port)):
        require_free_port(LOCAL, str(number), option)
    with ExitStack() as running:
        for number in (
            signal.SIGTERM,
            signal.SIGINT,
        ):  # a shell's background job ignores the latter
            running.enter_context(_as_interrupt(number))
        running.enter_context(_database(settings))
        _take_stored_source()
        services = _services(settings, port, dagster_port)
        try:
            started = [(s, running.enter_context(_running(s))) for s in services]
            for service, process in started:
                _wait_until_ready(service, process)
            typer.echo(f"Dashboard   http://{LOCAL}:{port}/")
            typer.echo(f"API         http://{LOCAL}:{port}/api/v1   (predtrack keys create --help)")
            typer.echo(f"Dagster UI  http://{LOCAL}:{dagster_port}/")
            typer.echo(f"Logs are in {services[0].log.parent}; Ctrl-C ends everything.")
            while True:
                for service, process in started:
                    _require_running(service, process)
                time.sleep(0.5)
        except KeyboardInterrupt:
            typer.echo("Stopping ...")


def dev(context: typer.Context, home: Home = None) -> None:
    """Start the database and `dagster dev`; further options go to the latter (--port 3001).

    Without PREDTRACK_SOURCE, runs started in the UI take the source that the stored data came from.
    """
    settings = use_home(home)
    words = [part for option in context.args for part in option.split("=", 1)]
    given = dict(pairwise(words))
    host = given.get("--host", given.get("-h", LOCAL))
    require_free_port(host, given.get("--port", given.get("-p", "3000")), "--port")
    from predtrack_assets.automation.runs import prepare
    from predtrack_assets.definitions import build_definitions

    build_definitions()  # a wrong setting is a sentence here, and an empty UI there
    prepare(settings)
    _take_stored_source()
    command = _dagster_dev(context.args)
    os.environ.setdefault("PYTHONWARNINGS", "ignore:Function `dev_command`")
    os.chdir(os.environ["DAGSTER_HOME"])
    sys.exit(run_in_group(command))


def run_in_group(command: Sequence[str]) -> int:
    """Run a command until it ends, or Ctrl-C or SIGTERM ends it and all that it started."""
    asked: list[int] = []  # no exception: one that came while the process starts would leave it
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {n: signal.signal(n, lambda number, _: asked.append(number)) for n in numbers}
    process = subprocess.Popen(command, start_new_session=True)
    try:
        while process.poll() is None and not asked:
            time.sleep(0.2)
        return 128 + asked[0] if asked else process.returncode
    finally:
        _end(process)
        for number, handler in before.items():
            signal.signal(number, handler)


def require_free_port(host: str, port: str, option: str) -> None:
    """Raises ValueError where nothing can listen on a port, naming the option that sets it."""
    if not port.isdigit():
        raise ValueError(f"{option} {port}: a port is a number")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except (OSError, OverflowError) as error:
            raise ValueError(
                f"{host}:{port} cannot be listened on ({error}); another one: {option} 3001"
            ) from None


def _take_stored_source() -> None:
    """Let runs started in the UI take the source of what is stored, unless one is set."""
    from predtrack_assets.automation.runs import stored_end, stored_source

    if end := stored_end(get_settings()):
        os.environ["PREDTRACK_LAST_DAY"] = end
        typer.echo(f"Partitions end on {end}, with the stored bars; PREDTRACK_LAST_DAY changes it.")
    if "PREDTRACK_SOURCE" not in os.environ and (source := stored_source()):
        os.environ["PREDTRACK_SOURCE"] = source
        typer.echo(
            f"Runs take prices from {source}, like the stored data; PREDTRACK_SOURCE changes it."
        )


def _dagster_dev(options: Sequence[str]) -> list[str]:
    from predtrack_assets.settings import PROJECT_ROOT

    command = [str(Path(sys.executable).with_name("dagster")), "dev", *options]
    if not {"-w", "--workspace", "-m"} & set(options):
        command += ["--workspace", str(PROJECT_ROOT / "workspace.yaml")]
    return command


def _services(settings: Settings, port: int, dagster_port: int) -> list[Service]:
    from predtrack_assets.definitions import build_definitions

    build_definitions()  # a wrong setting is a sentence here, and an empty UI there
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    api = [sys.executable, "-m", "predtrack_assets.cli", "api", "--port", str(port)]
    return [
        Service("API", api, f"http://{LOCAL}:{port}/api/v1/health/ready", logs / "api.log"),
        Service(
            "Dagster",
            _dagster_dev(["--host", LOCAL, "--port", str(dagster_port)]),
            f"http://{LOCAL}:{dagster_port}/server_info",
            logs / "dagster.log",
        ),
    ]


@contextmanager
def _database(settings: Settings) -> Iterator[None]:
    """The database with its schema up to date; stopped at the end if it was started here."""
    from predtrack_assets.automation.runs import prepare
    from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer

    server = EmbeddedServer(settings.home)
    ours = settings.database_url is None and not server.is_running()
    try:
        if applied := prepare(settings):
            typer.echo(f"Schema: applied {', '.join(applied)}")
        yield
    finally:
        if ours and server.is_running():
            server.stop()


@contextmanager
def _running(service: Service) -> Iterator[subprocess.Popen[bytes]]:
    """The service's process; Ctrl-C reaches it from here only, so that the order is ours."""
    with service.log.open("ab") as log:
        process = _start(service, log)
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the first process of a group to end, then end whatever is left of the group."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _start(service: Service, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        service.command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _wait_until_ready(service: Service, process: subprocess.Popen[bytes]) -> None:
    """Raises Fault where the service ends, or does not answer in time."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        _require_running(service, process)
        try:
            with urllib.request.urlopen(service.health, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise Fault(f"{service.name} did not answer for {READY_SECONDS} s; its log is {service.log}")


def _require_running(service: Service, process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        last = service.log.read_text(errors="replace").strip().splitlines()[-5:]
        raise Fault(
            "\n".join([f"{service.name} ended by itself; the end of {service.log}:", *last])
        )


@contextmanager
def _as_interrupt(number: signal.Signals) -> Iterator[None]:
    """A signal ends what runs here as Ctrl-C does."""
    before = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, before)
