"""A lookahead that kills itself once the future is poisoned: a program for tests.

python -m predtrack_assets_tests.proofs.killed_lookahead URL
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from predtrack_assets.proofs.lookahead import lookahead
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets.warehouse.database.scratch import PoisonedTransaction, scratch_database
from predtrack_assets_tests.proofs.small_market import DAY, SETTINGS

POISON = PoisonedTransaction.poison


def deadly(self: PoisonedTransaction, *arguments: Any) -> None:
    """Poison, and die of it."""
    POISON(self, *arguments)
    print("poisoned", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    PoisonedTransaction.poison = deadly
    with scratch_database(sys.argv[1], PROJECT_ROOT / "sql") as scratch:
        lookahead(scratch, SETTINGS, [DAY])


if __name__ == "__main__":
    main()
