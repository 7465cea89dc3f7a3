"""Predictions from files: `predtrack predictions load|check`."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from predtrack_assets.cli.command import Home, ready_database

predictions = typer.Typer(
    no_args_is_help=True,
    help="Bring your own predictions from a file (JSON, NDJSON, CSV, Parquet).",
)
File = Annotated[Path, typer.Argument(help="*.json, *.ndjson, *.csv or *.parquet.")]
SHOWN = 20


class _Undo(Exception):
    """Ends a dry run: nothing of its transaction stays."""


@predictions.command("check")
def check(
    file: File,
    model: Annotated[str, typer.Option(help="The model's name.")] = "",
    version: Annotated[int, typer.Option(help="Its version.")] = 1,
) -> None:
    """Say what is wrong with a file's rows by themselves; needs no database."""
    from predtrack_assets.services.forecasts.intake import check_rows

    answers = check_rows(rows_of(file))
    _print(answers)
    if any(row["status"] == "rejected" for row in answers):
        sys.exit(1)


@predictions.command("load")
def load(
    file: File,
    model: Annotated[str, typer.Option(help="The model's name: a-z, 0-9, dot, dash, underscore.")],
    version: Annotated[int, typer.Option(help="Its version, a whole number.")],
    owner: Annotated[str, typer.Option(help="Whose model it is.")] = "local",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Answer, and write nothing.")] = False,
    home: Home = None,
) -> None:
    """Take a file's predictions: registered, completed, sealed. A row may be

    symbol, horizon, decision_day and one of p_up; sd (with per); q05 ... q95 (prices). Loading the
    same file again changes nothing. Ends 1 where a row was refused.
    """
    from predtrack_assets.services.forecasts.external_models import register_model
    from predtrack_assets.services.forecasts.intake import Sender, take_predictions

    rows = rows_of(file)
    kinds = sorted({k for row in rows for k in ("price", "direction", "volatility") if k in row})
    answers: list[dict[str, Any]] = []
    with suppress(_Undo), ready_database(home).transaction() as transaction:
        register_model(transaction, name=model, version=version, kinds=kinds, owner=owner)
        for start in range(0, len(rows), 10_000):
            part = rows[start : start + 10_000]
            answer = take_predictions(
                transaction,
                model=model,
                version=version,
                rows=part,
                sender=Sender(owner, f"file:{file.name}"[:64]),
                body=json.dumps(part, default=str).encode(),
                dry_run=dry_run,
            )
            answers += [{**row, "index": row["index"] + start} for row in answer["rows"]]
        if dry_run:
            raise _Undo
    _print(answers)
    if any(row["status"] == "rejected" for row in answers):
        sys.exit(1)


def rows_of(file: Path) -> list[Any]:
    """The rows of a file as intake takes them. Raises ValueError for a file that cannot be read."""
    from predtrack_assets.domain.forecasts.intake.rows import Unreadable, nested, read_json

    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    try:
        if file.suffix == ".json":
            found = read_json(file.read_bytes())
            rows = found.get("predictions") if isinstance(found, dict) else found
            if not isinstance(rows, list):
                raise ValueError("the file holds no list of predictions")
            return rows
        if file.suffix == ".ndjson":
            return [read_json(line) for line in file.read_bytes().splitlines() if line.strip()]
    except Unreadable as error:
        raise ValueError(f"{file.name}: {error}") from None
    import polars as pl

    if file.suffix == ".csv":
        return nested(pl.read_csv(file, try_parse_dates=False).iter_rows(named=True))
    if file.suffix == ".parquet":
        return nested(pl.read_parquet(file).iter_rows(named=True))
    raise ValueError(f"{file.name}: a file of predictions is .json, .ndjson, .csv or .parquet")


def _print(answers: list[dict[str, Any]]) -> None:
    counts: dict[str, int] = {}
    for row in answers:
        counts[row["status"]] = counts.get(row["status"], 0) + 1
    wrong = [row for row in answers if row["status"] in ("rejected", "conflict")]
    for row in wrong[:SHOWN]:
        place = row.get("pointer") or ""
        typer.echo(f"row {row['index'] + 1} {place}: {row['code']}: {row['message']}")
    if len(wrong) > SHOWN:
        typer.echo(f"... and {len(wrong) - SHOWN:,} more")
    typer.echo(", ".join(f"{n:,} {status}" for status, n in sorted(counts.items())) or "no rows")
