"""The predtrack command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from predtrack_assets.cli import answers
from predtrack_assets.cli.alerts import alerts
from predtrack_assets.cli.api import keys, serve
from predtrack_assets.cli.backup import backup, restore
from predtrack_assets.cli.book import book
from predtrack_assets.cli.command import DAY, Home
from predtrack_assets.cli.command import require_schema as _require_schema
from predtrack_assets.cli.command import running_url as _running_url
from predtrack_assets.cli.database_faults import database_fault, say_retries_once
from predtrack_assets.cli.doctor import doctor
from predtrack_assets.cli.gates import champions, deploy, gate
from predtrack_assets.cli.ledger import claim, ledger
from predtrack_assets.cli.predictions import predictions
from predtrack_assets.cli.prices import Exchange, Symbol, prices, use_file
from predtrack_assets.cli.strategies import strategies
from predtrack_assets.cli.up import dev, up
from predtrack_assets.clock import utc_now
from predtrack_assets.faults import Fault, printable
from predtrack_assets.settings import Settings, SourceName, get_settings, unknown_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The honest scoreboard for market predictions.\n\n"
    "Start with `predtrack demo`, then `predtrack up` serves dashboard, API and Dagster UI. Your own prices: "
    "`predtrack backfill --from 2020-01-02 --to 2020-12-31 --file prices.parquet`.",
)
db = typer.Typer(
    no_args_is_help=True, help="The database: embedded unless PREDTRACK_DATABASE_URL is set."
)
universe = typer.Typer(
    no_args_is_help=True, help="Which symbols are fetched: dated index membership."
)
app.add_typer(db, name="db")
app.add_typer(universe, name="universe")
app.add_typer(gate, name="gate")
app.add_typer(deploy, name="deploy")
app.command("champions")(champions)
app.add_typer(ledger, name="ledger")
app.add_typer(claim, name="claim")
app.add_typer(book, name="book")
app.add_typer(strategies, name="strategies")
app.add_typer(predictions, name="predictions")
app.add_typer(keys, name="keys")
app.add_typer(alerts, name="alerts")
app.command("api")(serve)
app.command("up")(up)
app.command("dev", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(dev)
app.command("doctor")(doctor)
app.command("backup")(backup)
app.command("restore")(restore)
app.add_typer(prices, name="prices")
for answer in (
    answers.status,
    answers.report,
    answers.models,
    answers.compare,
    answers.best,
    answers.recommendations,
    answers.gaps,
):
    app.command(answer.__name__)(answer)

ERRORS = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
FAILED = 1

Recompute = Annotated[
    bool, typer.Option("--recompute", help="Compute everything again, also what has nothing new.")
]


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"predtrack {version('predtrack-assets')}")
        except PackageNotFoundError:
            typer.echo("predtrack, run from its sources")
        raise typer.Exit


@app.callback()
def _warn_of_unknown_settings(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """One line for each setting that nothing reads: mistyped, it would be silently ignored."""
    for name, meant in unknown_settings().items():
        hint = f"; is it {meant}?" if meant else ""
        ERRORS.print(f"{name} is no setting and is ignored{hint}", style="yellow", markup=False)


def main() -> None:
    """Entry point; expected faults become one sentence and exit code 1."""
    say_retries_once()
    with _one_sentence():
        app()


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Print faults that a user can mend as a sentence rather than as a traceback."""
    try:
        yield
    except ValidationError as error:
        for fault in error.errors():
            name = str(fault["loc"][0]).upper()  # after it comes the place in a list
            message = fault["msg"].removeprefix("Value error, ")
            ERRORS.print(f"[red]PREDTRACK_{name.removeprefix('PREDTRACK_')}[/]: {escape(message)}")
        sys.exit(FAILED)
    except Exception as error:
        sentence = _sentence_of(error)
        if sentence is None:
            raise
        ERRORS.print(printable(sentence), style="red", markup=False)
        sys.exit(FAILED)


