"""`predtrack prices`: looking at a price file before it is loaded."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from predtrack_assets.cli.command import Json, show
from predtrack_assets.clock import utc_now
from predtrack_assets.settings import get_settings

prices = typer.Typer(no_args_is_help=True, help="Price files.")

Symbol = Annotated[
    str | None, typer.Option(help="Symbol of a file of one symbol, which has no column for it.")
]
Exchange = Annotated[
    str | None,
    typer.Option(help="Calendar of symbols whose names do not tell it, like XTKS or 24/7."),
]
FAILED = 1


@prices.callback()
def _group() -> None:
    """Keeps `check` a command of its own."""


@prices.command()
def check(
    file: Annotated[Path, typer.Argument(help="Price file: Parquet or CSV.")],
    symbol: Symbol = None,
    exchange: Exchange = None,
    as_json: Json = False,
) -> None:
    """Show what is understood of a file, and what would be refused and why; stores nothing.

    Ends 1 where nothing of it could be stored.
    """
    use_file(file, symbol)
    if exchange:
        os.environ["PREDTRACK_DEFAULT_EXCHANGE"] = exchange
    from predtrack_assets.reporting.tables.price_file import file_check_table
    from predtrack_assets.services.market.price_file import check_file

    found = check_file(get_settings(), utc_now().date() - timedelta(days=1))
    show(found, lambda: file_check_table(found), as_json)
    sys.exit(0 if found.first else FAILED)


def use_file(file: Path | None, symbol: str | None) -> None:
    """Make a price file the source of this process and of what it starts."""
    given = {"PREDTRACK_FILE_SYMBOL": symbol}
    if file is not None:
        given |= {"PREDTRACK_SOURCE": "file", "PREDTRACK_FILE": os.path.abspath(file)}
    os.environ.update({name: value for name, value in given.items() if value})
