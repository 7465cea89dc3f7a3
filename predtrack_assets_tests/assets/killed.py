"""A run of the graph that kills itself, or the server, inside a transaction: a program for tests.

python -m predtrack_assets_tests.assets.killed URL FIRST LAST TABLE SERVER: after the first write
to TABLE, before anything of it is committed, SIGKILL goes to this very process or, where SERVER is
not 0 but its process id, to the server and to the backend that holds the transaction.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import date
from typing import Any

from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets_tests import graph

BACKEND = Query("SELECT pg_backend_pid() AS pid")


def kill_after_writing(table: str, server: int) -> None:
    """Make the first write to `table` the last thing that happens."""

    def deadly(method: str) -> None:
        write = getattr(Transaction, method)

        def wrapper(self: Transaction, target: Any, *arguments: Any, **options: Any) -> Written:
            written = write(self, target, *arguments, **options)
            if str(target) == table:
                print(f"writing {table}", flush=True)
                doomed = [server, self.read(BACKEND).item()] if server else [os.getpid()]
                for pid in doomed:
                    os.kill(pid, signal.SIGKILL)
            return written

        setattr(Transaction, method, wrapper)

    for method in ("append", "replace", "revise"):
        deadly(method)


def main() -> None:
    url, first, last, table, server = sys.argv[1:]
    kill_after_writing(table, int(server))
    graph.run(url, date.fromisoformat(first), date.fromisoformat(last))


if __name__ == "__main__":
    main()