def _sentence_of(error: Exception) -> str | None:
    """What a user can mend, as a sentence; None for an error of ours."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, (Fault, ValueError, OSError)):
        return str(error)
    return database_fault(error)


def _configure(
    home: Path | None = None,
    source: str | None = None,
    file: Path | None = None,
    exchange: str | None = None,
    symbol: str | None = None,
) -> Settings:
    """Settings with the options of this call, visible to everything that this call starts."""
    if file is not None and source not in (None, "file"):
        raise ValueError(f"--file goes with --source file, not with --source {source}")
    given = {
        "PREDTRACK_HOME": home and str(home.resolve()),
        "PREDTRACK_SOURCE": source,
        "PREDTRACK_DEFAULT_EXCHANGE": exchange,
    }
    os.environ.update({name: value for name, value in given.items() if value})
    use_file(file, symbol)
    return get_settings()


@app.command()
def demo(
    full: Annotated[
        bool, typer.Option("--full", help="Predict every day from 2000 on, not from 2008.")
    ] = False,
    recompute: Recompute = False,
    home: Home = None,
) -> None:
    """Backfill the bundled sample (five US stocks and the S&P 500, 2000-2013) and show the scores.

    Runs the whole graph: prices and features of all days, and for the last five years predictions,
    outcomes, accuracy. Doing it again changes no row.
    """
    os.environ.setdefault("PREDTRACK_PREDICT_BASELINES", "true")
    _configure(home, source="sample")
    from predtrack_assets.cli.demo import run_demo

    sys.exit(0 if run_demo(get_settings(), home, full=full, recompute=recompute) else FAILED)


@app.command()
def backfill(
    from_: Annotated[datetime, typer.Option("--from", **DAY, help="First day.")],
    to: Annotated[datetime, typer.Option("--to", **DAY, help="Last day.")],
    select: Annotated[
        str | None,
        typer.Option(help="Only these assets: tables, schema/table keys or groups, by commas."),
    ] = None,
    source: Annotated[
        SourceName | None, typer.Option(help="Where prices come from; else PREDTRACK_SOURCE.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Price file (Parquet or CSV); implies --source file.")
    ] = None,
    symbol: Symbol = None,
    exchange: Exchange = None,
    warm_up: Annotated[
        bool,
        typer.Option(help="Also the earlier prices and features that the fits of these days need."),
    ] = True,
    recompute: Recompute = False,
    home: Home = None,
) -> None:
    """Compute the graph, or a part of it, for a range of days: inputs, fits of its months, results.

    What has nothing new since it was last computed is left out, and named.

    Ends 0 only if everything asked for was done, 1 if something failed, 3 if some symbols could
    not be fetched.
    """
    _configure(home, source, file, exchange, symbol)
    from predtrack_assets.cli.backfill import run_backfill

    names = None if select is None else [n.strip() for n in select.split(",") if n.strip()]
    if names == []:
        raise ValueError("--select names no asset; leave it out to compute all of them")
    first, last = from_.date(), to.date()
    sys.exit(run_backfill(get_settings(), first, last, names, warm_up=warm_up, recompute=recompute))


@app.command("replay")
def replay_(
    from_: Annotated[
        datetime | None,
        typer.Option("--from", **DAY, help="First day; without it all."),
    ] = None,
    to: Annotated[
        datetime | None,
        typer.Option("--to", **DAY, help="Last day; without it all."),
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="So many random days, each computed alone.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random days.")] = 0,
    home: Home = None,
) -> None:
    """Compute stored rows again from what was known on their day, and compare them bit for bit.

    Ends 0 only if there are rows of models of ours, and each comes out equal.
    """
    settings = _configure(home)
    _require_schema(settings)
    from predtrack_assets.cli.prove import run_replay

    first, last = from_ and from_.date(), to and to.date()
    sys.exit(run_replay(settings, _running_url(settings), first, last, sample, seed))


@app.command()
def lookahead(
    days: Annotated[int, typer.Option(min=1, help="How many random decision days.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the random days.")] = 0,
    from_: Annotated[datetime | None, typer.Option("--from", **DAY, help="First day.")] = None,
    to: Annotated[datetime | None, typer.Option("--to", **DAY, help="Last day.")] = None,
    home: Home = None,
) -> None:
    """Poison the future in a copy, compute again, and see whether anything changes.

    Ends 0 only if nothing does. The database itself is only read.
    """
    settings = _configure(home)
    _require_schema(settings)
    from predtrack_assets.cli.prove import run_lookahead

    first, last = from_ and from_.date(), to and to.date()
    sys.exit(run_lookahead(settings, _running_url(settings), days, seed, first, last))


@db.command("start")
def db_start(home: Home = None) -> None:
    """Start the embedded server if it is not running, and print its URL."""
    from predtrack_assets.warehouse.database.embedded_server import database_url
    from predtrack_assets.warehouse.database.urls import redact

    typer.echo(redact(database_url(_configure(home))))


@db.command("stop")
def db_stop(home: Home = None) -> None:
    """Stop the embedded server."""
    from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer

    settings = _configure(home)
    server = EmbeddedServer(settings.home)
    if settings.database_url:
        raise ValueError(
            "the database is the one of PREDTRACK_DATABASE_URL; it is not ours to stop"
        )
    if not server.is_running():
        typer.echo("not running")
        return
    server.stop()
    typer.echo("stopped")


@db.command("status")
def db_status(home: Home = None) -> None:
    """Whether the database answers, which migrations it has, and what was changed behind their back.

    Ends 1 when it does not answer, or a rule, right, view or function is not as the migrations make it.
    """
    from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer
    from predtrack_assets.warehouse.database.made_anew import differences_from_migrations
    from predtrack_assets.warehouse.database.migrate import status as migrations
    from predtrack_assets.warehouse.database.urls import redact

    settings = _configure(home)
    if settings.database_url is None and not EmbeddedServer(settings.home).is_running():
        typer.echo(f"embedded server of {settings.home}: not running")
        sys.exit(FAILED)
    url = _running_url(settings)
    found = migrations(url, settings.sql_dir)  # raises if it does not answer
    typer.echo(f"running: {redact(url)}")
    for migration in found:
        typer.echo(f"  {migration.name}: {migration.state}")
    if any(migration.state not in ("applied", "skipped") for migration in found):
        return
    if changed := differences_from_migrations(url, settings.sql_dir):
        ERRORS.print(
            "Changed since the migrations made it (migrated | here):", style="red", markup=False
        )
        for difference in changed:
            ERRORS.print(f"  {difference}", markup=False)
        sys.exit(FAILED)
    typer.echo("  rules, rights, views and functions are as the migrations make them")


@db.command("url")
def db_url(home: Home = None) -> None:
    """Print the database's URL and nothing else (password included); starts the embedded server."""
    from predtrack_assets.warehouse.database.embedded_server import database_url
    from predtrack_assets.warehouse.database.urls import normalise

    typer.echo(normalise(database_url(_configure(home))))


