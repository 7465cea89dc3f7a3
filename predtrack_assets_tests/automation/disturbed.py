"""The command line with `prices` dying or waiting inside its transaction: a program for tests.

python -m predtrack_assets_tests.automation.disturbed die|wait|end|full ARGUMENTS: at the first
write of corporate actions the process is killed, or waits until it is, or the database ends, or says
that its disk is full.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import psycopg

from predtrack_assets.cli.main import main
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer
from predtrack_assets.warehouse.database.transaction import Transaction, Written

revise = Transaction.revise


def disturbed(self: Transaction, table: Any, *arguments: Any, **options: Any) -> Written:
    """Write, and go no further."""
    written = revise(self, table, *arguments, **options)
    if table is tables.CORPORATE_ACTIONS:
        print("inside prices", flush=True)
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "end":
            end_server()
            return written
        if what == "full":
            raise psycopg.errors.DiskFull(
                "could not extend file: No space left on device\nHINT: room"
            )
        time.sleep(600)
    return written


def end_server() -> None:
    """Stop the server of this home at once, as a power cut would."""
    server = EmbeddedServer(get_settings().home)
    pid_file = next(server.home.glob("postgres-*/postmaster.pid"))
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
    while server.is_running():
        time.sleep(0.05)


if __name__ == "__main__":
    what = sys.argv.pop(1)
    Transaction.revise = disturbed  # type: ignore[assignment]
    main()
