"""Predictions from files: `predtrack predictions load|check`."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from predtrack_assets.cli.command import Home, Json, ready_database, show

predictions = typer.Typer(
    no_args_is_help=True,
    help="Bring your own predictions from a file (JSON, NDJSON, CSV, Parquet, Arrow).",
)
File = Annotated[Path, typer.Argument(help="*.json, *.ndjson, *.csv, *.parquet or *.arrow.")]
SHOWN = 20


class _Undo(Exception):
    """Ends a dry run: nothing of its transaction stays."""


@predictions.command("check")
def check(
    file: File,
    model: Annotated[str, typer.Option(help="The model's name.")] = "",
    version: Annotated[int, typer.Option(help="Its version.")] = 1,
    as_json: Json = False,
) -> None:
    """Say what is wrong with a file's rows by themselves; needs no database."""
    from predtrack_assets.services.forecasts.intake import check_rows

    answers = check_rows(rows_of(file))
    _print(answers, as_json)
    if any(row["status"] == "rejected" for row in answers):
        sys.exit(1)


@predictions.command("load")
def load(
    file: File,
    model: Annotated[str, typer.Option(help="The model's name: a-z, 0-9, dot, dash, underscore.")],
    version: Annotated[int, typer.Option(help="Its version, a whole number.")],
    owner: Annotated[str, typer.Option(help="Whose model it is.")] = "local",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Answer, and write nothing.")] = False,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Take a file's predictions: registered, completed, sealed. A row may be

    symbol, horizon, decision_day and one of p_up; sd (with per); q05 ... q95
    (prices); target with p_hit, expected_sessions, rule. Loading the
    same file again changes nothing. Ends 1 where a row was refused.
    """
    from predtrack_assets.domain.forecasts.intake.rows import KINDS
    from predtrack_assets.services.forecasts.external_models import register_model
    from predtrack_assets.services.forecasts.intake import Sender, take_predictions

    rows = rows_of(file)
    kinds = sorted({k for row in rows if isinstance(row, dict) for k in KINDS if k in row})
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
    _print(answers, as_json)
    if any(row["status"] == "rejected" for row in answers):
        sys.exit(1)


@predictions.command("watch")
def watch(
    folder: Annotated[str, typer.Argument(help="A directory, or s3://bucket/folder.")],
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 10,
    once: Annotated[bool, typer.Option("--once", help="Two looks, then end.")] = False,
    owner: Annotated[str, typer.Option(help="Whose models they are.")] = "local",
    home: Home = None,
) -> None:
    """Take files of predictions that appear in a folder, once they stood still between two looks.

    Each goes to done/ or rejected/ with a report beside it. A table has columns model and version.
    """
    from predtrack_assets.services.forecasts.intake_files import sweep
    from predtrack_assets.stores.drop_folder import Seen

    database, seen = ready_database(home), dict[str, Seen]()
    looks = 0
    with suppress(KeyboardInterrupt):
        while not (once and looks == 2):
            if looks:
                time.sleep(every)
            reports, seen = sweep(database, folder, seen, owner)
            looks += 1
            for report in reports:
                counts = report.get("counts", {})
                told = ", ".join(f"{n:,} {status}" for status, n in counts.items() if n)
                told = told or f"{report['code']}: {report['message']}"
                typer.echo(f"{report['file']}: {report['status']}: {told}")


@predictions.command("withdraw")
def withdraw_(
    ids: Annotated[list[str], typer.Argument(help="Identities, as receipts have them.")],
    reason: Annotated[str, typer.Option(help="Why, in one line; everybody sees it.")],
    owner: Annotated[str, typer.Option(help="Whose model it is.")] = "local",
    home: Home = None,
) -> None:
    """Take predictions back before the session after their decision day opens.

    They stay visible, fall due, and are not validated: they count against coverage. Ends 1 where
    one was not withdrawn.
    """
    from predtrack_assets.services.forecasts.withdrawals import withdraw

    with ready_database(home).transaction() as transaction:
        answers = withdraw(transaction, ids, reason, owner)
    for row in answers:
        why = f": {row['code']}: {row['message']}" if "code" in row else ""
        typer.echo(f"{row['prediction_id']} {row['status']}{why}")
    if any(row["status"] == "rejected" for row in answers):
        sys.exit(1)


def rows_of(file: Path) -> list[Any]:
    """The rows of a file as intake takes them. Raises ValueError for a file that cannot be read."""
    from predtrack_assets.domain.forecasts.intake.rows import Unreadable
    from predtrack_assets.services.forecasts.intake_formats import READERS, read_rows

    form = file.suffix.lower().removeprefix(".")
    if form not in READERS:
        raise ValueError(f"{file.name}: a file of predictions is one of .{', .'.join(READERS)}")
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    try:
        return read_rows(file.read_bytes(), form, most=None).rows
    except Unreadable as error:
        raise ValueError(f"{file.name}: {error}") from None


def _print(answers: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        show(answers, lambda: "", as_json)
        return
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