@db.command("migrate")
def db_migrate(home: Home = None) -> None:
    """Apply the migrations that are missing; doing it again changes nothing."""
    from predtrack_assets.automation.runs import prepare

    applied = prepare(_configure(home))
    typer.echo(f"applied {', '.join(applied)}" if applied else "up to date")


@db.command("psql", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def db_psql(context: typer.Context, home: Home = None) -> None:
    """Open psql on the database; further options go to psql (-c "SELECT 1")."""
    from predtrack_assets.warehouse.database.embedded_server import EmbeddedServer, database_url
    from predtrack_assets.warehouse.database.urls import normalise

    settings = _configure(home)
    url = normalise(database_url(settings))
    psql = str(EmbeddedServer(settings.home).psql_path)
    sys.exit(subprocess.run([psql, url, *context.args], check=False).returncode)


@universe.command("load")
def universe_load(
    name: Annotated[str, typer.Argument(help="Universe, e.g. SPX500.")],
    file: Annotated[Path, typer.Argument(help="CSV with ticker, start_date, end_date.")],
    home: Home = None,
) -> None:
    """Load dated membership from a file; it takes the place of what the universe had."""
    from predtrack_assets.automation.runs import prepare
    from predtrack_assets.sources.universes import read_membership
    from predtrack_assets.warehouse.database.transaction import Database
    from predtrack_assets.warehouse.market.universes import replace_universe

    settings = _configure(home)
    membership = read_membership(file)
    prepare(settings)
    rows = replace_universe(Database(url=_running_url(get_settings())), name, membership, file.name)
    typer.echo(f"{name}: {rows} memberships of {membership['symbol'].n_unique()} symbols")


def today() -> date:
    """The UTC date."""
    return utc_now().date()


if __name__ == "__main__":
    main()
