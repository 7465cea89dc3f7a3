"""A run of the graph that kills itself, or the server, inside a transaction: a program for tests.

python -m predtrack_assets_tests.assets.killed URL FIRST LAST TABLE PID: after the first write to
TABLE, before anything of it is committed, PID (0: this very process) is sent SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import date
from typing import Any

from predtrack_assets.warehouse.warehouse import Transaction, Written
from predtrack_assets_tests import graph


def kill_after_writing(table: str, pid: int) -> None:
    """Make the first write to `table` the last thing that happens."""

    def deadly(method: str) -> None:
        write = getattr(Transaction, method)

        def wrapper(self: Transaction, target: Any, *arguments: Any, **options: Any) -> Written:
            written = write(self, target, *arguments, **options)
            if str(target) == table:
                print(f"writing {table}", flush=True)
                os.kill(pid or os.getpid(), signal.SIGKILL)
            return written

        setattr(Transaction, method, wrapper)

    for method in ("append", "replace", "revise"):
        deadly(method)


def main() -> None:
    url, first, last, table, pid = sys.argv[1:]
    kill_after_writing(table, int(pid))
    graph.run(url, date.fromisoformat(first), date.fromisoformat(last))


if __name__ == "__main__":
    main()
