"""The command line with `prices` dying or waiting inside its transaction: a program for tests.

python -m predtrack_assets_tests.automation.disturbed die|wait ARGUMENTS: at the first write of
corporate actions the process is killed, or waits until it is.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from predtrack_assets.cli import main
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Transaction, Written

revise = Transaction.revise


def disturbed(self: Transaction, table: Any, *arguments: Any, **options: Any) -> Written:
    """Write, and go no further."""
    written = revise(self, table, *arguments, **options)
    if table is tables.CORPORATE_ACTIONS:
        print("inside prices", flush=True)
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600)
    return written


if __name__ == "__main__":
    what = sys.argv.pop(1)
    Transaction.revise = disturbed  # type: ignore[assignment]
    main()
