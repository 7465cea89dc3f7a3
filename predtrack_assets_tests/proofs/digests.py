"""Digests of everything that is derived for a window of days: a function, and a program for tests.

python -m predtrack_assets_tests.proofs.digests URL FIRST LAST
"""

from __future__ import annotations

import json
import sys
from datetime import date

import polars as pl

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.days import Window
from predtrack_assets.domain.numerics.digest import total_digest
from predtrack_assets.proofs.stages import STAGES, Stage
from predtrack_assets.warehouse.database.transaction import READER
from predtrack_assets_tests.proofs.small_market import SETTINGS


def digests(url: str, windows: list[Window], stages: tuple[Stage, ...] = STAGES) -> dict[str, str]:
    """SHA-256 per table over the rows of all windows together, each computed by itself."""
    found = {}
    for stage in stages:
        with Warehouse(url=url).transaction(READER) as transaction:
            frames = [stage.compute(transaction, asked, SETTINGS) for asked in windows]
        found[str(stage.table)] = total_digest(pl.concat(frames).select(stage.columns))
    return found


def main() -> None:
    url, first, last = sys.argv[1:]
    asked = Window(date.fromisoformat(first), date.fromisoformat(last))
    print(json.dumps(digests(url, [asked])))


if __name__ == "__main__":
    main()
